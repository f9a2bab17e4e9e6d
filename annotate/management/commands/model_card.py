"""``python manage.py model_card CHECKPOINT [--out FILE]``: a checkpoint's README.md."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import model_card
from models_runtime.models import Checkpoint


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
        text = model_card.of(_named(checkpoint, project)).text
        if out is None:
            self.stdout.write(text)
            return
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"Wrote the model card of {checkpoint} to {out}.")


def _named(name: str, project: str | None) -> Checkpoint:
    """The one checkpoint of that name, else of that number. Raises CommandError."""
    rows = Checkpoint.objects.select_related("project", "job")
    if project is not None:
        rows = rows.filter(project__slug=project)
    found = list(rows.filter(name=name)[:2])
    if not found and name.isdecimal():
        found = list(rows.filter(pk=int(name)))
    if not found:
        raise CommandError(f"There is no checkpoint named {name}.")
    if len(found) > 1:
        raise CommandError(f"Several projects have a checkpoint named {name}: name one --project.")
    return found[0]
