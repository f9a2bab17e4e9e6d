"""Run a tensor-side entry outside the queue and wait for it: a check that a person waits for.

The entry is the same ``python -m MODULE DIR`` that a worker would start, on a job directory that
lives as long as the call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from models_runtime.child import without_secrets
from models_runtime.jobdir import told
from models_runtime.sentences import without_paths

POLL_SECONDS = 0.1
REPORT_SECONDS = 5.0
_HUB_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

Report = Callable[[dict[str, Any]], None]


def run(
    module: str,
    *,
    kind: str,
    config: dict[str, Any],
    folders: dict[str, Path] | None = None,
    online: bool = False,
    limit: float,
    report: Report = lambda progress: None,
) -> dict[str, Any]:
    """The entry's result.json. ``folders``: its inputs by name; ``online``: whether it may ask a
    model hub; ``report`` is given its progress every few seconds.

    Raises ValueError with one sentence when it refuses, fails or takes longer than limit seconds.
    """
    with tempfile.TemporaryDirectory(prefix="concord-entry-") as scratch:
        root = Path(scratch)
        spec = {"job": 0, "kind": kind, "seed": 0, "config": config}
        (root / "job.json").write_text(json.dumps(spec), encoding="utf-8")
        rows = [
            {"name": name, "uri": "", "sha256": {}, "path": str(path.resolve())}
            for name, path in (folders or {}).items()
        ]
        (root / "inputs.json").write_text(json.dumps(rows), encoding="utf-8")
        status = _wait(_start(module, root, online), root, limit, report)
        return _result(module, root, status)


def _start(module: str, root: Path, online: bool) -> subprocess.Popen[bytes]:
    with (root / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(root)],
            cwd=settings.BASE_DIR,
            env=_environment(online),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _environment(online: bool) -> dict[str, str]:
    """The person's own, without the application's settings and without secrets; to ask a model
    hub, with the token it knows the person by."""
    told = without_secrets(os.environ)
    kept = {name: value for name, value in told.items() if not name.startswith("CONCORD_")}
    kept |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}
    if online:
        del kept["HF_HUB_OFFLINE"]
        kept |= {name: os.environ[name] for name in _HUB_TOKENS if name in os.environ}
    return kept


def _wait(process: subprocess.Popen[bytes], root: Path, limit: float, report: Report) -> int:
    """The exit status. Whatever ends the wait, nothing of the process is left."""
    begun = told = time.monotonic()
    try:
        while process.poll() is None:
            now = time.monotonic()
            if now - begun > limit:
                raise ValueError(f"It took longer than {limit:g} seconds, so it was given up.")
            if now - told > REPORT_SECONDS:
                report(_read(root / "attempt-1" / "progress.json"))
                told = now
            time.sleep(POLL_SECONDS)
        return process.returncode
    finally:
        process.kill()
        process.wait()


def _result(module: str, root: Path, status: int) -> dict[str, Any]:
    if status == 0:
        return _read(root / "attempt-1" / "result.json")
    if sentence := told(_read(root / "attempt-1" / "error.json")):
        raise ValueError(sentence)
    lines = (root / "log.txt").read_text("utf-8", "replace").strip().splitlines()
    said = without_paths(lines[-1])[:200] if lines else f"status {status}"
    raise ValueError(f"{module} ended without an answer ({said}).")


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty while there is none."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return data
