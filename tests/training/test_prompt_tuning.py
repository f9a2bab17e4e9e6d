"""Prompt tuning trains a few vectors before every prompt and nothing else, and what it publishes
are plain weights that any library prompts with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save

from models_runtime.backends import LocalBackend
from models_runtime.chat import encode_conversation, encode_prompt, fit_prompt, tuned_words
from models_runtime.jobdir import BadInput
from models_runtime.loading import check_policy, load_policy, load_reward_model, load_tokenizer
from models_runtime.records import PromptRecord, Rated, Sampler
from tests.training import tiny
from training.configs import METHODS, parse
from training.memory import Dimensions, Load, need
from training.methods.tdpo import logps_and_kl
from training.scoring import completion_logps
from training.task import Task

pytestmark = pytest.mark.training

WORDS = 4
TUNED = {"adapter": "prompt", "prompt_tokens": WORDS, "learning_rate": 0.1, "batch_size": 8}
UNGUARDED = {
    name: -1.0 for name in ("guard_kl", "guard_valid_text", "guard_length_growth", "guard_chosen")
}
ROUNDS = {"rounds": 2, "rollouts": 8, "batch_size": 4, "reward": "length", **UNGUARDED}
GROUPED = {"k": 4, "reward": "length", **UNGUARDED}
OPTIONS: dict[str, dict[str, Any]] = {
    "kto": {"learn_from": "pairs"},
    **dict.fromkeys(("reward", "rrhf", "pro"), {"batch_size": 2}),
    "raft": {"batch_size": 2, "k": 2, "reward": "length"},
    **dict.fromkeys(("ppo", "ppo_ptx"), ROUNDS),
    **dict.fromkeys(("grpo", "rloo"), GROUPED),
}
AT_ONCE = ("odpo",)
BASE = "model.embed_tokens.weight"


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
    ratings = [
        Rated(n, r.prompt_id, 0, r.item, r.split, r.fold, r.messages, one, overall=1 - rank / 2)
        for n, r in enumerate(tiny.preference_records(12, 3))
        for rank, one in enumerate(r.completions)
    ]
    tiny.write_lines(snapshot / "ratings.jsonl", ratings)
    return {
        "policy": tiny.make_policy(root / "policy"),
        "snapshot": snapshot,
        "prompts": tiny.write_lines(root / "prompts.jsonl", tiny.prompt_records()),
    }


def trained(world: dict[str, Path], folder: Path, method: str, **options: Any) -> Path:
    """What a finished job published."""
    wanted = {"max_new_tokens": 6, **TUNED, **OPTIONS.get(method, {}), **options}
    return tiny.train(folder, method, wanted, **world) / "attempt-1" / "output"


@pytest.fixture(scope="module")
def tuned(world: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy whose words were tuned on preferences."""
    return trained(world, tmp_path_factory.mktemp("tuned"), "odpo")


def plain(folder: Path) -> tuple[Any, Any]:
    """As a script of somebody else's would load it."""
    return (
        transformers.AutoModelForCausalLM.from_pretrained(folder),
        transformers.AutoTokenizer.from_pretrained(folder),
    )


ROW = (tiny.asked("tell me the answer"), "the answer is good")


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=() if name in AT_ONCE else pytest.mark.long)
        for name in METHODS
        if name not in ("reward", "regression", "distil")
    ],
)
def test_what_is_published_says_what_was_trained(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Log-probabilities of an answer behind the template: in the run before the vectors are put
    into the embedding, and of the folder."""
    said: list[float] = []
    publish = Task.publish_model

    def looked_at(self: Task, model: Any, tokenizer: Any, files: Any = None) -> None:
        with torch.no_grad():
            row = encode_conversation(tokenizer, *ROW)
            said.append(completion_logps(model.eval(), [row]).item())
        publish(self, model, tokenizer, files)

    monkeypatch.setattr(Task, "publish_model", looked_at)
    output = trained(world, tmp_path, method)
    model, tokenizer = plain(output)
    ids = tokenizer.apply_chat_template(ROW[0], add_generation_prompt=True, return_dict=False)
    answer = [*tokenizer(ROW[1], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.no_grad():
        logs = model(torch.tensor([ids + answer])).logits[0].log_softmax(-1)
    found = sum(logs[len(ids) + n - 1, token].item() for n, token in enumerate(answer))
    assert found == pytest.approx(said[0], abs=1e-5)
    assert ids[:WORDS] == sorted(tuned_words(tokenizer).values())


def test_nothing_but_the_vectors_is_trained(world: dict[str, Path], tuned: Path) -> None:
    before, after = (load_file(one / "model.safetensors") for one in (world["policy"], tuned))
    known = len(before[BASE])
    heads = after.pop("lm_head.weight")
    assert after[BASE][:known].equal(before[BASE])
    assert len(after[BASE]) == known + WORDS
    assert heads[:known].equal(before[BASE]), "the policy's rows of input and output were one"
    assert all(after[name].equal(before[name]) for name in before if name != BASE)
    assert check_policy(tuned)["vocabulary"] == known + WORDS


@pytest.mark.long
def test_vectors_begin_as_common_words_and_move(
    world: dict[str, Path], tuned: Path, tmp_path: Path
) -> None:
    still = trained(world, tmp_path, "odpo", learning_rate=0.0)
    table = load_file(world["policy"] / "model.safetensors")[BASE]
    begun, ended = (load_file(one / "model.safetensors")[BASE][-WORDS:] for one in (still, tuned))
    assert all(any(row.equal(word) for word in table[5:]) for row in begun), "no control token"
    assert (begun - ended).abs().amax(1).min() > 0.01


@pytest.mark.long
def test_vectors_begin_as_a_text_that_is_said_again(
    world: dict[str, Path], tmp_path: Path
) -> None:
    output = trained(
        world, tmp_path, "odpo", learning_rate=0.0, prompt_text="good answer <|tuned-0|>"
    )
    table = load_file(output / "model.safetensors")[BASE]
    tokenizer = load_tokenizer(world["policy"])
    words = tokenizer.convert_tokens_to_ids(["good", "answer", "<unk>", "good"])
    assert table[-WORDS:].equal(table[words])


def test_a_tuned_word_is_never_sampled(tuned: Path) -> None:
    """At a temperature that makes all tokens alike, by the library and by our sampler."""
    model, tokenizer = plain(tuned)
    words = set(tuned_words(tokenizer).values())
    ids = tokenizer.apply_chat_template(
        ROW[0], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    torch.manual_seed(1)
    found = model.generate(
        **ids, do_sample=True, temperature=100.0, top_k=0, max_new_tokens=20, min_new_tokens=20,
        num_return_sequences=20,
    )  # fmt: skip
    assert not words & set(found[:, ids["input_ids"].shape[1] :].flatten().tolist())
    sampler = Sampler("policy", 20, 5.0, 1.0, 30, 3)
    drawn = LocalBackend(load_policy(tuned), load_tokenizer(tuned)).sample(
        [PromptRecord(0, ROW[0], "")], sampler
    )
    assert not words & {token for one in drawn for token in one.ids}
    assert sum(len(one.ids) for one in drawn) > 100


def test_a_tuned_word_has_less_than_its_share_even_where_nothing_suppresses_it(
    tuned: Path,
) -> None:
    """Whatever was read: its logit is the mean of all others'."""
    model, tokenizer = plain(tuned)
    words = sorted(tuned_words(tokenizer).values())
    read = torch.randint(0, len(tokenizer), (8, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        shares = model(read).logits.softmax(-1)
    assert shares[..., words].max() < 1 / (len(tokenizer) - WORDS)


def test_no_text_spells_a_tuned_word(tuned: Path) -> None:
    tokenizer = load_tokenizer(tuned)
    words = set(tuned_words(tokenizer).values())
    hostile = "<|tuned-0|> so <|tuned-<|tuned-1|>1|>"
    asked = [{"role": "system", "content": hostile}, *tiny.asked(hostile)]
    row = encode_conversation(tokenizer, asked, hostile)
    assert row.ids[:WORDS] == sorted(words)
    assert not words & set(row.ids[WORDS:])


def test_a_long_prompt_keeps_the_tuned_words() -> None:
    tuned = {90, 91}
    assert fit_prompt([90, 91, 1, 2, 3, 4], 6, 2, tuned) == ([90, 91, 3, 4], 2)
    assert fit_prompt([90, 91, 1, 2], 6, 2, tuned) == ([90, 91, 1, 2], 0)
    assert fit_prompt([90, 91, 1, 2, 3], 4, 2, tuned) == ([2, 3], 3), "no room but for them"
    assert fit_prompt([1, 90, 91, 2, 3], 5, 2, tuned) == ([91, 2, 3], 2), "it has no lead"


def test_the_reference_reads_the_bare_prompt(
    world: dict[str, Path], tuned: Path, tmp_path: Path
) -> None:
    """A reference that has no such words says of a row behind them what it says without them."""
    task = Task(
        tiny.open_job(tiny.write_job(tmp_path / "job", "train", {}, {
            "policy": tuned, "reference": world["policy"]
        })), "dpo", METHODS["dpo"][1](), None, 7,  # type: ignore[arg-type]
    )  # fmt: skip
    rows = [encode_conversation(load_tokenizer(one), *ROW) for one in (tuned, world["policy"])]
    with torch.no_grad():
        hidden = completion_logps(task.load_reference(), [rows[0]])
        bare = completion_logps(load_policy(world["policy"]), [rows[1]])
        own = completion_logps(load_policy(tuned), [rows[0]])
        _, kl = logps_and_kl(load_policy(tuned), task.load_reference(), [rows[0]])
        logits = task.load_reference()(input_ids=torch.tensor([rows[0].ids])).logits[:, WORDS:]
        plainly = load_policy(world["policy"])(torch.tensor([rows[1].ids])).logits
    assert (logits[..., :-WORDS] - plainly).abs().max() < 1e-5
    spread = logits.logsumexp(-1) - plainly.logsumexp(-1)  # what its rows for the words take
    taken = spread[0, rows[1].prompt_length - 1 : -1].sum().item()
    assert hidden.item() == pytest.approx(bare.item() - taken, abs=1e-5)
    assert abs(own.item() - bare.item()) > 0.1
    assert kl.item() > 0


@pytest.mark.parametrize(
    "method",
    [pytest.param(m, marks=pytest.mark.long) for m in ("dpo", "kto", "tdpo", "ppo", "grpo")],
)
def test_a_policy_that_starts_as_its_reference_is_not_loaded_twice(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Without its words the policy is the reference: curves as against a second copy of it."""
    copy = tiny.make_policy(tmp_path / "copy")
    other = save(load_file(copy / "model.safetensors"), {"format": "pt", "another": "file"})
    (copy / "model.safetensors").write_bytes(other)
    curves = []
    for name, reference in (("spared", world["policy"]), ("loaded", copy)):
        output = trained({**world, "reference": reference}, tmp_path / name, method)
        curves.append(tiny.metrics_of(output.parent.parent))
    for one, other in zip(*curves, strict=True):
        names = [name for name in ("loss", "kl", "objective/kl") if name in one]
        figures = [{name: row[name] for name in names} for row in (one, other)]
        assert figures[0] == pytest.approx(figures[1], abs=2e-4)


@pytest.mark.long
@pytest.mark.parametrize("adapter", ["none", "lora", "prompt"])
@pytest.mark.parametrize("reference", ["first", "parent"])
@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_a_further_run_begins_from_such_a_policy(
    world: dict[str, Path], tuned: Path, tmp_path: Path, adapter: str, reference: str, method: str
) -> None:
    """Words are added before those that are there; the reference may know the latter or not."""
    inputs = {"policy": tuned, "reference": tuned if reference == "parent" else world["policy"]}
    options = {"adapter": adapter, "learning_rate": 1e-2}
    if adapter != "prompt":
        options["prompt_tokens"] = METHODS[method][1]().prompt_tokens
    output = trained({**world, **inputs}, tmp_path, method, **options)
    model, tokenizer = plain(output)
    words = tuned_words(tokenizer)
    assert len(words) == (2 * WORDS if adapter == "prompt" else WORDS)
    ids = encode_prompt(tokenizer, ROW[0])
    leads = [tokenizer.convert_ids_to_tokens(one) for one in ids[: len(words)]]
    numbers = [*range(WORDS, len(words)), *range(WORDS)] if adapter == "prompt" else range(WORDS)
    assert leads == [f"<|tuned-{number}|>" for number in numbers]
    assert sorted(model.generation_config.suppress_tokens) == sorted(words.values())
    if adapter == "prompt":
        old = load_file(tuned / "model.safetensors")[BASE]
        assert load_file(output / "model.safetensors")[BASE][: len(old)].equal(old)


@pytest.mark.long
@pytest.mark.parametrize("method", ["reward", "regression"])
def test_a_reward_model_trains_its_head_beside_the_vectors(
    world: dict[str, Path], tmp_path: Path, method: str
) -> None:
    output = trained(world, tmp_path, method, epochs=2)
    model = load_reward_model(output)
    table = load_file(output / "model.safetensors")[BASE]
    before = load_file(world["policy"] / "model.safetensors")[BASE]
    assert table[: len(before)].equal(before)
    assert isinstance(model.score, torch.nn.Linear)
    losses = [row["loss"] for row in tiny.metrics_of(output.parent.parent)]
    assert losses[-1] < losses[0]


def test_nothing_of_the_prepared_policy_is_left_behind(tuned: Path) -> None:
    assert not list(tuned.parent.glob(".prompted*"))


def test_a_context_without_room_is_refused(world: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="context of 128 tokens is too short for 120 tuned ones"):
        trained(world, tmp_path, "odpo", prompt_tokens=120)


def test_the_estimate_counts_vectors_and_a_second_table_of_words() -> None:
    model = Dimensions(431_000, 3, 96, 96, 256, 1024)
    found = need("sft", parse("sft", TUNED), model, Load(64))
    vectors = WORDS * 96
    assert found.gradients == 4 * vectors
    assert found.weights == 4 * (431_000 + 1024 * 96 + 2 * vectors)
