"""A run that asks for TensorBoard's event files writes its metrics there too; where the package is
missing it says so and trains nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from tests.training import tiny
from training.event_files import WRITER

pytestmark = pytest.mark.training

QUICK = {"learning_rate": 3e-3, "batch_size": 8, "panel": 0}


class Writer:
    """Stands in for the package's own."""

    made: list[Writer]

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir
        self.seen: list[tuple[str, float, int]] = []
        self.flushed = 0
        Writer.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.seen.append((name, value, step))

    def flush(self) -> None:
        self.flushed += 1


@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_every_metric_goes_into_the_attempt_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    module: Any = ModuleType(WRITER)
    module.SummaryWriter, Writer.made = Writer, []
    monkeypatch.setitem(sys.modules, WRITER, module)
    folder = tiny.train(tmp_path, method, {**QUICK, "tensorboard": True})
    (writer,) = Writer.made
    assert writer.log_dir == str(folder / "attempt-1" / "tensorboard")
    rows = tiny.metrics_of(folder)
    assert writer.flushed == len(rows)
    assert sorted(writer.seen) == sorted(
        (name, value, row["step"])
        for row in rows
        for name, value in row.items()
        if name != "step" and isinstance(value, int | float)
    )


def test_without_the_package_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, WRITER, None)
    with pytest.raises(BadInput, match="TensorBoard is not installed where this job ran"):
        tiny.train(tmp_path, "odpo", {**QUICK, "tensorboard": True})
    assert not (tmp_path / "job" / "attempt-1" / "metrics.jsonl").exists()


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    folder = tiny.train(tmp_path, "odpo", QUICK)
    assert not (folder / "attempt-1" / "tensorboard").exists()
