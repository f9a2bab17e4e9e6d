"""python manage.py snapshot CAMPAIGN [--iteration N] [--without-tagged]: freeze its labels."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import aggregates, snapshots
from labeling.models import Campaign, Snapshot


class Command(BaseCommand):
    help = "Freeze a campaign's labels into immutable files, and say what is in them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign's slug")
        parser.add_argument("--iteration", type=int, metavar="N", help="up to this iteration")
        parser.add_argument(
            "--without-tagged",
            action="store_true",
            help="leave out what belongs to tagged batches, such as checkpoints of a run",
        )

        parser.add_argument(
            "--aggregate",
            choices=["", *aggregates.TITLES],
            help="by which rule many raters' labels become one (default: the campaign's)",
        )

    def handle(
        self,
        *,
        campaign: str,
        iteration: int | None,
        without_tagged: bool,
        aggregate: str | None,
        **_: Any,
    ) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        number = None
        if iteration is not None:
            number = row.iterations.filter(number=iteration).first()
            if number is None:
                raise CommandError(f"{campaign} has no iteration {iteration}.")
        try:
            self._tell(
                snapshots.freeze(
                    campaign=row, iteration=number, tagged=not without_tagged, rule=aggregate
                )
            )
        except ValueError as error:
            raise CommandError(str(error)) from error

    def _tell(self, snapshot: Snapshot) -> None:
        labels, comparisons = snapshot.counts["labels"], snapshot.counts["comparisons"]
        dropped = ", ".join(f"{n} {why}" for why, n in comparisons.items() if n and why != "kept")
        self.stdout.write(f"Snapshot {snapshot.sha256[:12]} at {snapshot.uri}")
        self.stdout.write(
            f"Labels: {labels['person']} by people, {labels['simulated']} simulated, "
            f"{labels['program']} by programs."
        )
        self.stdout.write(
            f"Comparisons: {comparisons['kept']} with a preference; left out: {dropped or 'none'}."
        )
        for rule, pairs in snapshot.counts.get("aggregated", {}).items():
            said = ", ".join(f"{n} {what}" for what, n in pairs.items())
            self.stdout.write(f"Aggregated by {rule}: {said}.")
        if written := snapshot.counts.get("demonstrations"):
            said = ", ".join(f"{n} {kind}" for kind, n in sorted(written.items()))
            self.stdout.write(f"Written by raters: {said}.")
        if rated := snapshot.counts.get("ratings"):
            said = ", ".join(f"{n} {kind}" for kind, n in sorted(rated.items()))
            self.stdout.write(f"Rated by themselves: {said}.")
