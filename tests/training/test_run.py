"""Whole jobs on a tiny random model, each in its own process as the worker starts it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from models_runtime.jobdir import is_complete, sha256_of
from models_runtime.records import jsonl_line
from tests.training import tiny

pytestmark = pytest.mark.training

# Neither a web framework nor a queue may be needed: both imports fail in these processes.
BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "celery", "labeling", "annotate"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
import runpy
runpy.run_module("training.run", run_name="__main__", alter_sys=True)
"""
OPTIONS: dict[str, dict[str, Any]] = {
    "reward": {"learning_rate": 1e-2, "epochs": 4, "batch_size": 4, "save_every": 3},
    "dpo": {"learning_rate": 3e-3, "epochs": 2, "batch_size": 8, "save_every": 3},
    "sft": {"learning_rate": 1e-2, "epochs": 4, "batch_size": 8, "save_every": 3},
    "raft": {
        "optimizer": "sgd",
        "learning_rate": 0.3,
        "epochs": 6,
        "batch_size": 2,
        "save_every": 3,
        "k": 8,
        "max_new_tokens": 24,
    },
}


def start(folder: Path, attempt: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "CONCORD_ATTEMPT": str(attempt)}
    return subprocess.Popen(
        [sys.executable, "-c", BLOCKED, str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, attempt: int = 1) -> int:
    process = start(folder, attempt)
    output, _ = process.communicate(timeout=120)
    if process.returncode:
        sys.stderr.write(output[-3000:])
    return process.returncode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy, a snapshot, prompts, and a reward model trained by a job of its own."""
    root = tmp_path_factory.mktemp("world")
    snapshot = tiny.write_snapshot(root / "snapshot", tiny.preference_records(24, 3))
    demonstrations = [
        {"prompt_id": n, "messages": tiny.asked("say me"), "completion": "the answer is good"}
        for n in range(24)
    ]
    tiny.write_lines(snapshot / "demonstrations.jsonl", demonstrations)
    return {
        "policy": tiny.make_policy(root / "policy"),
        "snapshot": snapshot,
        "prompts": tiny.write_lines(root / "prompts.jsonl", tiny.prompt_records()),
        "root": root,
    }


def job(world: dict[str, Path], name: str, method: str, **options: Any) -> Path:
    inputs = {key: world[key] for key in ("policy", "snapshot", "prompts")}
    inputs["reference"] = world["policy"]
    if method == "raft":
        inputs["reward_model"] = finished(world, "reward") / "attempt-1" / "output"
    config = {"method": method, "options": {**OPTIONS[method], **options}, "select": {}}
    return tiny.write_job(world["root"] / name, "train", config, inputs)


def finished(world: dict[str, Path], method: str) -> Path:
    """The uninterrupted run of a method, once for all the tests."""
    folder = world["root"] / f"whole-{method}"
    if not folder.exists():
        assert run(job(world, f"whole-{method}", method)) == 0
    return folder


@pytest.mark.parametrize("method", OPTIONS)
def test_a_run_moves_the_weights_lowers_the_loss_and_publishes(
    world: dict[str, Path], method: str
) -> None:
    folder = finished(world, method)
    output = folder / "attempt-1" / "output"
    assert is_complete(output)
    before = load_file(world["policy"] / "model.safetensors")
    after = load_file(output / "model.safetensors")
    moved = [name for name in before if name in after and not before[name].equal(after[name])]
    assert len(moved) >= len(after) - 2
    rows = tiny.metrics_of(folder)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert sum(r["loss"] for r in rows[-3:]) < sum(r["loss"] for r in rows[:3])
    resolved = json.loads((folder / "attempt-1" / "config.json").read_text())
    assert resolved["options"]["weight_decay"] is not None
    assert json.loads((output / "training.json").read_text()) == resolved


def test_the_reward_model_learns_planted_preferences(world: dict[str, Path]) -> None:
    folder = finished(world, "reward")
    metrics = tiny.result_of(folder)["metrics"]
    assert metrics["accuracy"] > 0.9
    assert tiny.result_of(folder)["rows"] == 60  # 20 training prompts of three pairs
    lines = (folder / "attempt-1/output/heldout.jsonl").read_text().splitlines()
    assert len(lines) == metrics["n"] == 12
    assert {json.loads(line)["strength"] for line in lines} == {"better", "negligibly"}


def test_dpo_starts_at_log_2_and_separates_the_pairs(world: dict[str, Path]) -> None:
    rows = tiny.metrics_of(finished(world, "dpo"))
    assert rows[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert rows[-1]["rewards/margins"] > rows[1]["rewards/margins"]
    assert rows[-1]["rewards/accuracies"] > 0.9


def test_raft_trains_on_the_best_sample_of_every_prompt(world: dict[str, Path]) -> None:
    folder = finished(world, "raft")
    result = tiny.result_of(folder)
    assert result["metrics"]["reward/kept"] > result["metrics"]["reward/sampled"]
    lines = (folder / "attempt-1/output/best.jsonl").read_text().splitlines()
    assert len({json.loads(line)["prompt_id"] for line in lines}) == len(lines) == result["rows"]


def test_the_best_of_earlier_iterations_compete_again(world: dict[str, Path]) -> None:
    good = {
        "prompt_id": 0,
        "item": "item 0",
        "messages": tiny.asked("say the"),
        "completion": "the answer is good good good so",
        "reward": -9.0,
    }
    inputs = {key: world[key] for key in ("policy", "prompts")}
    inputs["reward_model"] = finished(world, "reward") / "attempt-1" / "output"
    inputs["earlier"] = world["root"] / "earlier.jsonl"
    inputs["earlier"].write_text(jsonl_line(good))
    config = {"method": "raft", "options": {**OPTIONS["raft"], "epochs": 1}}
    folder = tiny.write_job(world["root"] / "earlier", "train", config, inputs)
    assert run(folder) == 0
    assert tiny.result_of(folder)["metrics"]["kept_from_earlier"] == 1


def killed_then_resumed(folder: Path, after_step: int) -> None:
    """SIGKILL as soon as a checkpoint beyond after_step is complete, then a second attempt."""
    process = start(folder, 1)
    checkpoints = folder / "attempt-1" / "checkpoints"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        names = [path.name for path in checkpoints.glob("step-*")]
        if any(int(name.removeprefix("step-")) > after_step for name in names):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    process.communicate()
    assert run(folder, attempt=2) == 0


@pytest.mark.long
@pytest.mark.parametrize("method", OPTIONS)
def test_a_killed_run_resumes_bit_for_bit(world: dict[str, Path], method: str) -> None:
    whole = finished(world, method)
    folder = job(world, f"killed-{method}", method)
    killed_then_resumed(folder, after_step=2)
    attempts = [json.loads((folder / f"attempt-{n}/config.json").read_text()) for n in (1, 2)]
    assert attempts[0] == attempts[1]
    weights = [
        sha256_of(path / "output" / "model.safetensors")
        for path in (whole / "attempt-1", folder / "attempt-2")
    ]
    assert weights[0] == weights[1]
    assert tiny.joined_metrics(folder) == tiny.joined_metrics(whole)
    first = tiny.metrics_of(folder, 2)[0]["step"]
    assert first > 1, "the second attempt began from the start"


@pytest.mark.long
@pytest.mark.parametrize("method", ["reward", "dpo"])
def test_eight_micro_batches_of_one_equal_one_batch_of_eight(
    world: dict[str, Path], method: str
) -> None:
    changed = {"batch_size": 8, "epochs": 1, "save_every": 100}
    whole = job(world, f"whole-batch-{method}", method, **changed)
    parts = job(world, f"micro-batch-{method}", method, **changed, micro_batch_size=1)
    assert run(whole) == run(parts) == 0
    for one, other in zip(tiny.metrics_of(whole), tiny.metrics_of(parts), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-3)


def test_a_request_to_stop_checkpoints_and_asks_to_be_queued_again(
    world: dict[str, Path],
) -> None:
    folder = job(world, "stopped", "reward", epochs=100, save_every=100000)
    process = start(folder, 1)
    while process.poll() is None and not (folder / "attempt-1" / "metrics.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    (checkpoint,) = (folder / "attempt-1" / "checkpoints").glob("step-*")
    assert is_complete(checkpoint)
    assert checkpoint.name == f"step-{tiny.metrics_of(folder)[-1]['step']}"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"method": "dpo", "options": {"betta": 1}}, "dpo has no option named 'betta'"),
        ({"method": "alchemy"}, "no training method named 'alchemy'"),
        ({"method": "reward", "select": {"iteration": -1, "fold": "judge"}}, "no comparison"),
        ({"method": "reward", "options": {"max_length": 8}}, "No row is left to train on (60 too"),
    ],
)
def test_a_run_that_cannot_be_ends_with_one_sentence(
    world: dict[str, Path], config: dict, words: str, tmp_path: Path
) -> None:
    inputs = {key: world[key] for key in ("policy", "snapshot")}
    folder = tiny.write_job(tmp_path / "bad", "train", config, inputs)
    assert run(folder) == 64
    sentence = json.loads((folder / "attempt-1" / "error.json").read_text())["sentence"]
    assert words in sentence
    assert sentence.endswith(".")
    assert not (folder / "attempt-1" / "output").exists()
