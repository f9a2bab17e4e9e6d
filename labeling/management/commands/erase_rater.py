"""python manage.py erase_rater USERNAME: empty what a rater typed and who they were, for good."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import erasure, remains
from labeling.models import User
from labeling.people import NotPossible
from models_runtime import attempts

WARNING = (
    "This empties every text that {name} typed (reasons, edits, prompts, messages to models) and "
    "their account, and cannot be undone. Their labels stay, under a pseudonym; so do snapshots, "
    "exports and backups that were made before.\nType their name again to go on: "
)
ELSEWHERE = (
    "Nothing here can say what else holds their words: backups made before now, exports that "
    "somebody took away, and models trained on any of these. Delete those yourself."
)


class Command(BaseCommand):
    help = "Erase a rater: their texts and their account, for good. Their labels stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME", help="what they sign in with")
        parser.add_argument("--yes", action="store_true", help="do not ask for the name again")

    def handle(self, *, username: str, yes: bool, **_: Any) -> None:
        rater = User.objects.filter(username=username).first()
        if rater is None:
            raise CommandError(f"There is nobody named {username}.")
        if not yes and _typed(WARNING.format(name=username)) != username:
            raise CommandError("That is another name: nothing was erased.")
        try:
            texts = erasure.erase(rater=rater)
        except NotPossible as error:
            raise CommandError(str(error)) from error
        rater.refresh_from_db(fields=["username", "erased_at"])
        self.stdout.write(f"Erased {texts} texts and the account, which is {rater.username} now.")
        self._tell(rater)

    def _tell(self, rater: User) -> None:
        """What the erasure did not reach, by name, and its mark on what can carry one."""
        found = remains.find(rater)
        remains.mark(found)
        lines = [f"  snapshot {one.sha256} of {one.campaign.slug}" for one in found.snapshots]
        lines += [
            f"  job {job.pk} ({job.kind}) in {attempts.folder_of(job)}" for job in found.jobs
        ]
        if lines:
            told = ["These files were written before and still hold their words.", *lines]
            self.stdout.write("\n".join([*told, "The snapshots say so on their pages."]))
        for what in found.unread:
            self.stdout.write(f"  {what} could not be read, and may hold some.")
        self.stdout.write(ELSEWHERE)


def _typed(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""
