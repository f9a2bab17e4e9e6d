"""A finished job says which accelerators it held, for what its training cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training import tiny
from training.configs import Selection, parse
from training.task import Task

pytestmark = pytest.mark.training


def finished(folder: Path) -> dict[str, object]:
    root = tiny.write_job(folder / "job", "train", {}, {})
    Task(tiny.open_job(root), "dpo", parse("dpo", {}), Selection(), 7).finish({}, 1, 0)
    return tiny.result_of(root)


def test_accelerators_are_named_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert finished(tmp_path)["device"] == {"name": "a card", "count": 2}


def test_a_cpu_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "device" not in finished(tmp_path)
