"""python manage.py agreement CAMPAIGN [--json]: how far raters agree."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import quality_job, snapshots
from labeling.agreement import Agreement, Interval, agreement
from labeling.judgements import SOURCES
from labeling.models import Campaign


class Command(BaseCommand):
    help = (
        "Agreement between raters on what two or more of them judged: in percent, and beyond "
        "chance, for comparisons, rankings, ratings and thumbs; with --json also rater by rater."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign's slug")
        parser.add_argument("--iteration", type=int, metavar="N", help="of this iteration alone")
        parser.add_argument(
            "--source", default="person", choices=SOURCES, help="among whom (default: people)"
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self, *, campaign: str, iteration: int | None, source: str, as_json: bool, **_: Any
    ) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        number = iteration
        if number is not None and not row.iterations.filter(number=number).exists():
            raise CommandError(f"{campaign} has no iteration {number}.")
        with snapshots.consistent_read():
            found = agreement(snapshots.judged(row, only=iteration), source)
            report = quality_job.report(row, source, iteration)
        if as_json:
            data = {"campaign": campaign, "source": source, **_finite(asdict(found))}
            self.stdout.write(json.dumps({**data, "quality": report}, indent=2))
        else:
            self._tell(row, source, found)
            for measure in report["measures"]:
                self._tell_measure(measure)

    def _tell(self, campaign: Campaign, source: str, found: Agreement) -> None:
        whose = {"person": "people", "program": "programs", "simulated": "simulated raters"}
        if not found.all.n:
            self.stdout.write(
                f"No comparison of {campaign.name} was judged twice by {whose[source]} yet."
            )
            return
        self.stdout.write(
            f"{found.comparisons} comparisons judged by two or more of {found.raters} raters "
            f"({whose[source]}); intervals of 95 % know comparisons and raters."
        )
        self.stdout.write(f"same outcome (a tie agrees only with a tie)  {_shown(found.all)}")
        self.stdout.write(f"same preference, ties left out               {_shown(found.directed)}")
        for strength, interval in found.by_strength.items():
            self.stdout.write(f"    rated {strength:<14} {_shown(interval)}")

    def _tell_measure(self, measure: dict[str, Any]) -> None:
        name = " ".join(filter(None, (measure["part"], measure["name"])))
        said = f"{measure['judgements']} judgements on {measure['items']} items"
        self.stdout.write(f"{name}: {said}, {measure['twice']} of them by two or more")
        for figure, one in measure["figures"].items():
            shown = one["undefined"] or f"{one['value']:.3f}"
            if one["low"] is not None:
                shown += f" ({one['low']:.3f} to {one['high']:.3f})"
            self.stdout.write(f"    {figure:<16} {shown}")


def _shown(interval: Interval) -> str:
    if not interval.n:
        return "none"
    mean, low, high = (100 * value for value in (interval.mean, interval.low, interval.high))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f}, n = {interval.n})"


def _finite(data: Any) -> Any:
    """JSON knows no NaN: a figure that does not exist is null."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    return None if isinstance(data, float) and math.isnan(data) else data
