"""Jobs in processes of their own, without the seconds that importing torch takes in each: a
nursery that has imported every method forks one for each. Neither a web framework nor a queue may
be needed: importing them fails there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import os, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "celery", "labeling", "annotate"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
from importlib import import_module
from models_runtime.jobdir import run_entry
from training.configs import METHODS
from training.run import main
for name in sys.argv[1:]:
    import_module(METHODS[name][0])
def born(folder, attempt):
    log = os.open(os.path.join(folder, f"log-{attempt}.txt"), os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1), os.dup2(log, 2)
    os.environ["CONCORD_ATTEMPT"] = attempt
    sys.argv = ["training.run", folder]
    os._exit(run_entry(main))
for line in sys.stdin:
    act, first, second = line.rstrip("\\n").split("\\t")
    if act == "start":
        print(os.fork() or born(first, second), flush=True)
    else:
        pid, status = os.waitpid(int(first), os.WNOHANG if act == "poll" else 0)
        print(os.waitstatus_to_exitcode(status) if pid else "", flush=True)
"""


class Nursery:
    """Starts ``python -m training.run`` on job folders, and ends it as hard as may be."""

    def __init__(self, *methods: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, *methods],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, folder: Path, attempt: int = 1) -> int:
        """The process id of a job that begins."""
        return int(self._ask("start", folder, attempt))

    def has_ended(self, pid: int) -> bool:
        return bool(self._ask("poll", pid))

    def wait(self, pid: int) -> int:
        """The exit status, below 0 for the signal that ended it."""
        return int(self._ask("wait", pid))

    def run(self, folder: Path, attempt: int = 1) -> int:
        """The exit status of a job that is left alone."""
        status = self.wait(self.start(folder, attempt))
        if status:
            sys.stderr.write((folder / f"log-{attempt}.txt").read_text()[-3000:])
        return status

    def killed_then_resumed(self, folder: Path, after_step: int) -> None:
        """SIGKILL as soon as a checkpoint beyond after_step is complete, then a second attempt."""
        pid = self.start(folder, 1)
        checkpoints = folder / "attempt-1" / "checkpoints"
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and not self.has_ended(pid):
            names = [path.name for path in checkpoints.glob("step-*")]
            if any(int(name.removeprefix("step-")) > after_step for name in names):
                os.kill(pid, signal.SIGKILL)
                self.wait(pid)
                break
            time.sleep(0.005)
        assert self.run(folder, attempt=2) == 0

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def _ask(self, act: str, first: object, second: object = "") -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{act}\t{first}\t{second}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()
