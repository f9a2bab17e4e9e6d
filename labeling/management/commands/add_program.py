"""``python manage.py add_program NAME [--project SLUG]``: a model or script that rates through the
API, with a token that is shown once; with ``--end`` its tokens are revoked."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import people, programs, tokens


class Command(BaseCommand):
    help = (
        "Add a program that rates through the API, and print its token; for one that is there "
        "already print another token. Its labels are kept apart from people's."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what it is called in lists of raters")
        parser.add_argument("--project", default="", help="its slug; not needed if there is one")
        parser.add_argument("--days", type=int, default=90, help="for which the token holds")
        parser.add_argument("--end", action="store_true", help="revoke all its tokens instead")

    def handle(self, *, name: str, project: str, days: int, end: bool, **_: Any) -> None:
        try:
            row = people.project_meant(project)
            if end:
                ended = programs.end(project=row, name=name)
                self.stdout.write(f"{name} rates no more: tokens revoked: {ended}.")
                return
            user, secret = programs.add(project=row, name=name, days=days)
        except (people.NotPossible, tokens.NotPossible) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.username} is a program that rates in {row.slug}.")
        self.stdout.write(f"Token, shown this once: {secret}")
