"""Write database and artefacts into one file, while everything is in use."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from annotate import backup


class Command(BaseCommand):
    help = "Write a consistent backup of database and artefacts to FILE (a tar file)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="default: concord-DATE.tar here")
        parser.add_argument(
            "--with-secrets", action="store_true", help="also the secret key and the demo's logins"
        )

    def handle(self, *, file: str | None, with_secrets: bool, **_: Any) -> None:
        out = Path(file or f"concord-{timezone.now():%Y%m%d-%H%M%S}.tar").resolve()
        try:
            counts = backup.write(out, secrets=with_secrets)
        except backup.CannotBackUp as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{out}: {counts.files} files, {counts.bytes / 1e6:.1f} MB.")
        if counts.remote_artifacts:
            self.stdout.write(f"Artefacts lie in {counts.remote_artifacts} and are not in it.")
