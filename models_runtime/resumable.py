"""The checkpoints that a job resumes from, for whoever wants one of them while it goes on.

A running job prunes its own, so that what is chosen is held first, by hard links, without reading
a byte; then a job reads and checks it, and keeps it under its contents' hash, as an input of
another one. What only resuming needs (an optimiser's state, where it is a file of its own) is left
behind.

    hold      keep these from being pruned; takes as long however large they are
    keep      one of them as an input, read whole
    let_go    of what was held
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from os import link
from pathlib import Path
from typing import Any

from models_runtime import artifacts, handover, jobs
from models_runtime.artifacts import Damaged, Manifest
from models_runtime.folders import Outside
from models_runtime.jobdir import MANIFEST, is_complete
from models_runtime.models import Job
from models_runtime.phrases import phrase

_STORED = re.compile(rf"(attempt-\d+/checkpoints/step-(\d+))/{re.escape(artifacts.MARKER)}")
HELD = "held"  # below the job's directory: its checkpoints that others have asked for, by a key
_FOR_RESUMING = ("optimizer.", "scheduler.", "rng_state", "training_args.", "trainer_state.")


def steps(job: Job) -> list[int]:
    """The steps whose checkpoints can be had now, on this disk or in the store, the newest
    first."""
    return sorted({*_here(job), *_stored(job)}, reverse=True)


def hold(job: Job, wanted: Sequence[int], key: str) -> None:
    """Keep the checkpoints of these steps from being pruned, under a key of the caller's. One that
    lies in the store alone is left there; so is one on a disk without hard links.

    Raises ValueError, one sentence, when one of them is gone, and holds none of them then."""
    here, stored = _here(job), _stored(job)
    try:
        for step in wanted:
            _link(here.get(step), _held(job, key) / f"step-{step}")
            if step not in here and step not in stored:
                raise ValueError(_gone(job, step))
    except (FileNotFoundError, ValueError) as error:
        let_go(job, key)
        raise ValueError(_gone(job, step)) from error


def let_go(job: Job, key: str) -> None:
    """Of the checkpoints that were held under this key."""
    shutil.rmtree(_held(job, key), ignore_errors=True)


def keep(job: Job, step: int, key: str = "") -> dict[str, Any]:
    """An entry of Job.inputs named ``step-S``: the checkpoint of that step, kept for good. ``key``
    is what it was held under.

    Raises ValueError, one sentence, when the job has pruned it, which it may do at any moment.
    """
    for folder in _folders(job, step, key):
        try:
            return _put(folder, step)
        except (OSError, Damaged, Outside):
            continue
    raise ValueError(_gone(job, step))


def _gone(job: Job, step: int) -> str:
    return phrase(
        "The checkpoint of step %(step)s is gone: a run keeps its newest ones. Choose one of "
        "these: %(steps)s.",
        step=step,
        steps=", ".join(map(str, steps(job))) or "–",
    )


def _held(job: Job, key: str) -> Path:
    return jobs.folder(job) / HELD / key


def _link(folder: Path | None, target: Path) -> None:
    """The folder's files once more, the manifest last. Raises FileNotFoundError where they were
    pruned meanwhile."""
    if folder is None or target.exists():
        return
    partial = target.with_name(f".{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(folder, partial, copy_function=link)
    except (shutil.Error, OSError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not (folder / MANIFEST).is_file():
            raise FileNotFoundError(folder.name) from error
        return  # no links on this disk
    partial.rename(target)


def _folders(job: Job, step: int, key: str) -> Iterator[Path]:
    """Where the checkpoint lies whole: held, here, then fetched from the store."""
    held = [_held(job, key) / f"step-{step}"] if key else []
    for path in (*held, _here(job).get(step)):
        if path is not None and is_complete(path):
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
