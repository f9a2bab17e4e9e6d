"""``python manage.py add_user NAME --role rater --role lead [--project SLUG]``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import people


class Command(BaseCommand):
    help = (
        "Add somebody to a project, with a password shown once; or give roles to somebody who "
        "has an account."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what they sign in with")
        parser.add_argument("--role", action="append", required=True, choices=people.ROLES)
        parser.add_argument("--project", default="", help="its slug; not needed if there is one")

    def handle(self, *, name: str, role: list[str], project: str, **_: Any) -> None:
        try:
            row = people.project_meant(project)
            added = people.add(project=row, username=name, roles=role)
        except people.NotPossible as error:
            raise CommandError(str(error)) from error
        roles = " and ".join(one for one in people.ROLES if one in role)
        self.stdout.write(f"{added.user.username} is {roles} in {row.slug}.")
        if added.password:
            self.stdout.write(f"Password, shown this once: {added.password}")
