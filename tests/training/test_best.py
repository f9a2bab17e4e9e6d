"""The best checkpoint by a named metric is what a run publishes, and waiting for a better one can
end it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.jobdir import BadInput, sha256_of
from tests.training import tiny
from tests.training.nursery import Nursery
from training.best import Best, less_is_better
from training.configs import BadOption, parse

pytestmark = pytest.mark.training

# A rate at which the loss on held-out pairs soon rises again.
QUICK = {"learning_rate": 3e-2, "epochs": 6, "batch_size": 4, "save_every": 2, "panel": 0}
LOOKS = {**QUICK, "eval_every": 2, "best_metric": "eval_loss", "schedule": "constant"}


def looked(metric: str, patience: int, values: list[float]) -> Best:
    """A run that looks at these values, one a step."""
    best = Best(metric, patience, 1)
    for step, value in enumerate(values, start=1):
        best.look(step, {metric: value}, lambda step=step: {"w": torch.tensor(step)})
        if best.gave_up:
            break
    return best


@pytest.mark.parametrize(
    ("metric", "less"),
    [
        ("eval_loss", True),
        ("loss", True),
        ("objective/kl", True),
        ("grad_norm", True),
        ("eval_rewards/accuracies", False),
        ("rewards/margins", False),
        ("objective/scores", False),
    ],
)
def test_the_name_says_which_way_is_better(metric: str, less: bool) -> None:
    assert less_is_better(metric) is less


def test_the_first_of_equals_is_kept_and_what_is_no_number_never() -> None:
    best = looked("eval_loss", 0, [math.nan, 0.5, 0.3, 0.3, 0.4])
    assert (best.step, best.value, int(best.weights["w"])) == (3, 0.3, 3)
    assert looked("rewards/margins", 0, [0.5, 0.3, 0.7]).step == 3


def test_patience_counts_looks_since_the_best_one() -> None:
    best = looked("eval_loss", 2, [0.5, 0.6, 0.4, 0.5, 0.5, 0.1])
    assert (best.step, best.gave_up) == (3, True)
    assert best.said(5, 6) == {
        "best": {"metric": "eval_loss", "step": 3, "value": 0.4, "steps": 6,
                 "ended_early": 5, "patience": 2}
    }  # fmt: skip
    assert looked("eval_loss", 0, [0.1, 0.2, 0.3]).gave_up is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 2}, "waits for best_metric to improve"),
        ({"best_metric": "eval_loss"}, "only with eval_every above 0"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_before_a_run(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadOption, match=words):
        parse("simpo", options)


def test_a_metric_that_a_run_does_not_measure_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no metric named 'f1' .* this run measures .*, loss"):
        tiny.train(tmp_path, "simpo", {**QUICK, "best_metric": "f1"})


METHODS = ("odpo", "reward", "dpo", "sft", "kto")  # of our loop and of TRL's trainers


@pytest.mark.parametrize("method", METHODS)
def test_without_held_out_comparisons_there_is_nothing_to_measure(
    tmp_path: Path, method: str
) -> None:
    records = [row for row in tiny.preference_records() if row.split == "train"]
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", records)
    with pytest.raises(BadInput, match="No held-out comparison"):
        tiny.train(tmp_path, method, {"eval_every": 2}, snapshot=snapshot)
    assert not (tmp_path / "job" / "attempt-1" / "output").exists()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(*METHODS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Held-out pairs that are ordered the other way round: learning makes them worse."""
    root = tmp_path_factory.mktemp("world")
    records = tiny.preference_records(48)
    for record in records:
        if record.split == "heldout":
            record.completions.reverse()
            texts = [one.text for one in reversed(record.completions)]
            for place, text in enumerate(texts):
                object.__setattr__(record.completions[place], "text", text)
    snapshot = tiny.write_snapshot(root / "snapshot", records)
    return {"policy": tiny.make_policy(root / "policy"), "snapshot": snapshot, "root": root}


def job(world: dict[str, Path], name: str, method: str, **options: Any) -> Path:
    inputs = {"policy": world["policy"], "snapshot": world["snapshot"]}
    inputs["reference"] = world["policy"]
    config = {"method": method, "options": {**LOOKS, **options}}
    if method == "reward":
        config["options"].pop("panel")
    return tiny.write_job(world["root"] / name, "train", config, inputs)


def weights(folder: Path, attempt: int = 1) -> str:
    return sha256_of(folder / f"attempt-{attempt}" / "output" / "model.safetensors")


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_the_best_look_is_published_and_the_run_ends_early(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    """Looking changes nothing of the training; what is measured afterwards is of the best look."""
    folder = job(world, f"best-{method}", method, patience=2)
    assert nursery.run(folder) == 0
    said, rows = tiny.result_of(folder)["best"], tiny.metrics_of(folder)
    measured = {row["step"]: row["eval_loss"] for row in rows if "eval_loss" in row}
    assert all(step % 2 == 0 for step in measured)
    assert said["value"] == min(measured.values()) == measured[said["step"]]
    assert said["ended_early"] == rows[-1]["step"] == said["step"] + 4 < said["steps"]
    if method == "reward":
        margins = {row["step"]: row.get("eval_rewards/margins") for row in rows}
        found = tiny.result_of(folder)["metrics"]["margin"]
        assert found == pytest.approx(margins[said["step"]], rel=1e-4)
        assert found != pytest.approx(margins[said["ended_early"]], rel=1e-4)
    whole = job(world, f"whole-{method}", method, best_metric="", patience=0)
    assert nursery.run(whole) == 0
    assert "best" not in tiny.result_of(whole)
    assert weights(whole) != weights(folder)
    seen = {row["step"]: row for row in tiny.metrics_of(whole)}
    assert all(seen[row["step"]] == row for row in rows), "looking changed the training"


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_ends_with_the_same_best(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    whole = job(world, f"calm-{method}", method)
    assert nursery.run(whole) == 0
    folder = job(world, f"killed-{method}", method)
    nursery.killed_then_resumed(folder, after_step=5)
    assert weights(folder, 2) == weights(whole)
    assert tiny.result_of(folder, 2)["best"] == tiny.result_of(whole)["best"]
    assert tiny.joined_metrics(folder) == tiny.joined_metrics(whole)
