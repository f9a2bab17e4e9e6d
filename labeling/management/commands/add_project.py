"""``python manage.py add_project SLUG``: a project, with nobody in it yet."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import people


class Command(BaseCommand):
    help = "Make a project: campaigns, checkpoints and people belong to one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="letters, digits and hyphens")
        parser.add_argument("--name", default="", help="as pages show it")

    def handle(self, *, slug: str, name: str, **_: Any) -> None:
        try:
            project = people.add_project(slug=slug, name=name)
        except people.NotPossible as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Project {project.slug} is made. Its first lead: "
            f"add_user NAME --role lead --project {project.slug}"
        )
