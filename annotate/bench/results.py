"""What a benchmark says, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Measured:
    """A figure beside the floor or peer that it was measured against in the same run."""

    name: str
    value: float
    unit: str
    baseline: float

    @property
    def ratio(self) -> float:
        return self.value / self.baseline if self.baseline else float("inf")

    def row(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "ratio": self.ratio, "machine": machine()}


@cache
def machine() -> str:
    """What a figure depends on, without the machine's name."""
    gigabytes = psutil.virtual_memory().total / 2**30
    python = platform.python_version()
    return f"{_processor()}, {psutil.cpu_count()} CPUs, {gigabytes:.0f} GiB, Python {python}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()


HEADINGS = f"{'measured':<44} {'value':>10} {'unit':<13} {'baseline':>10} {'ratio':>7}"


def line(measured: Measured) -> str:
    """One line of the table under HEADINGS."""
    value, baseline = f"{measured.value:.4g}", f"{measured.baseline:.4g}"
    return (
        f"{measured.name:<44} {value:>10} {measured.unit:<13} {baseline:>10} "
        f"{measured.ratio:>7.2f}"
    )


def write(path: Path, measured: Iterable[Measured]) -> None:
    text = json.dumps([one.row() for one in measured], indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")
