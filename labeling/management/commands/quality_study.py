"""python manage.py quality_study: whether the quality page's intervals hold what they say."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from labeling.studies import quality


class Command(BaseCommand):
    help = (
        "Twenty simulated raters whose accuracy, leanings, drift, spamming and speed are known, "
        "through the functions of the quality page: how often its intervals hold the truth, and "
        "whether spammers are found. Nothing is read or written."
    )
    requires_system_checks: list[str] = []  # it needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seeds", type=int, default=200, metavar="N")
        parser.add_argument("--labels", type=int, default=20_000, metavar="N", help="of each seed")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *, seeds: int, labels: int, as_json: bool, **_: Any) -> None:
        found = quality.run(seeds, labels)
        if as_json:
            self.stdout.write(json.dumps(found, indent=2))
            return
        low, high = quality.WANTED
        self.stdout.write(
            f"{seeds} seeds of {labels} labels by {quality.RATERS} raters; intervals of 95 % are "
            f"to hold the truth in {low:.0%} to {high:.0%}"
        )
        for name, one in found["coverage"].items():
            share = f"{one['share']:6.1%} ({one['low']:.1%} to {one['high']:.1%})"
            self.stdout.write(f"{name:<34} {share:<26} {one['held']} of {one['of']}")
        self.stdout.write(
            f"spammers: precision {found['precision']:.1%}, recall {found['recall']:.1%}"
        )
        self.stdout.write(
            f"right: Dawid and Skene {found['dawid_skene']:.1%}, majority "
            f"{found['majority']:.1%}: {100 * found['gain']:+.1f} points"
        )
