"""What is free of the memory that a run computes in, and what this process has of it (tensor
side): the accelerator's, or without one this machine's, as far as its control groups allow."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
OWN_STATUS = Path("/proc/self/status")
# (limit, used, what of that only caches files) as version 2 and version 1 of the groups name them.
V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def free_bytes() -> int:
    """What may still be taken."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    available = int(psutil.virtual_memory().available)
    return min([available, *left_to_groups(GROUPS, OWN_GROUPS)])


def in_use() -> int:
    """What this process has."""
    if torch.cuda.is_available():
        return int(torch.cuda.memory_allocated())
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """The most that it ever had.

    Linux's own figure of getrusage is no less than what the process that started this one had.
    """
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if OWN_STATUS.is_file():
        fields = (line.split() for line in OWN_STATUS.read_text(encoding="ascii").splitlines())
        return next(int(found[1]) * 1024 for found in fields if found[:1] == ["VmHWM:"])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def left_to_groups(root: Path, told: Path) -> Iterator[int]:
    """What each control group that this process is in may still take. Pages that only cache files
    are given back when they are asked for, so they count as free."""
    lines = told.read_text(encoding="ascii").splitlines() if told.is_file() else []
    for _, kinds, path in (line.split(":", 2) for line in lines):
        if kinds not in ("", "memory"):
            continue
        names = V1 if kinds else V2
        for folder in _upwards(root / kinds, path):
            limit, used = _number(folder / names[0]), _number(folder / names[1])
            if limit is not None and used is not None:
                yield max(0, limit - used + _stated(folder / "memory.stat", names[2]))


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """The group's folder and those above it; in a container only the top may be there."""
    below = Path(path.strip("/"))
    for part in dict.fromkeys((below, *below.parents)):
        yield top / part


def _number(path: Path) -> int | None:
    """None for a file that is not there, or says that there is no limit."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _stated(path: Path, name: str) -> int:
    try:
        rows = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
        return int(rows.get(name, 0))
    except (OSError, ValueError):
        return 0
