"""Settings that cannot be used are one sentence from every command, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.annotate.launching import ROOT, environment


def manage(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data, **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["migrate", "export"])
def test_no_secret_key(tmp_path: Path, command: str) -> None:
    done = manage(tmp_path, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "CommandError: Set SECRET_KEY in the environment (make demo and make serve create one "
        f"in {tmp_path} when they first start).\n"
    )


def test_commands_read_the_file_that_the_launcher_reads(tmp_path: Path) -> None:
    """Else add_user would write to another database than the one that is served."""
    database = tmp_path / "served.sqlite3"
    mine = tmp_path / "env"
    mine.write_text(f"SECRET_KEY=from-the-file\nDATABASE_URL=sqlite:///{database}\n")
    done = manage(tmp_path, "diffsettings", ENV_FILE=str(mine))
    assert str(database) in done.stdout
    assert "from-the-file" in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TRUSTED_PROXIES", "one", "is one, and it must be a whole number, zero or more."),
        ("CONCORD_LAUNCH", "zero9", "is ddp, fsdp, zero2, zero3 or empty, not zero9."),
        ("CONN_MAX_AGE", "-1", "is -1, and it must be a whole number, zero or more."),
        (
            "DATABASE_URL",
            "oops://me:secret@here/x",
            "names no database: write it as postgres://USER:PASSWORD@HOST",
        ),
    ],
)
def test_a_variable_that_says_nothing(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    done = manage(tmp_path, "check", SECRET_KEY="for-this-test-only", **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"CommandError: {name} {sentence}")
    assert done.stderr.count("\n") == 1


def test_a_variable_left_empty_is_one_left_out(tmp_path: Path) -> None:
    """A shell, a compose file and make all pass "" for what is not set: the data folder would be
    the project's own, its collected files among their sources."""
    done = manage(tmp_path, "diffsettings", SECRET_KEY="x", CONCORD_DATA="")
    assert f"{str(ROOT / '.data' / 'static')!r}" in done.stdout
