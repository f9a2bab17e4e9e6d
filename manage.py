#!/usr/bin/env python
"""Django's command line, with Concord's settings."""

import os
import sqlite3
import sys
from argparse import ArgumentParser

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from annotate import env_file, stack

NOT_SET_UP = "The database is not set up for this version: run manage.py migrate first."


def main() -> int:
    """Exit status 1 and one sentence, as of any command, where the settings refuse to load or the
    database has not been migrated."""
    env_file.read()
    if _wants_a_stack():
        return stack.main(["loop", *_from_here(sys.argv[2:])])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"CommandError: {error}\n")
        return 1
    except (DatabaseError, sqlite3.Error):  # the second: a backup reads the file itself
        if sys.argv[1] == "migrate" or not _awaits_migrations():
            raise
        sys.stderr.write(f"CommandError: {NOT_SET_UP}\n")
        return 1
    return 0


def _wants_a_stack() -> bool:
    """run_loop outside a stack has one started, which starts it again: the launcher makes the data
    folder and the secret key, without which no settings load."""
    alone = sys.argv[1:2] == ["run_loop"] and not os.environ.get("CONCORD_STACK")
    return alone and not {"-h", "--help"} & set(sys.argv)


def _from_here(arguments: list[str]) -> list[str]:
    """The same, the report's file by its whole path: the launcher works in the checkout."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--report", type=os.path.abspath)
    known, rest = parser.parse_known_args(arguments)
    return [*rest, "--report", known.report] if known.report else rest


def _awaits_migrations() -> bool:
    """False too where the database does not answer, which is told as it is."""
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError:
        return False
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


if __name__ == "__main__":
    sys.exit(main())
