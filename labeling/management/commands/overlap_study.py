"""python manage.py overlap_study: what adaptive overlap saves, on simulated raters."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from labeling.studies import overlap


class Command(BaseCommand):
    help = (
        "Adaptive overlap against three labels for every comparison, on simulated raters: labels "
        "saved and outcomes that are right. Nothing is read or written."
    )
    requires_system_checks: list[str] = []  # it needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seeds", type=int, default=50, metavar="N")
        parser.add_argument("--items", type=int, default=2_000, metavar="N", help="of each seed")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *, seeds: int, items: int, as_json: bool, **_: Any) -> None:
        rows = list(overlap.run(seeds, items))
        if as_json:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        self.stdout.write(f"{seeds} seeds of {items} comparisons, against {overlap.FIXED} labels")
        self.stdout.write(f"{'crowd':<62} {'saved':>22} {'right':>7} {'fixed':>7} {'same':>7}")
        for row in rows:
            saved = f"{row['saved']:.1%} ({row['saved_low']:.1%}-{row['saved_high']:.1%})"
            shares = (row[name] for name in ("right", "right_of_fixed", "same_as_fixed"))
            self.stdout.write(
                f"{row['crowd']:<62} {saved:>22} " + " ".join(f"{one:>7.1%}" for one in shares)
            )
