"""Checkpoints as rows: what may be registered, and where each lies.

The folder is published first, under the identity of its contents, and the row is written when
it is complete: nothing is ever half-registered.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction

from models_runtime import artifacts, audit
from models_runtime.models import Checkpoint, Job, Project

PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}
CODE = {".py", ".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".sh"}
CHECK_SECONDS = 1800


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
    manifest = artifacts.manifest_of(folder)
    sha256 = artifacts.identity(manifest)
    row: dict[str, Any] = {
        "project": project,
        "kind": kind,
        "name": name,
        "parent": parent,
        "job": job,
    }
    if found := _registered(sha256=sha256, **row):
        return found
    if Checkpoint.objects.filter(project=project, name=name).exists():
        raise ValueError(f"There is already a checkpoint named {name} with other contents.")
    uri, stored = artifacts.put_folder(folder, f"checkpoints/{sha256}")
    if stored != manifest:
        raise ValueError("The model folder changed while it was being registered.")
    size = sum(path.stat().st_size for path in artifacts.files_of(folder).values())
    row |= {"uri": uri, "manifest": manifest, "bytes": size, "facts": facts or {}}
    return _insert(row, sha256, actor)


def register_folder(
    *, project: Project, folder: Path, name: str, actor: models.Model | None = None
) -> Checkpoint:
    """Check a policy's folder on the tensor side, by loading and running it once, and register
    it. Raises ValueError with one sentence for whatever is wrong with it."""
    refuse_unsafe(folder)
    before = artifacts.manifest_of(folder)
    facts = check_folder(folder)
    if artifacts.manifest_of(folder) != before:
        raise ValueError("The model folder changed while it was being checked.")
    return register(
        project=project, kind="policy", folder=folder, name=name, facts=facts, actor=actor
    )


def check_folder(folder: Path) -> dict[str, Any]:
    """The facts that ``python -m models_runtime.loading`` finds about a policy's folder, in a
    process of its own. Raises ValueError with its sentence when it refuses the folder."""
    with tempfile.TemporaryDirectory(prefix="concord-check-") as scratch:
        root = Path(scratch)
        spec = {"job": 0, "kind": "check_model", "seed": 0, "config": {"checkpoint": "policy"}}
        (root / "job.json").write_text(json.dumps(spec), encoding="utf-8")
        row = {"name": "policy", "uri": "", "sha256": {}, "path": str(folder.resolve())}
        (root / "inputs.json").write_text(json.dumps([row]), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "models_runtime.loading", str(root)],
            cwd=settings.BASE_DIR,
            env=_check_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
        return _facts(root / "attempt-1", done)


def local_path(checkpoint: Checkpoint) -> Path:
    """The checkpoint's folder on this machine, every file verified. Raises artifacts.Damaged."""
    cache = Path(settings.DATA_DIR) / "cache"
    return artifacts.fetch_folder(checkpoint.uri, checkpoint.manifest, cache)


def refuse_unsafe(folder: Path) -> None:
    """Raise ValueError, naming the file, unless folder holds safetensors and nothing that runs
    when it is read: no pickles, no code, no links that lead out, no auto_map."""
    if not folder.is_dir():
        raise ValueError(f"There is no model folder at {folder}.")
    files = artifacts.files_of(folder)
    for name, path in files.items():
        suffixes = {suffix.lower() for suffix in path.suffixes}
        if suffixes & PICKLES:
            raise ValueError(
                f"{name} may run code when it is read (a pickle): only safetensors are "
                "accepted, so convert the model or remove the file."
            )
        if suffixes & CODE:
            raise ValueError(f"{name} is code: model folders that bring their own are refused.")
        if path.suffix == ".json" and _asks_for_code(path):
            raise ValueError(f"{name} asks for code of its own (auto_map), which is refused.")
    if not any(name.endswith(".safetensors") for name in files):
        raise ValueError("The model folder has no weights in safetensors.")


def _asks_for_code(path: Path) -> bool:
    """Whether a configuration names classes to import; tokenizer.json can be large, and its
    vocabulary may hold any word, so only the keys of the outermost object count."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not valid JSON.") from error
    return isinstance(data, dict) and "auto_map" in data


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
        found = _registered(sha256=sha256, **keys)
        if found is None:
            taken = f"There is already a checkpoint named {row['name']} with other contents."
            raise ValueError(taken) from None
        return found
    return checkpoint


def _check_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONCORD_", "SECRET_KEY"))}
    return {**kept, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}


def _facts(attempt: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if done.returncode == 0:
        facts: dict[str, Any] = json.loads((attempt / "result.json").read_text(encoding="utf-8"))
        return facts
    error = attempt / "error.json"
    if error.is_file():
        raise ValueError(json.loads(error.read_text(encoding="utf-8"))["sentence"])
    lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
    raise ValueError(f"The model could not be checked ({lines[-1][:200]}).")
