"""python manage.py import_prompts FILE --campaign SLUG: prompts from JSON lines or CSV."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Campaign
from labeling.prompts import Report, import_prompts


class Command(BaseCommand):
    help = "Add the prompts of a JSONL or CSV file to a campaign: the whole file, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file whose name ends in .jsonl or .csv")
        parser.add_argument("--campaign", required=True, metavar="SLUG")
        parser.add_argument("--licence", default="", help="under which the prompts may be used")
        parser.add_argument(
            "--dry-run", action="store_true", help="check and count, write nothing"
        )

    def handle(self, *, file: Path, campaign: str, licence: str, dry_run: bool, **_: Any) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        try:
            report = import_prompts(campaign=row, path=file, dry_run=dry_run, licence=licence)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self._tell(report, file, dry_run)

    def _tell(self, report: Report, file: Path, dry_run: bool) -> None:
        counts = report.counts
        for problem in report.errors:
            self.stderr.write(str(problem))
        if not report.ok:
            more = counts["errors"] - len(report.errors)
            rest = f" ({more} more are not shown)" if more else ""
            raise CommandError(
                f"Nothing was imported: {file.name} has {counts['errors']} "
                f"{'fault' if counts['errors'] == 1 else 'faults'}{rest}."
            )
        self.stdout.write(
            f"{'Would import' if dry_run else 'Imported'} {counts['new']} prompts of "
            f"{counts['lines']} rows: {counts['train']} to train on, {counts['heldout']} held "
            f"out; {counts['duplicates']} twice in the file, {counts['known']} known already."
        )
        if report.ignored:
            self.stdout.write(f"Passed over: {', '.join(report.ignored)}.")
