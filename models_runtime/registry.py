"""Checkpoints as rows: what may be registered, and where each lies.

The folder is published first, under the identity of its contents, and the row is written when
it is complete: nothing is ever half-registered.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction

from models_runtime import artifacts, audit, entries
from models_runtime.model_folder import refuse_unsafe
from models_runtime.models import Checkpoint, Job, Project

CHECK_SECONDS = 1800
FETCH_SECONDS = 24 * 3600  # tens of gigabytes over a slow line; it shows its progress
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def project_named(slug: str) -> Project:
    """The project that something is registered in: the only one there is, where slug is "".

    Raises ValueError with one sentence when that is none or several.
    """
    rows = Project.objects.filter(slug=slug) if slug else Project.objects.all()
    found = list(rows[:2])
    if len(found) == 1:
        return found[0]
    if slug:
        raise ValueError(f"There is no project named {slug}.")
    wanted = "name one with --project" if found else "make one first with add_project SLUG"
    raise ValueError(f"It is not clear which project is meant: {wanted}.")


def checkpoint_named(name: str, project: str | None = None) -> Checkpoint:
    """The one checkpoint of that name, else of that number. Raises ValueError with one sentence
    where there is none, or several projects have one."""
    rows = Checkpoint.objects.select_related("project", "job")
    if project is not None:
        rows = rows.filter(project__slug=project)
    found = list(rows.filter(name=name)[:2])
    if not found and name.isdecimal():
        found = list(rows.filter(pk=int(name)))
    if not found:
        raise ValueError(f"There is no checkpoint named {name}.")
    if len(found) > 1:
        raise ValueError(f"Several projects have a checkpoint named {name}: name one --project.")
    return found[0]


def register(
    *,
    project: Project,
    kind: str,
    folder: Path,
    name: str,
    parent: Checkpoint | None = None,
    job: Job | None = None,
    facts: dict[str, Any] | None = None,
    actor: models.Model | None = None,
) -> Checkpoint:
    """Register a folder of safetensors as a checkpoint, copied into the artefact store.

    Idempotent: the same contents from the same job, or under the same name, are the same row.
    Raises ValueError with one sentence on anything but safetensors, and on a name that another
    checkpoint of the project has; OSError (ENOSPC) on a full disk. Then nothing is registered.
    """
    refuse_unsafe(folder)
    if not name.isprintable():
        raise ValueError("A checkpoint's name cannot hold invisible characters.")
    manifest = artifacts.manifest_of(folder)
    sha256 = artifacts.identity(manifest)
    row: dict[str, Any] = {
        "project": project,
        "kind": kind,
        "name": name,
        "parent": parent,
        "job": job,
    }
    if found := _stands(sha256, row):
        return found
    uri, stored = artifacts.put_folder(folder, f"checkpoints/{sha256}")
    if stored != manifest:
        raise ValueError("The model folder changed while it was being registered.")
    size = sum(path.stat().st_size for path in artifacts.files_of(folder).values())
    row |= {"uri": uri, "manifest": manifest, "bytes": size, "facts": facts or {}}
    return _insert(row, sha256, actor)


def register_folder(
    *,
    project: Project,
    folder: Path,
    name: str,
    actor: models.Model | None = None,
    origin: dict[str, Any] | None = None,
) -> Checkpoint:
    """Check a policy's folder on the tensor side, by loading and running it once, and register
    it; ``origin`` is kept with its facts. Raises ValueError with one sentence for whatever is
    wrong with it."""
    refuse_unsafe(folder)
    before = artifacts.manifest_of(folder)
    facts = {**check_folder(folder), **(origin or {})}
    if artifacts.manifest_of(folder) != before:
        raise ValueError("The model folder changed while it was being checked.")
    return register(
        project=project, kind="policy", folder=folder, name=name, facts=facts, actor=actor
    )


def check_folder(folder: Path) -> dict[str, Any]:
    """The facts that ``python -m models_runtime.loading`` finds about a policy's folder, in a
    process of its own. Raises ValueError with its sentence when it refuses the folder."""
    return entries.run(
        "models_runtime.loading",
        kind="check_model",
        config={"checkpoint": "policy"},
        folders={"policy": folder},
        limit=CHECK_SECONDS,
    )


def register_policy(
    *,
    project: Project,
    source: str,
    name: str,
    actor: models.Model | None = None,
    report: entries.Report = lambda progress: None,
) -> Checkpoint:
    """register_folder on a folder or, where there is none of that name, on what a model hub has
    under it (ORG/NAME); ``report`` is given the download's progress.

    Raises ValueError with one sentence; then nothing is registered.
    """
    folder = Path(source)
    if folder.exists() or not HUB_NAME.fullmatch(source):
        return register_folder(project=project, folder=folder, name=name, actor=actor)
    fetched = Path(settings.DATA_DIR) / "cache" / "hub" / source.replace("/", "--")
    found = entries.run(
        "models_runtime.hub",
        kind="fetch_model",
        config={"repository": source, "to": str(fetched)},
        online=True,
        limit=FETCH_SECONDS,
        report=report,
    )
    origin = {"hub": source, "revision": found["revision"]}
    try:
        return register_folder(
            project=project, folder=fetched, name=name, actor=actor, origin=origin
        )
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


def local_path(checkpoint: Checkpoint) -> Path:
    """The checkpoint's folder on this machine, every file verified. Raises artifacts.Damaged."""
    cache = Path(settings.DATA_DIR) / "cache"
    return artifacts.fetch_folder(checkpoint.uri, checkpoint.manifest, cache)


def copy_out(checkpoint: Checkpoint, folder: Path) -> None:
    """The checkpoint's files in folder, which appears when they are all there and what they were.

    Raises ValueError where folder holds anything or the checkpoint is gone, artifacts.Damaged
    where a file of it is not what was registered, OSError on a full disk.
    """
    if checkpoint.state != "ready":
        raise ValueError(f"The files of {checkpoint.name} are no longer stored.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} holds something already: name a folder that is not there yet.")
    artifacts.fetch_to(checkpoint.uri, folder, stated=checkpoint.manifest)


def _stands(sha256: str, row: dict[str, Any]) -> Checkpoint | None:
    """The row that these contents have already. Raises ValueError where other contents have the
    name; asked in this order, since another worker may deliver the same ones in between."""
    taken = Checkpoint.objects.filter(project=row["project"], name=row["name"]).exists()
    found = _registered(sha256=sha256, **row)
    if taken and found is None:
        raise ValueError(f"There is already a checkpoint named {row['name']} with other contents.")
    return found


def _registered(
    *,
    sha256: str,
    project: Project,
    kind: str,
    name: str,
    job: Job | None,
    parent: Checkpoint | None,
) -> Checkpoint | None:
    rows = Checkpoint.objects.filter(project=project, kind=kind, sha256=sha256)
    rows = rows.filter(job=job) if job is not None else rows.filter(name=name)
    return rows.first()


def _insert(row: dict[str, Any], sha256: str, actor: models.Model | None) -> Checkpoint:
    try:
        with transaction.atomic():
            checkpoint = Checkpoint.objects.create(sha256=sha256, state="ready", **row)
            audit.record(
                verb="checkpoint registered", obj=checkpoint, actor=actor, to_state="ready"
            )
    except IntegrityError:  # another worker delivered the same result at this very moment
        keys = {key: row[key] for key in ("project", "kind", "name", "job", "parent")}
        found = _stands(sha256, keys)
        if found is None:
            raise
        return found
    return checkpoint
