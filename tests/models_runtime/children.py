"""A small job entry for the tests of the worker: it counts, and misbehaves when told to.

Run as ``python -m tests.models_runtime.children DIR``. Config: ``steps`` to count to, ``seconds``
for each, ``checkpoint_every``; ``crash_at``, ``killed_at``, ``retry_at``: a step at which attempts
up to ``misbehaves`` (default 1) end badly; ``refuse``: a sentence; ``silent_at``: hang there;
``deaf``: ignore a request to stop; ``say``: a last line for the log; ``diverged``: end with
figures that are no numbers.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from models_runtime.jobdir import BadInput, JobDir, Stopped, publish, run_entry
from models_runtime.records import Progress


def count(job: JobDir) -> None:
    config = job.spec()["config"]
    if config.get("refuse"):
        raise BadInput(config["refuse"])
    state = resume(job)
    job.progress(Progress(state["step"], config["steps"], "steps"))
    while state["step"] < config["steps"]:
        state = {"step": state["step"] + 1, "sum": state["sum"] + state["step"] + 1}
        time.sleep(config.get("seconds", 0))
        job.log_metrics(state["step"], total=state["sum"])
        job.progress(Progress(state["step"], config["steps"], "steps"))
        if state["step"] % config.get("checkpoint_every", 1) == 0:
            save(job, state)
        misbehave(job, config, state["step"])
        if not config.get("deaf"):
            stop_here(job, state)
    with publish(job.output) as folder:
        (folder / "sum.json").write_text(json.dumps(state), encoding="utf-8")
    found: dict[str, Any] = {"sum": state["sum"], "attempt": job.attempt}
    if config.get("diverged"):
        found["kl"] = [float("nan"), {"of": (float("-inf"), 1.5)}]
    job.finish(found)


def resume(job: JobDir) -> dict[str, int]:
    checkpoint = job.newest_checkpoint()
    if checkpoint is None:
        return {"step": 0, "sum": 0}
    state: dict[str, int] = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    return state


def save(job: JobDir, state: dict[str, int]) -> None:
    folder = job.folder / "checkpoints" / f"step-{state['step']}"
    if not folder.exists():
        with publish(folder) as temporary:
            (temporary / "state.json").write_text(json.dumps(state), encoding="utf-8")


def stop_here(job: JobDir, state: dict[str, int]) -> None:
    if job.stop_requested.is_set():
        save(job, state)
        raise Stopped


def misbehave(job: JobDir, config: dict[str, Any], step: int) -> None:
    if job.attempt > config.get("misbehaves", 1):
        return
    if config.get("say"):
        sys.stderr.write(config["say"] + "\n")
    if step == config.get("crash_at"):
        raise RuntimeError("a planted crash")
    if step == config.get("exit_at"):
        os._exit(3)
    if step == config.get("killed_at"):
        os.kill(os.getpid(), signal.SIGKILL)
    if step == config.get("silent_at"):
        time.sleep(3600)


def count_in_rows(job: JobDir) -> None:
    """The same as a row job, with Django there."""
    from django.conf import settings

    assert Path(settings.BASE_DIR).is_dir()
    count(job)


if __name__ == "__main__":
    sys.exit(run_entry(count))
