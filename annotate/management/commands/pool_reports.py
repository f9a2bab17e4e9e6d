"""Pool the reports of several run_loop runs: does correctness rise with rated strength?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import loop_report


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reports", nargs="+", help="JSON files that run_loop wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reports = [json.loads(Path(name).read_text("utf-8")) for name in options["reports"]]
            pooled = loop_report.strength_slope(reports)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"That is no report of run_loop: {error}.") from error
        self.stdout.write(f"{pooled['n']} held-out comparisons")
        for name, found in pooled["by_strength"].items():
            share = "-" if found["accuracy"] is None else f"{100 * found['accuracy']:.1f} %"
            self.stdout.write(f"{name:>14} {found['n']:>6} {share:>8}")
        self.stdout.write(
            f"slope {pooled['slope']} a step, standard error {pooled['standard_error']}, "
            f"p = {pooled['p']}"
        )
