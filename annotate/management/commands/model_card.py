"""``python manage.py model_card CHECKPOINT [--out FILE]``: a checkpoint's README.md."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import model_card
from models_runtime import registry


class Command(BaseCommand):
    help = "Write a checkpoint's model card, in the form of a model hub's README.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("checkpoint", metavar="CHECKPOINT", help="its name or its number")
        parser.add_argument("--project", metavar="SLUG", help="where several have one of the name")
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="a file; the screen without one"
        )

    def handle(
        self, *, checkpoint: str, project: str | None, out: Path | None, **_options: Any
    ) -> None:
        try:
            text = model_card.of(registry.checkpoint_named(checkpoint, project)).text
        except ValueError as error:
            raise CommandError(str(error)) from error
        if out is None:
            self.stdout.write(text)
            return
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"Wrote the model card of {checkpoint} to {out}.")
