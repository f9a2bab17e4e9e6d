"""A run with an adapter trains that alone, and publishes plain weights that say what it said."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from models_runtime.jobdir import BadInput
from models_runtime.loading import check_policy, load_policy, load_reward_model, save_policy
from tests.training import tiny
from training.adapters import Adapters
from training.configs import BadOption, parse
from training.task import Task

pytestmark = pytest.mark.training

KINDS = ("lora", "adalora")
QUICK = {"learning_rate": 1e-2, "epochs": 2, "batch_size": 8, "lora_rank": 4}
UNGUARDED = {"guard_kl": -1.0, "guard_valid_text": -1.0, "guard_length_growth": -1.0}
ROUNDS = {"rounds": 2, "rollouts": 8, "batch_size": 4, "max_new_tokens": 6, "reward": "length"}
OPTIONS: dict[str, dict[str, Any]] = {
    "sft": {},
    "dpo": {},
    "odpo": {},
    "tdpo": {},
    "kto": {"learn_from": "pairs"},
    "rrhf": {"batch_size": 2},
    "ppo": {**ROUNDS, **UNGUARDED, "guard_chosen": -1.0},
    "rloo": {**UNGUARDED, "k": 4, "max_new_tokens": 6, "reward": "length"},
}
AT_ONCE = {("odpo", "lora"), ("odpo", "adalora"), ("dpo", "adalora"), ("ppo", "lora")}
RUNS = [
    pytest.param(*run, marks=() if run in AT_ONCE else pytest.mark.long)
    for run in itertools.product(OPTIONS, KINDS)
]
MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy, rankings of three, demonstrations, and prompts."""
    root = tmp_path_factory.mktemp("world")
    snapshot = tiny.write_snapshot(root / "snapshot", tiny.preference_records(12, 3))
    taught = [
        {"prompt_id": n, "messages": tiny.asked(f"say {word}"), "completion": "the answer is good"}
        for n, word in enumerate(tiny.WORDS.split())
    ]
    tiny.write_lines(snapshot / "demonstrations.jsonl", taught)
    return {
        "policy": tiny.make_policy(root / "policy"),
        "snapshot": snapshot,
        "prompts": tiny.write_lines(root / "prompts.jsonl", tiny.prompt_records()),
    }


def trained(world: dict[str, Path], folder: Path, method: str, **options: Any) -> Path:
    """The folder of a finished job."""
    wanted = {**QUICK, **OPTIONS.get(method, {}), **options}
    return tiny.train(folder, method, wanted, **world)


@pytest.fixture
def adapted(world: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What the models that a run publishes put out just before they are merged; beside that, the
    frozen weights are held to be the policy's."""
    seen: list[torch.Tensor] = []
    merge = Adapters.merge

    def looked_at(self: Adapters) -> None:
        model = self.tuners[0].model.eval()
        base = load_file(world["policy"] / "model.safetensors")
        weights = {n.replace(".base_layer", ""): w for n, w in model.named_parameters()}
        assert all(weights[name].equal(weight) for name, weight in base.items())
        with torch.no_grad():
            seen.append(model(IDS).logits)
        merge(self)

    monkeypatch.setattr(Adapters, "merge", looked_at)
    return seen


IDS = torch.randint(5, 20, (2, 9), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("method", "kind"), RUNS)
def test_what_is_published_says_what_the_adapter_said(
    world: dict[str, Path], tmp_path: Path, adapted: list, method: str, kind: str
) -> None:
    output = trained(world, tmp_path, method, adapter=kind) / "attempt-1" / "output"
    with torch.no_grad():
        before = load_policy(world["policy"])(IDS).logits
        plain = transformers.AutoModelForCausalLM.from_pretrained(output)
        after = plain(IDS).logits
    assert (after - adapted[0]).abs().max() < 1e-5
    assert (after - before).abs().max() > 1e-3, "nothing was trained"
    assert not (output / "adapter_config.json").exists()
    assert set(load_file(output / "model.safetensors")) == set(
        load_file(world["policy"] / "model.safetensors")
    )
    assert check_policy(output)["architecture"] == "LlamaForCausalLM"


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_model_trains_its_head_beside_the_adapter(
    world: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = trained(world, tmp_path, "reward", batch_size=2, adapter=kind, lora_dropout=0.1)
    output = folder / "attempt-1" / "output"
    rows = tiny.metrics_of(folder)
    assert sum(r["loss"] for r in rows[-3:]) < sum(r["loss"] for r in rows[:3])
    model = load_reward_model(output)
    before = load_file(world["policy"] / "model.safetensors")
    after = load_file(output / "model.safetensors")
    moved = {name for name in before if not before[name].equal(after[name])}
    assert moved
    assert all(any(part in name for part in MATRICES) for name in moved)
    torch.manual_seed(7)  # as the run drew its head
    drawn = load_reward_model(world["policy"], for_training=True)
    assert not torch.equal(drawn.score.weight, model.score.weight)  # type: ignore[union-attr]


def test_only_the_layers_that_are_named_get_an_adapter(
    world: dict[str, Path], tmp_path: Path
) -> None:
    folder = trained(world, tmp_path, "odpo", adapter="lora", lora_targets="q_proj, v_proj")
    before = load_file(world["policy"] / "model.safetensors")
    after = load_file(folder / "attempt-1" / "output" / "model.safetensors")
    moved = {name.split(".")[-2] for name in before if not before[name].equal(after[name])}
    assert moved == {"q_proj", "v_proj"}


@pytest.mark.parametrize(
    "method", ["dpo", "tdpo", *(pytest.param(m, marks=pytest.mark.long) for m in ("kto", "rloo"))]
)
def test_the_policy_without_its_adapter_is_the_reference(
    world: dict[str, Path], tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run against the same weights in a file of other bytes, which are loaded as any
    reference is: the curves are one."""
    copy = tiny.make_policy(tmp_path / "copy")
    weights = load_file(copy / "model.safetensors")
    save_file(weights, copy / "model.safetensors", {"format": "pt", "another": "file"})
    used = []
    without = Adapters.without
    monkeypatch.setattr(Adapters, "without", lambda *a: used.append(1) or without(*a))
    options = {"adapter": "lora", "learning_rate": 3e-2}
    spared = trained(world, tmp_path / "spared", method, **options)
    assert used
    used.clear()
    loaded = trained({**world, "reference": copy}, tmp_path / "loaded", method, **options)
    assert not used
    for one, other in zip(tiny.metrics_of(spared), tiny.metrics_of(loaded), strict=True):
        figures = [{k: row[k] for k in ("loss", "kl") if k in row} for row in (one, other)]
        assert figures[0] == pytest.approx(figures[1], abs=1e-5)
    name = "kl" if method == "rloo" else "loss"
    assert abs(one[name] - tiny.metrics_of(spared)[0][name]) > 1e-3, "they never parted"


def test_adalora_leaves_the_ranks_that_were_asked_for(
    world: dict[str, Path], tmp_path: Path
) -> None:
    """Fourteen matrices begin with a rank of 6 each; 4 on average are left."""
    kept = []
    merge = Adapters.merge

    def counted(self: Adapters) -> None:
        named = self.tuners[0].model.named_parameters()
        kept.extend((weight != 0).sum().item() for name, weight in named if "lora_E" in name)
        merge(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adapters, "merge", counted)
        trained(world, tmp_path, "odpo", adapter="adalora", epochs=4)
    assert len(kept) == 14
    assert sum(kept) == 14 * 4
    assert max(kept) > min(kept), "the ranks are shared out"


def test_an_adapter_that_was_put_on_no_model_is_no_run_without_one(
    world: dict[str, Path], tmp_path: Path
) -> None:
    """A method that forgot to would otherwise train all weights without a word."""
    config = parse("sft", {"adapter": "lora"})
    with pytest.raises(RuntimeError, match="no model was given one"):
        Adapters(config, 7).merge()


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        (
            "dpo",
            {"adapter": "dora"},
            "must be one of none, lora, adalora, qlora, prompt, not 'dora'",
        ),
        ("dpo", {"adapter": "prefix"}, "no plain weights of a model can hold"),
        ("dpo", {"lora_rank": 4}, "lora_rank of dpo is about another adapter"),
        ("sft", {"lora_dropout": 0.1}, "lora_dropout of sft is about another adapter"),
        (
            "dpo",
            {"adapter": "prompt", "lora_rank": 4},
            "choose one of lora, adalora, qlora beside it",
        ),
        ("sft", {"adapter": "lora", "prompt_tokens": 4}, "choose one of prompt beside it"),
        ("kto", {"adapter": "prompt", "prompt_tokens": 0}, "must lie between 1 and 1000, not 0"),
        ("dpo", {"adapter": "lora", "lora_dropout": 0.1}, "no option named 'lora_dropout'"),
        ("ppo", {"adapter": "lora", "lora_rank": 0}, "must lie between 1 and 4096, not 0"),
        ("kto", {"adapter": "lora", "lora_targets": "q_proj,"}, "must name layers"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_sentence(
    method: str, options: dict, words: str
) -> None:
    with pytest.raises(BadOption, match=words) as caught:
        parse(method, options)
    assert str(caught.value).endswith(".")


def test_layers_that_the_model_lacks_are_refused(world: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="by the name c_attn"):
        trained(world, tmp_path, "odpo", adapter="lora", lora_targets="c_attn")


@pytest.mark.parametrize(
    ("kind", "layer", "words"),
    [
        ("lora", "lm_head", "No adapter can be trained on the output layer"),
        ("adalora", "lm_head", "No adapter can be trained on the output layer"),
        ("lora", "embed_tokens", "This model's embedding is its output layer too"),
    ],
)
def test_layers_of_words_that_would_change_untrained_are_refused(
    world: dict[str, Path], kind: str, layer: str, words: str
) -> None:
    """Also where nothing but the layers is looked at, before anything is sampled."""
    config = parse("raft", {"adapter": kind, "lora_targets": f"{layer},q_proj"})
    with pytest.raises(BadInput, match=words):
        Adapters(config, 7).put_on(load_policy(world["policy"], for_training=True))
    with pytest.raises(BadInput, match=words):
        Adapters(config, 7).refuse_misfit(world["policy"])


def test_an_embedding_apart_from_the_output_may_have_an_adapter(world: dict[str, Path]) -> None:
    config = parse("reward", {"adapter": "lora", "lora_targets": "embed_tokens"})
    model = load_reward_model(world["policy"], for_training=True)
    Adapters(config, 7).put_on(model)
    assert "lora_embedding_A" in " ".join(name for name, _ in model.named_parameters())


@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_too_few_steps_to_take_ranks_away_are_refused(
    world: dict[str, Path], tmp_path: Path, method: str
) -> None:
    with pytest.raises(BadInput, match="needs 3 optimiser steps at the least, not 2"):
        trained(world, tmp_path, method, adapter="adalora", epochs=1, batch_size=20)


def test_an_adapters_folder_is_no_policy(world: dict[str, Path], tmp_path: Path) -> None:
    """Its base is named in it and lies elsewhere: nobody would have checked those weights, nor
    whether it is the one that the adapter was trained on."""
    folder = tmp_path / "adapter"
    tokenizer = transformers.AutoTokenizer.from_pretrained(world["policy"])
    save_policy(load_policy(world["policy"]), tokenizer, folder)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "another"}')
    with pytest.raises(BadInput, match=r"makes it an adapter: merge it into its model first\."):
        check_policy(folder)
    with pytest.raises(BadInput, match="makes it an adapter"):
        trained({**world, "policy": folder}, tmp_path, "odpo", adapter="lora")


def test_a_run_without_an_adapter_has_none(world: dict[str, Path]) -> None:
    config = parse("odpo", {})
    adapters = Adapters(config, 7)
    model = adapters.put_on(load_policy(world["policy"], for_training=True))
    assert not adapters.tuners
    assert all(weight.requires_grad for weight in model.parameters())
    assert set(adapters.trained(model)) == set(model.state_dict())
    assert Task.__dataclass_fields__["adapters"].init is False
