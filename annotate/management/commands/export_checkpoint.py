"""``python manage.py export_checkpoint CHECKPOINT FOLDER``: a checkpoint to take away."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import model_card
from models_runtime import registry
from models_runtime.jobdir import explain

CARD = "README.md"


class Command(BaseCommand):
    help = (
        "Copy a checkpoint with its model card into a folder that transformers and vLLM load as "
        "it is, wherever its files are stored; each is held to its sha256."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("checkpoint", metavar="CHECKPOINT", help="its name or its number")
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="one that holds nothing")
        parser.add_argument("--project", metavar="SLUG", help="where several have one of the name")

    def handle(
        self, *, checkpoint: str, folder: Path, project: str | None, **_options: Any
    ) -> None:
        try:
            row = registry.checkpoint_named(checkpoint, project)
            card = model_card.of(row).text
            registry.copy_out(row, folder)
            (folder / CARD).write_text(card, encoding="utf-8")
        except ValueError as error:  # artifacts.Damaged among them
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(explain(error, folder)[1]) from error
        self.stdout.write(f"{row.name}: {len(row.manifest)} files and {CARD} in {folder}.")
