"""``python manage.py register_checkpoint FOLDER|ORG/NAME --name N``: a policy of one's own."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from models_runtime import registry
from models_runtime.jobdir import explain


class Command(BaseCommand):
    help = (
        "Check a causal language model (safetensors) and register it as a policy: a folder's or, "
        "where a model hub is reachable, the hub's ORG/NAME."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="FOLDER|ORG/NAME")
        parser.add_argument("--name", required=True)
        parser.add_argument("--project", default="", help="its slug; not needed if there is one")

    def handle(self, *args: Any, source: str, name: str, **options: Any) -> None:
        try:
            checkpoint = registry.register_policy(
                project=registry.project_named(options["project"]),
                source=source,
                name=name,
                report=self._report,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(explain(error, Path(settings.DATA_DIR))[1]) from error
        size = checkpoint.facts.get("parameters", 0)
        self.stdout.write(f"{checkpoint.name}: checkpoint {checkpoint.pk}, {size:,} parameters.")

    def _report(self, progress: dict[str, Any]) -> None:
        if progress.get("total"):
            self.stdout.write("Fetching: {done} of {total} {unit}.".format(**progress))
