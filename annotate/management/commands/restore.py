"""Put a backup into an empty data folder and database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from annotate import backup


class Command(BaseCommand):
    help = "Restore a backup FILE into an empty data folder (and an empty database)."
    requires_system_checks: list[str] = []  # there is no database to look at yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="what the backup command wrote")

    def handle(self, *, file: str, **_: Any) -> None:
        try:
            manifest = backup.read(Path(file).resolve())
        except backup.CannotRestore as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{len(manifest['files'])} files of {manifest['made_at'][:19]} restored to "
            f"{settings.DATA_DIR}, every sha256 checked. Everyone has to sign in again."
        )
        if manifest["remote_artifacts"]:
            self.stdout.write(f"Artefacts are expected in {manifest['remote_artifacts']}.")
