"""The guards of methods that do not sample while they train: measured on a few prompts at every
checkpoint, held against limits, and without a trace in what is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput, JobDir, Stopped, sha256_of
from models_runtime.phrases import restored
from tests.training import tiny
from training import run
from training.configs import METHODS, parse
from training.configs.watching import Guarded
from training.run_guards import CHOSEN, LENGTH, START_KL, VALID

pytestmark = pytest.mark.training

QUICK: dict[str, Any] = {"learning_rate": 2e-2, "batch_size": 8, "max_new_tokens": 4, "panel": 0}
POLICIES = [name for name in METHODS if name not in ("reward", "regression")]
NOTHING_HELD = {"guard_kl": 0.0, "guard_valid_text": 1.0}  # which a policy that learns breaks


def weights(folder: Path, attempt: int = 1) -> str:
    return sha256_of(folder / f"attempt-{attempt}" / "output" / "model.safetensors")


@pytest.mark.parametrize("method", POLICIES)
def test_every_method_that_makes_a_policy_has_the_same_limits(method: str) -> None:
    config = parse(method, {"guard": "stop", "guard_kl": 3.0, "guard_valid_text": 0.9})
    assert isinstance(config, Guarded)
    assert (config.guard_length_growth, config.guard_chosen) == (2.0, 1.0)


@pytest.mark.long
@pytest.mark.parametrize(
    "method", ["sft", "dpo", "kto", "odpo", "simpo", "rrhf", "pro", "conditional", "hindsight"]
)
def test_figures_stand_at_checkpoints_and_at_the_end(tmp_path: Path, method: str) -> None:
    folder = tiny.train(tmp_path, method, {**QUICK, "save_every": 2})
    rows = tiny.metrics_of(folder)
    looked = [row["step"] for row in rows if VALID in row]
    assert looked == sorted({*range(2, len(rows) + 1, 2), len(rows)})
    for row in (row for row in rows if VALID in row):
        assert row[CHOSEN] < 0 < row[LENGTH]
        assert isinstance(row[START_KL], float)


@pytest.mark.long
def test_between_checkpoints_they_are_measured_as_often_as_is_asked(tmp_path: Path) -> None:
    folder = tiny.train(tmp_path, "odpo", {**QUICK, "guard_every": 1})
    assert all(START_KL in row for row in tiny.metrics_of(folder))


@pytest.mark.long
@pytest.mark.parametrize("method", ["dpo", "simpo"])
def test_beyond_a_limit_a_run_stops_and_leaves_its_figures_but_no_policy(
    tmp_path: Path, method: str
) -> None:
    options = {**QUICK, "guard": "stop", "guard_kl": 0.0, "guard_valid_text": -1.0}
    with pytest.raises(BadInput, match=r"nats an answer from where training began; at most 0\.0"):
        tiny.train(tmp_path, method, options)
    folder = tmp_path / "job"
    assert tiny.metrics_of(folder)[-1][START_KL] > 0
    assert not (folder / "attempt-1" / "output").exists()


@pytest.mark.long
def test_a_warned_run_says_so_and_an_unwatched_one_ends_with_the_same_weights(
    tmp_path: Path,
) -> None:
    warned = tiny.train(tmp_path / "warned", "simpo", {**QUICK, **NOTHING_HELD})
    unwatched = tiny.train(tmp_path / "off", "simpo", {**QUICK, **NOTHING_HELD, "guard": "off"})
    said = tiny.result_of(warned)["metrics"]["train"]
    assert said["warnings"] == 2
    assert "valid text" in restored(said["last_warning"])
    assert "warnings" not in tiny.result_of(unwatched)["metrics"]["train"]
    assert weights(warned) == weights(unwatched)


@pytest.mark.long
@pytest.mark.parametrize("method", ["simpo", "dpo"])
def test_a_run_that_goes_on_measures_from_its_start_and_keeps_its_warnings(
    tmp_path: Path, method: str
) -> None:
    options = {**QUICK, **NOTHING_HELD, "epochs": 2, "save_every": 2}
    whole = tiny.train(tmp_path / "whole", method, options)
    folder = tmp_path / "parts" / "job"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Stopped):
            tiny.train(tmp_path / "parts", method, options)
    job = tiny.open_job(folder, attempt=2)
    run.train(job, {"config": {"method": method, "options": options}, "seed": 7})
    assert tiny.joined_metrics(folder) == tiny.joined_metrics(whole)
    assert weights(folder, 2) == weights(whole)
    told, again = (tiny.result_of(*one)["metrics"]["train"] for one in ((whole,), (folder, 2)))
    assert again == told
    assert told["warnings"] > 2


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model of three heads."""
    folder = tmp_path_factory.mktemp("ensemble")
    options = {"learning_rate": 2e-2, "batch_size": 8, "heads": 3}
    return tiny.train(folder, "reward", options) / "attempt-1" / "output"


@pytest.mark.long
@pytest.mark.parametrize("method", ["raft", "distil", "ppo", "rloo"])
def test_heads_that_disagree_too_far_end_a_run_by_their_rewards(
    tmp_path: Path, ensemble: Path, method: str
) -> None:
    options = {
        "raft": {"k": 4, "batch_size": 4},
        "distil": {"mined": 1.0, "k": 8, "batch_size": 4},
        "ppo": {"rounds": 1, "rollouts": 4, "batch_size": 4},
        "rloo": {"batch_size": 8, "k": 4},
    }[method]
    held = {"guard_disagreement": 0.0, "guard_valid_text": -1.0, "guard": "stop"}
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records())
    inputs = {"prompts": prompts, "reward_model": ensemble, "safety_model": ensemble}
    with pytest.raises(BadInput, match=r"differ by a standard deviation of \d+\.\d\d; at most 0"):
        tiny.train(tmp_path, method, {**options, **held, "max_new_tokens": 24}, **inputs)
    assert not (tmp_path / "job" / "attempt-1" / "output").exists()


def stop_after(patch: pytest.MonkeyPatch, step: int) -> None:
    """The worker asks a run for its end while it logs this step."""
    log = JobDir.log_metrics

    def logged(self: JobDir, done: int, **values: Any) -> None:
        log(self, done, **values)
        if done == step:
            self.stop_requested.set()

    patch.setattr(JobDir, "log_metrics", logged)
