"""At every checkpoint a policy answers the same few prompts; training goes on as if it had not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.jobdir import sha256_of
from models_runtime.loading import load_policy, load_tokenizer
from models_runtime.records import Demonstration, Sampler
from tests.training import tiny
from tests.training.nursery import Nursery
from training.panel import FILE, first_prompts, undisturbed
from training.rollouts import backend_of

pytestmark = pytest.mark.training

QUICK = {"learning_rate": 2e-2, "epochs": 2, "batch_size": 8, "save_every": 2}
METHODS = ("odpo", "dpo")  # one of our loop, one of TRL's
STEPS = 6


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(*METHODS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("world")
    snapshot = tiny.write_snapshot(root / "snapshot", tiny.preference_records())
    return {"policy": tiny.make_policy(root / "policy"), "snapshot": snapshot, "root": root}


def job(world: dict[str, Path], name: str, method: str, **options: Any) -> Path:
    inputs = {"policy": world["policy"], "snapshot": world["snapshot"]}
    inputs["reference"] = world["policy"]
    config = {"method": method, "options": {**QUICK, "max_new_tokens": 6, **options}}
    return tiny.write_job(world["root"] / name, "train", config, inputs)


def finished(nursery: Nursery, world: dict[str, Path], method: str, panel: int) -> Path:
    folder = world["root"] / f"{method}-{panel}"
    if not folder.exists():
        assert nursery.run(job(world, folder.name, method, panel=panel)) == 0
    return folder


def shown(folder: Path, attempt: int = 1) -> list[dict[str, Any]]:
    path = folder / f"attempt-{attempt}" / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def weights(folder: Path, attempt: int = 1) -> str:
    return sha256_of(folder / f"attempt-{attempt}" / "output" / "model.safetensors")


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_every_checkpoint_has_the_same_prompts_and_its_own_answers(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    rows = shown(finished(nursery, world, method, 3))
    assert [(row["step"], row["prompt"]) for row in rows] == [
        (step, prompt) for step in (2, 4, STEPS) for prompt in range(3)
    ]
    first = [record.messages for record in tiny.preference_records(3)]
    assert [row["messages"] for row in rows] == first * 3
    assert {row["text"] for row in rows[:3]} != {row["text"] for row in rows[-3:]}


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_the_last_answers_are_those_of_the_published_weights(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    folder = finished(nursery, world, method, 3)
    output = folder / "attempt-1" / "output"
    prompts = first_prompts(tiny.open_job(folder), 3)
    backend = backend_of(load_policy(output), load_tokenizer(output), 3)
    again = backend.sample(prompts, Sampler("policy", 1, 0.0, 1.0, 6))
    assert [row["text"] for row in shown(folder)[-3:]] == [one.text for one in again]


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_a_run_with_a_panel_is_the_same_to_the_byte(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    with_one, without = (finished(nursery, world, method, panel) for panel in (3, 0))
    assert weights(with_one) == weights(without)
    assert tiny.metrics_of(with_one) == tiny.metrics_of(without)
    assert shown(without) == []


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_resumes_to_the_same_weights_and_answers(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    folder = job(world, f"killed-{method}", method, panel=3)
    nursery.killed_then_resumed(folder, after_step=1)
    whole = finished(nursery, world, method, 3)
    assert weights(folder, 2) == weights(whole)
    joined = {(row["step"], row["prompt"]): row for n in (1, 2) for row in shown(folder, n)}
    assert list(joined.values()) == shown(whole)


def test_sampling_in_between_leaves_modes_and_random_numbers_alone(tmp_path: Path) -> None:
    model = load_policy(tiny.make_policy(tmp_path / "policy"), for_training=True).train()
    model.model.layers[0].eval()
    modes = [part.training for part in model.modules()]
    model.generation_config.use_cache = False
    before = torch.get_rng_state()
    with undisturbed(model):
        model.eval()
        model.generation_config.use_cache = True
        torch.rand(3)
    assert [part.training for part in model.modules()] == modes
    assert model.generation_config.use_cache is False
    assert torch.get_rng_state().equal(before)


def test_a_job_without_prompts_asks_the_snapshot_s_each_once(tmp_path: Path) -> None:
    said = [Demonstration(n, tiny.asked(word), "good") for n, word in enumerate("aab")]
    snapshot = tmp_path / "snapshot"
    tiny.write_lines(snapshot / "preferences.jsonl", [])
    tiny.write_lines(snapshot / "demonstrations.jsonl", said)
    folder = tiny.write_job(tmp_path / "job", "train", {}, {"snapshot": snapshot})
    asked = [row.messages for row in first_prompts(tiny.open_job(folder), 4)]
    assert asked == [tiny.asked("a"), tiny.asked("b")]
