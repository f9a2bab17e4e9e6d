"""Bring database and static files up to date, then say so to the launcher.

One process for all steps, since each further Django start costs more than a second.
"""

from __future__ import annotations

import contextlib
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from annotate import first_run, first_samples


class Command(BaseCommand):
    help = "Migrate, collect static files, check, and make what a first run needs."
    requires_system_checks: list[str] = []  # the tables that some look at do not exist yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("mode", choices=("demo", "serve", "loop"))
        parser.add_argument("--ready", type=int, help="descriptor to tell the launcher on")
        parser.add_argument("--wait", action="store_true", help="wait for another's migrations")
        parser.add_argument("--policy", default="", help="demo: a model, FOLDER or ORG/NAME")

    def handle(self, *, mode: str, ready: int | None, wait: bool, policy: str, **_: Any) -> None:
        with one_sentence():
            self._wait_for_schema() if wait else self._update()
            self._check(deploy=mode == "serve")
            if mode == "serve" and not wait:
                self._first_administrator()
            self._tell(ready)
            if mode == "demo":
                call_command("demo", policy=policy, stdout=self.stdout)
            self._tell(ready)
        if mode == "demo":
            self._watch_first_samples()

    def _tell(self, ready: int | None) -> None:
        """First that parts may start, then that everything is made."""
        if ready is not None:
            os.write(ready, b".")

    def _update(self) -> None:
        count = len(_missing_migrations())
        if count:
            self.stdout.write(f"Bringing the database up to date ({count} migrations).")
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)

    def _check(self, *, deploy: bool) -> None:
        """System checks, the durable ones included. The first error ends it, in its own words.
        Our own warnings are told, Django's go to the log."""
        found = checks.run_checks(databases=["default"], include_deployment_checks=deploy)
        for message in found:
            self.stderr.write(str(message))
        if errors := [message for message in found if message.is_serious()]:
            raise CommandError(" ".join(filter(None, (errors[0].msg, errors[0].hint))))
        for message in found:
            if str(message.id).startswith("concord."):
                self.stdout.write(message.msg)
        if deploy and not settings.BEHIND_TLS:
            self.stdout.write(
                "BEHIND_TLS_PROXY is not set: passwords and labels travel unencrypted, which is "
                "right on one machine only."
            )

    def _wait_for_schema(self) -> None:
        """Only one machine migrates, the one with the web server; the others wait for it."""
        told = False
        while missing := _missing_migrations():
            if not told:
                self.stdout.write(
                    f"Waiting for the web machine to apply {len(missing)} migrations."
                )
            told = True
            time.sleep(1)

    def _first_administrator(self) -> None:
        made = first_run.administrator(
            name=os.environ.get("ADMIN_USERNAME", ""),
            password=os.environ.get("ADMIN_PASSWORD", ""),
        )
        if made is None:
            if alone := first_run.without_a_project():
                first_run.join_project(alone)
            return
        self.stdout.write(f"First administrator: {made.name}")
        if made.password:
            self.stdout.write(f"Password, shown this once: {made.password}")
        self.stdout.write(
            f"{made.name} leads the project {first_run.PROJECT}; others are added on its page "
            "People."
        )

    def _watch_first_samples(self) -> None:
        """Say how sampling goes until there is something to rate."""
        begun = time.monotonic()
        for line in first_samples.lines():
            self.stdout.write(line)
            self.stdout.flush()
        if (waited := time.monotonic() - begun) > 1:
            self.stdout.write(f"The first comparison came after {waited:.0f} s.")


def _missing_migrations() -> list[Any]:
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """What the database refuses becomes a CommandError with one line."""
    try:
        yield
    except DatabaseError as error:
        words = " ".join(str(error).split())
        if "disk" in words and "full" in words or "No space left" in words:
            words = "the disk is full; free some space, then start again"
        raise CommandError(f"The database cannot be used: {words}.") from error
