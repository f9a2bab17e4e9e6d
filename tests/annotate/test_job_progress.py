"""What a job's bar says: what is made, and how long this phase of it may still take."""

from __future__ import annotations

from typing import Any

import pytest

from annotate import job_bars
from annotate.templatetags.concord import check_value, decimal
from models_runtime.models import Job


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the bars see; tests move them on."""
    now = [100.0]
    monkeypatch.setattr(job_bars.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(job_bars, "_phases", {})
    return now


def left(done: int, unit: str, *, attempt: int = 1) -> float | None:
    progress: dict[str, Any] = {"done": done, "total": 100, "unit": unit}
    job = Job(pk=7, kind="train", state="running", attempt=attempt, progress=progress)
    found: float | None = job_bars.progress_of(job)["left"]
    return found


def test_the_time_left_is_by_the_speed_of_this_phase_alone(clock: list[float]) -> None:
    assert left(10, "sampled prompts") is None, "nothing moved since it was first looked at"
    clock[0] += 10
    assert left(30, "sampled prompts") == pytest.approx(35.0)  # 20 in 10 s, 70 to go
    clock[0] += 60
    assert left(4, "steps") is None, "how long sampling took says nothing about steps"
    clock[0] += 2
    assert left(24, "steps") == pytest.approx(7.6)


def test_another_attempt_begins_its_own_measure(clock: list[float]) -> None:
    left(10, "steps")
    clock[0] += 600
    assert left(60, "steps", attempt=2) is None
    clock[0] += 4
    assert left(80, "steps", attempt=2) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("kind", "config", "title"),
    [
        ("train", {"method": "reward"}, "Training: reward model"),
        ("train", {"method": "raft"}, "Training: policy, RAFT"),
        ("train", {"method": "distil"}, "Training: policy, Context distillation"),
        ("train", {"method": "regression"}, "Training: reward model"),
        ("sample", {}, "Sampling answers"),
    ],
)
def test_a_bar_says_what_is_made(kind: str, config: dict[str, Any], title: str) -> None:
    assert job_bars.progress_of(Job(kind=kind, state="queued", config=config))["title"] == title


def test_figures_have_a_zero_before_the_point_and_no_signed_zero() -> None:
    assert [decimal(0.481, 1), decimal(-0.25), decimal(-0.001)] == ["0.5", "−0.25", "0.00"]
    points = {"form": "points"}
    shown = [check_value({**points, "value": value}) for value in (-0.0004, 0.0004, 0.11, -0.11)]
    assert shown == ["0 points", "0 points", "+11 points", "−11 points"]
