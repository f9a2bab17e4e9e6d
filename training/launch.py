"""The job entry ``python -m training.launch DIR HOW PROCESSES``: training.run in several
processes, one an accelerator, which accelerate starts and binds together.

HOW names a file of training/launch_files: ddp, fsdp, zero2 or zero3. PROCESSES 0 is as many as
there are accelerators. This process holds the worker's leash; the others die with it. Of them the
first alone writes to the job directory (jobdir.JobDir.rank), and what ended each of them is in
attempt-N/ranks. Each takes its share of a batch; where the last one of a pass cannot be shared out
it is filled up with rows from the beginning. Methods outside configs.TOGETHER run in one process,
as training.run alone would, and the log says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from models_runtime.jobdir import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_NO_SPACE,
    EXIT_RETRY,
    LAUNCHED,
    RANKS,
    JobDir,
)
from training.configs import TOGETHER
from training.memory import SHARED

FILES = Path(__file__).parent / "launch_files"
WHY = f"only {', '.join(TOGETHER)} can share a batch among several"
# What one process says counts for all, in this order: others only end because it did.
WORST_FIRST = (EXIT_BAD_INPUT, EXIT_NO_SPACE, EXIT_FAILED, EXIT_RETRY)


def main() -> int:
    """The status of the job: of the process that ended it."""
    folder, how, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    count = processes or _accelerators()
    method = _method(Path(folder))
    if count < 2 or method not in TOGETHER:
        if count > 1:
            sys.stdout.write(f"{method} trains in one process, not in {count}: {WHY}.\n")
            sys.stdout.flush()  # execv keeps what is written, not what waits to be
        alone = [sys.executable, "-m", "training.run", folder]
        os.execv(sys.executable, alone)  # the leash, the log and the process's number stay
    job = JobDir.open(folder)
    ranks = job.folder / RANKS
    ranks.mkdir(exist_ok=True)
    started = subprocess.Popen(
        command(Path(folder), how, count),
        stdin=subprocess.DEVNULL,
        env={**os.environ, LAUNCHED: "1", SHARED: how, "CONCORD_PARENT": "0"},
        preexec_fn=_dies_with_us,
    )
    told = False
    while started.poll() is None:
        if job.stop_requested.is_set() and not told:
            told = True
            started.terminate()  # which it passes on to each
        time.sleep(0.1)
    return status_of(ranks, count)


def command(folder: Path, how: str, processes: int) -> list[str]:
    """accelerate's command line."""
    return [
        sys.executable, "-m", "accelerate.commands.launch",
        "--config_file", str(FILES / f"{how}.yaml"),
        "--num_processes", str(processes),
        "--main_process_port", str(_free_port()),
        "-m", "training.run", str(folder),
    ]  # fmt: skip


def status_of(ranks: Path, processes: int) -> int:
    """0 where all of them are done; else the worst that one said, or that one was lost."""
    said = []
    for rank in range(processes):
        with contextlib.suppress(OSError, ValueError):
            said.append(int((ranks / str(rank)).read_text(encoding="ascii")))
    found = [status for status in WORST_FIRST if status in said]
    if found:
        return found[0]
    return EXIT_DONE if len(said) == processes and not any(said) else EXIT_FAILED


def _accelerators() -> int:
    """torch is loaded here alone: this process waits, and need not hold it."""
    torch: Any = import_module("torch")
    return int(torch.cuda.device_count())


def _method(folder: Path) -> str:
    try:
        spec = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        return str(spec["config"]["method"]) if spec["kind"] == "train" else ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""  # training.run says what is wrong


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _dies_with_us() -> None:
    """Linux: what accelerate started dies with it by the same call (jobdir.JobDir.open)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
