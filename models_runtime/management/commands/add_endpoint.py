"""``python manage.py add_endpoint URL --name N --model M``: another's model server, for talks
and as a judge."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from models_runtime import endpoints, registry


class Command(BaseCommand):
    help = (
        "Let raters talk with a model on a server that speaks OpenAI's protocol; a campaign's "
        "instrument names it among its models. A run whose option judge names it is rewarded by "
        "its verdicts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL", help="up to its version: http://HOST:8000/v1")
        parser.add_argument("--name", required=True, help="what campaigns call it")
        parser.add_argument("--model", required=True, help="what the server calls it")
        parser.add_argument(
            "--key-variable",
            default="",
            metavar="NAME",
            help="the environment variable that holds its key, here, where talks are answered and "
            "where runs train",
        )
        parser.add_argument("--project", default="", help="its slug; not needed if there is one")
        parser.add_argument(
            "--force",
            action="store_true",
            help="add it although it does not reply as talks need it, while it is mended, say",
        )

    def handle(self, *args: Any, url: str, name: str, model: str, **options: Any) -> None:
        try:
            made = endpoints.add(
                project=registry.project_named(options.get("project", "")),
                name=name,
                base_url=url,
                model_name=model,
                key_variable=options.get("key_variable", ""),
                force=options.get("force", False),
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.name}: endpoint {made.pk}. Asked what it can do:")
        verdict = endpoints.verdict_on(made)
        for line in filter(None, [verdict.problem, *verdict.lines()]):
            self.stdout.write(f"  {line}")
