""".ci/set-up: nothing to do when it is done, and one sentence when it cannot be."""

from __future__ import annotations

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.annotate.launching import ROOT

FILES = ("requirements-web.txt", "requirements.txt", "constraints.txt", "requirements-dev.txt")


def set_up(kind: str, venv: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ".ci/set-up", kind],
        cwd=ROOT,
        env={**os.environ, "VENV": str(venv), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def digest(files: tuple[str, ...]) -> str:
    data = b"".join((ROOT / name).read_bytes() for name in files)
    return sha256(data).hexdigest()[:16]


@pytest.mark.parametrize("kind", ["demo", "dev"])
def test_an_environment_that_is_right_is_left_alone(tmp_path: Path, kind: str) -> None:
    files = FILES if kind == "dev" else FILES[:3]
    (tmp_path / f"set-up-{kind}-{digest(files)}").touch()
    done = set_up(kind, tmp_path, PYTHON="no-python-is-needed")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_tests_need_holds_what_the_demo_needs(tmp_path: Path) -> None:
    (tmp_path / f"set-up-dev-{digest(FILES)}").touch()
    assert set_up("demo", tmp_path, PYTHON="no-python-is-needed").returncode == 0
    (tmp_path / f"set-up-dev-{digest(FILES)}").unlink()
    (tmp_path / f"set-up-demo-{digest(FILES[:3])}").touch()
    assert set_up("dev", tmp_path, PYTHON="no-python-is-needed").returncode == 1


def test_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] || exit 1\necho Python 3.9.2\n')
    old.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = set_up("demo", tmp_path / "venv", PYTHON="python3", PATH=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "Concord needs Python 3.11 or newer, and this machine has Python 3.9.2:"
    )
    assert done.stderr.count("\n") == 1


def test_a_python_without_venv_is_one_sentence(tmp_path: Path) -> None:
    bare = tmp_path / "python3"
    bare.write_text("#!/bin/sh\ncase $2 in *ensurepip*) exit 1;; esac\nexit 0\n")
    bare.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = set_up("demo", tmp_path / "venv", PYTHON="python3", PATH=path)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert done.stderr.count("\n") == 1
