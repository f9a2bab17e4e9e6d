"""Set the demo up, or find it set up: the cast, the first policy, a campaign with an iteration."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from annotate import demo
from labeling.models import Campaign, User
from models_runtime.jobdir import explain
from training import pipeline

PEOPLE_LABELS = 24
PLAN = {
    "prompts": 240,
    "comparisons": 620,
    "target_labels": PEOPLE_LABELS,
    "people_only": 40,
    "start_training": "person",
}


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--policy", default="", help="a model of your own: FOLDER or ORG/NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        project = demo.ensure_project()
        self._keep_logins(demo.ensure_cast(project))
        self.stdout.write("Checking the first policy ...")
        try:
            policy = demo.ensure_policy(project, options["policy"], report=self._report)
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(explain(error, settings.DATA_DIR)[1]) from error
        if Campaign.objects.filter(project=project, first_policy=policy).exists():
            return
        lead = User.objects.get(username="lead")
        campaign = demo.create_campaign(
            project=project,
            policy=policy,
            name="Helpful and kind",
            plan=PLAN,
            actor=lead,
        )
        pipeline.start_iteration(campaign, actor=lead)
        self.stdout.write(f"The campaign {campaign.name!r} is open; its first iteration samples.")

    def _report(self, progress: dict[str, Any]) -> None:
        if progress.get("total"):
            self.stdout.write("Fetching: {done} of {total} {unit}.".format(**progress))
            self.stdout.flush()

    def _keep_logins(self, made: dict[str, str]) -> None:
        """Passwords are shown at every start, so they lie in a file only this user can read."""
        if not made:
            return
        path = settings.DATA_DIR / "logins.txt"
        path.touch(mode=0o600, exist_ok=True)
        path.chmod(0o600)
        with path.open("a", encoding="utf-8") as handle:
            handle.writelines(f"{name} {password}\n" for name, password in made.items())
