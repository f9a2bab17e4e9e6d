"""A command on a database that was never migrated says so in one sentence, with status 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SENTENCE = (
    "CommandError: The database is not set up for this version: run manage.py migrate first.\n"
)


def manage(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"SECRET_KEY": "x" * 50, "CONCORD_DATA": str(data), "ENV_FILE": os.devnull}
    own["DATABASE_URL"] = f"sqlite:///{data}/concord.sqlite3"
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "jobs list",
        "add_user joe --role rater",
        "add_project p",
        "agreement 1",
        "snapshot 1",
        "demo",
        "register_checkpoint models_runtime/demo_policy --name mine",
        "backup {}/backup.tar",
    ],
)
def test_a_command_says_what_to_do_first(tmp_path: Path, command: str) -> None:
    done = manage(tmp_path, *command.format(tmp_path).split())
    assert (done.returncode, done.stdout, done.stderr) == (1, "", SENTENCE)


def test_what_else_a_database_says_is_shown_as_it_is(tmp_path: Path) -> None:
    done = manage(tmp_path, "jobs", "list", DATABASE_URL=f"sqlite:///{tmp_path}/none/db.sqlite3")
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
