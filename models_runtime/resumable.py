"""The checkpoints that a job resumes from, for whoever wants one of them while it goes on.

A running job prunes its own: what is chosen is kept under its contents' hash, as an input of
another job, before anybody waits for it. On one disk that is a hard link, and no bytes. What only
resuming needs (the optimiser's state, where it is a file of its own) is left behind.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models_runtime import artifacts, handover, jobs
from models_runtime.artifacts import Damaged, Manifest
from models_runtime.folders import Outside
from models_runtime.jobdir import MANIFEST, is_complete
from models_runtime.models import Job
from models_runtime.phrases import phrase

_STORED = re.compile(rf"(attempt-\d+/checkpoints/step-(\d+))/{re.escape(artifacts.MARKER)}")
_FOR_RESUMING = ("optimizer.", "scheduler.", "rng_state", "training_args.", "trainer_state.")


def steps(job: Job) -> list[int]:
    """The steps whose checkpoints can be had now, on this disk or in the store, the newest
    first."""
    return sorted({*_here(job), *_stored(job)}, reverse=True)


def keep(job: Job, step: int) -> dict[str, Any]:
    """An entry of Job.inputs named ``step-S``: the checkpoint of that step, kept for good.

    Raises ValueError, one sentence, when the job has pruned it, which it may do at any moment.
    """
    for folder in _folders(job, step):
        try:
            return _put(folder, step)
        except (OSError, Damaged, Outside):
            continue
    raise ValueError(
        phrase(
            "The checkpoint of step %(step)s is gone: a run keeps its newest ones. Choose one of "
            "these: %(steps)s.",
            step=step,
            steps=", ".join(map(str, steps(job))) or "–",
        )
    )


def _folders(job: Job, step: int) -> Iterator[Path]:
    """Where the checkpoint lies whole: here, then fetched from the store."""
    if (path := _here(job).get(step)) is not None and is_complete(path):
        yield path
    if (below := _stored(job).get(step)) is not None:
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as scratch:
            target = Path(scratch) / "fetched"
            try:
                artifacts.fetch_to(f"{artifacts.SCHEME}{handover.HOME}/{job.dir}/{below}", target)
            except (OSError, Damaged, Outside):
                return
            if is_complete(target):
                yield target


def _put(folder: Path, step: int) -> dict[str, Any]:
    stated: Manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    wanted = {n: sha for n, sha in stated.items() if not n.startswith(_FOR_RESUMING)}
    files = {name: folder / name for name in wanted}
    key = f"inputs/{artifacts.identity(wanted)}"
    uri, manifest = artifacts.put_files(files, key, stated=wanted)
    return {"name": f"step-{step}", "uri": uri, "sha256": manifest}


def _here(job: Job) -> dict[int, Path]:
    found = jobs.folder(job).glob(f"attempt-*/checkpoints/step-*/{MANIFEST}") if job.dir else ()
    return {int(path.parent.name.removeprefix("step-")): path.parent for path in found}


def _stored(job: Job) -> dict[int, str]:
    if not job.dir:
        return {}
    names = artifacts.files_below(f"{handover.HOME}/{job.dir}")
    found = [match for name in names if (match := _STORED.fullmatch(name))]
    return {int(match[2]): match[1] for match in found}
