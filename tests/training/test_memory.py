"""What a run will need of memory is said before it starts, and one that cannot fit is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from models_runtime.jobdir import BadInput, explain
from models_runtime.loading import (
    load_reward_model,
    load_tokenizer,
    save_policy,
    save_reward_model,
)
from models_runtime.records import Message, Preference, PreferenceRecord, SnapshotCompletion
from tests.models_runtime.tiny import DEMO_POLICY
from tests.training import tiny
from tests.training.test_run import run
from training import headroom, usage
from training.configs import Selection, parse
from training.headroom import dimensions_in
from training.memory import FACTOR, LIBRARIES, Dimensions, Load, advice, need, shown
from training.task import Task

pytestmark = pytest.mark.training

MODEL = Dimensions(parameters=1000, layers=2, hidden=10, keys=5, inner=20, vocabulary=50)


def memory_of(folder: Path) -> dict[str, int]:
    told: dict[str, int] = json.loads((folder / "attempt-1" / "memory.json").read_text())
    return told


def needed(method: str, load: Load, model: Dimensions = MODEL, **options: Any) -> Any:
    return need(method, parse(method, options), model, load)


def test_the_formula_by_hand() -> None:
    """Saved a token and layer: 12 x 10 + 4 x 5 + 4 x 20 = 220. Two layers and three numbers a
    word: 4 x (440 + 150) = 2,360 bytes a token; of 3 pairs that are 6 rows of 7 tokens."""
    found = needed("simpo", Load(7), batch_size=3)
    assert (found.weights, found.gradients, found.optimizer, found.beside) == (4000, 4000, 8000, 0)
    assert (found.rows, found.activations) == (6, 6 * 7 * 2360)
    assert found.total == 16_000 + LIBRARIES + 6 * 7 * 2360
    assert needed("simpo", Load(7), batch_size=3, optimizer="sgd").optimizer == 4000
    assert needed("simpo", Load(7), batch_size=4, micro_batch_size=1).rows == 2
    assert needed("reward", Load(7, answers=9), batch_size=4).rows == 36


def test_models_held_beside_count() -> None:
    assert needed("dpo", Load(7)).beside == 4000
    assert needed("grpo", Load(7, scorers=(300, 500))).beside == 4000 + 4 * 800
    ppo = needed("ppo", Load(7))
    assert (ppo.weights, ppo.gradients, ppo.beside) == (8000, 8000, 4000)
    assert needed("ppo", Load(7), value="shared").weights == 4000


def test_a_value_model_of_its_own_keeps_as_much_again() -> None:
    one, both = (
        needed("ppo", Load(7), batch_size=1, value=value, sampling_batch=1)
        for value in ("shared", "separate")
    )
    assert both.activations - one.activations == 7 * 4 * 2 * 220


def test_what_processes_divide_each_of_them_needs_less_of() -> None:
    """1000 parameters in 2 layers, 4 processes of a batch of 8 pairs: 2 pairs each."""
    alone = needed("dpo", Load(7), batch_size=8)
    assert (alone.weights, alone.gradients, alone.optimizer, alone.beside) == (
        4000,
        4000,
        8000,
        4000,
    )

    def shared(how: str) -> Any:
        return needed("dpo", Load(7, processes=4, how=how), batch_size=8)

    found = {how: shared(how) for how in ("ddp", "zero2", "zero3", "fsdp")}
    assert {how: one.rows for how, one in found.items()} == dict.fromkeys(found, 4)
    parts = {h: (n.weights, n.gradients, n.optimizer, n.beside) for h, n in found.items()}
    assert parts == {
        "ddp": (4000, 4000, 8000, 4000),
        "zero2": (4000, 1000, 2000, 4000),
        "zero3": (1000 + 2000, 1000, 2000, 1000),
        "fsdp": (1000 + 2000, 1000, 2000, 1000),
    }
    assert {how: one.loading for how, one in found.items()} == {
        "ddp": 0, "zero2": 0, "zero3": 8000, "fsdp": 8000
    }  # fmt: skip


def test_a_model_that_is_divided_has_to_be_loaded_whole_first() -> None:
    large = Dimensions(10**9, layers=20, hidden=10, keys=5, inner=20, vocabulary=50)
    found = needed(
        "dpo", Load(7, accelerator=True, processes=64, how="fsdp"), large, batch_size=64
    )
    assert found.total == found.least == 8 * 10**9


def test_an_adapter_trains_little_and_needs_no_second_copy() -> None:
    """Rank 3, two layers: 3 x (2 x 20 + 2 x 15 + 3 x 30) x 2 = 960."""
    found = needed("dpo", Load(7), adapter="lora", lora_rank=3)
    assert (found.weights, found.gradients, found.optimizer) == (4 * 1960, 4 * 960, 8 * 960)
    assert found.beside == 0


def test_the_library_s_trainers_keep_less_on_an_accelerator() -> None:
    """A layer's input is kept, 10 numbers of 2 bytes, and one layer's all: 2 x (20 + 220)."""
    found = needed("sft", Load(7, accelerator=True), batch_size=1)
    assert found.activations == 7 * (2 * 240 + 4 * 150)
    assert found.weights == 4000 + 2000
    assert found.libraries == 0


def test_dimensions_are_read_from_the_folder() -> None:
    found = dimensions_in(DEMO_POLICY)
    assert (found.layers, found.hidden, found.inner, found.vocabulary) == (3, 96, 256, 1024)
    assert found.parameters == pytest.approx(431_000, rel=0.01)
    with pytest.raises(ValueError, match="how wide and deep"):
        Dimensions.of({"vocab_size": 10}, 5)


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (30_000, "set micro_batch_size to 2"),
        (23_000, "set micro_batch_size to 1"),
        (18_000, "choose the adapter lora, and set micro_batch_size to 1"),
        (1_000, "choose a smaller model, or a machine with more memory"),
    ],
)
def test_the_first_change_that_makes_it_fit_is_named(room: int, said: str) -> None:
    model = Dimensions(parameters=1000, layers=1, hidden=4, keys=4, inner=4, vocabulary=50)
    config = parse("sft", {"batch_size": 4})
    assert advice("sft", config, model, Load(7), LIBRARIES + room) == said


def test_bytes_are_said_for_people() -> None:
    said = [shown(number) for number in (0, 999, 1500, 3_210_000_000)]
    assert said == ["0 B", "999 B", "1.5 kB", "3.21 GB"]


@pytest.mark.parametrize(("method", "answers"), [("reward", 3), ("dpo", 1)])
def test_the_longest_row_is_found_whatever_ends_its_lines(
    tmp_path: Path, method: str, answers: int
) -> None:
    """<user> tell me WORD <assistant>, nine words with a line end of Unicode's, and the end."""
    records = tiny.preference_records(20) + tiny.preference_records(1, answers=3)
    longest = SnapshotCompletion(999, "very very very\u2028very very very\x85very very very", "c")
    records[7] = replace(records[7], completions=[longest, records[7].completions[1]])
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", records)
    given = {"policy": tiny.make_policy(tmp_path / "policy"), "snapshot": snapshot}
    job = tiny.open_job(tiny.write_job(tmp_path / "job", "train", {}, given))
    found = headroom.load_of(Task(job, method, parse(method, {}), Selection(), 7))
    assert (found.length, found.answers) == (5 + 9 + 1, answers)


def test_no_more_texts_are_kept_than_are_looked_at() -> None:
    looked_at: list[str] = []

    class Letters:
        max_length = 0

        def encode(self, messages: list[Message], text: str) -> None:
            looked_at.append(text)

    tracemalloc.start()
    rows = ((tiny.asked("say"), [f"{n:04}" * 5000]) for n in range(1000))
    headroom.longest(rows, Letters())  # type: ignore[arg-type]  # as much as it asks for
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(looked_at) == headroom.LOOKED_AT
    assert peak < 2_000_000  # all are 20 MB


def test_a_run_that_cannot_fit_is_refused_before_it_loads_a_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headroom, "free_bytes", lambda: 50_000_000)
    with pytest.raises(BadInput) as refused:
        tiny.train(tmp_path, "sft", {"max_new_tokens": 8})
    said = str(refused.value)
    assert said.startswith("The run would need about 6")
    assert "50 MB is free: weights" in said
    assert "To make it fit, choose a smaller model, or a machine with more memory" in said
    assert not (tmp_path / "job" / "attempt-1" / "metrics.jsonl").exists()


def test_who_knows_better_may_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headroom, "free_bytes", lambda: 100_000_000)
    options = {"max_new_tokens": 8, "check_memory": False, "batch_size": 8}
    folder = tiny.train(tmp_path, "sft", options)
    told = memory_of(folder)
    assert told["free"] == 100_000_000
    assert told["estimated"] > LIBRARIES
    assert told["peak"] >= told["before"] > 0


@pytest.mark.parametrize(
    ("kinds", "names"), [("", usage.V2), ("memory", usage.V1)], ids=["version 2", "version 1"]
)
def test_a_control_group_s_limit_counts(
    tmp_path: Path, kinds: str, names: tuple[str, str, str]
) -> None:
    told = tmp_path / "cgroup"
    told.write_text(f"7:cpu:/elsewhere\n4:{kinds}:/outer/inner\n")
    for group, limit, used in (("outer/inner", "max", 700), ("outer", "1000", 800)):
        folder = tmp_path / kinds / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / names[0]).write_text(f"{limit}\n")
        (folder / names[1]).write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\n{names[2]} 50\n")
    assert list(usage.left_to_groups(tmp_path, told)) == [250]
    assert list(usage.left_to_groups(tmp_path, tmp_path / "absent")) == []


def test_what_runs_out_all_the_same_ends_in_a_sentence(tmp_path: Path) -> None:
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        status, said = explain(error, tmp_path)
        assert status == 64
        assert said.startswith("The job did not fit into memory: use a smaller batch")


def random_policy(folder: Path) -> Path:
    """21 million parameters."""
    tokenizer = tiny.make_tokenizer()
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    save_policy(LlamaForCausalLM(config), tokenizer, folder)
    return folder


def long_records(count: int, words: int) -> list[PreferenceRecord]:
    vocabulary = tiny.WORDS.split()
    records = []
    for number in range(count):
        texts = [
            " ".join(vocabulary[(number + 3 * side + place) % 20] for place in range(words))
            for side in range(2)
        ]
        records.append(
            PreferenceRecord(
                number, number, 0, f"item {number}", "train", "policy", tiny.asked("say"),
                [SnapshotCompletion(10 * number + i, t, "c", "eos") for i, t in enumerate(texts)],
                [Preference(10 * number, 10 * number + 1, "better")],
            )
        )  # fmt: skip
    return records


# Batches of six answers of a hundred words, as the snapshot's pairs are.
ONE_BATCH: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("ppo", "ppo_ptx"), {"rounds": 2, "rollouts": 6, "sampling_batch": 6, "ptx_ratio": 2}
    ),
    **dict.fromkeys(("grpo", "rloo"), {"k": 2}),
    "kto": {"learn_from": "pairs"},
}
WORDS = 100


def job_of(folder: Path, method: str, model: Path, options: dict[str, Any]) -> Path:
    """A run on twelve pairs of long answers, or on its own as long ones, rewarded by a model."""
    snapshot = tiny.write_snapshot(folder / "snapshot", long_records(12, WORDS))
    inputs = {"policy": model, "reference": model, "snapshot": snapshot}
    told = {"epochs": 1, "batch_size": 6, "max_new_tokens": 8, "panel": 0, **options}
    if hasattr(parse(method, {}), "reward"):
        judge = folder / "judge"
        if not judge.exists():
            save_reward_model(load_reward_model(model), load_tokenizer(model), judge)
        prompts = tiny.write_lines(folder / "prompts.jsonl", tiny.prompt_records(6))
        inputs |= {"prompts": prompts, "reward_model": judge}
        told |= {"max_new_tokens": WORDS}
        told |= {"guard": "warn"} if hasattr(parse(method, {}), "guard") else {}
    told |= ONE_BATCH.get(method, {})
    config = {"method": method, "options": told}
    return tiny.write_job(folder / "job", "train", config, inputs)


PEAK_OF_A_CHILD = """
import subprocess, sys
large = b"x" * 1_500_000_000
say = "from training.usage import peak; print(peak())"
subprocess.run([sys.executable, "-c", say], check=True)
"""


@pytest.mark.long
def test_a_peak_is_not_that_of_who_started_the_process() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PEAK_OF_A_CHILD], capture_output=True, text=True, check=True
    )
    assert 0 < int(said.stdout) < 1_000_000_000


MEASURED = ("sft", "simpo", "dpo", "kto", "ppo", "ppo_ptx", "grpo", "rloo")


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "method"),
    [(policy, method) for policy in ("the demo's", "random") for method in MEASURED],
)
def test_the_estimate_is_within_its_factor_of_what_was_measured(
    tmp_path: Path, policy: str, method: str
) -> None:
    """A process of its own each: a peak is a process's."""
    model = DEMO_POLICY if policy == "the demo's" else random_policy(tmp_path / "policy")
    folder = job_of(tmp_path, method, model, {})
    assert run(folder) == 0, (folder / "attempt-1" / "error.json").read_text()
    told = memory_of(folder)
    ratio = told["estimated"] / (told["peak"] - told["before"])
    assert 1 / FACTOR <= ratio <= FACTOR, f"{ratio:.2f}"
