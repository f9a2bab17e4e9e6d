"""python manage.py import_suggestions CAMPAIGN FILE: cards with answers for people to review."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Campaign
from labeling.suggestions import Report, import_suggestions


class Command(BaseCommand):
    help = (
        "Add the cards of a JSONL file (prompt, completions, suggested, by) to a campaign, for "
        "people to confirm or repair what is suggested: the whole file, or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign's slug")
        parser.add_argument("file", type=Path, help="a file whose name ends in .jsonl")
        parser.add_argument("--licence", default="", help="under which the prompts may be used")
        parser.add_argument(
            "--skip-faulty",
            action="store_true",
            help="pass over lines that cannot be read, and count them",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="check and count, write nothing"
        )

    def handle(self, *, campaign: str, file: Path, **options: Any) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project", "question").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        chosen = {name: options[name] for name in ("licence", "skip_faulty", "dry_run")}
        try:
            report = import_suggestions(campaign=row, path=file, **chosen)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self._tell(report, file, dry_run=options["dry_run"], skipped=options["skip_faulty"])

    def _tell(self, report: Report, file: Path, *, dry_run: bool, skipped: bool) -> None:
        counts = report.counts
        for problem in report.errors:
            self.stderr.write(str(problem))
        if counts["faulty"] and not skipped:
            faults = "1 fault" if counts["faulty"] == 1 else f"{counts['faulty']} faults"
            raise CommandError(
                f"Nothing was imported: {file.name} has {faults}; --skip-faulty passes over them."
            )
        self.stdout.write(
            f"{'Would import' if dry_run else 'Imported'} {counts['cards']} cards of "
            f"{counts['lines']} lines: {counts['known']} known already, {counts['duplicates']} "
            f"again in the file, {counts['faulty']} faulty."
        )
        if counts["waiting"]:
            self.stdout.write(
                f"Of these {counts['waiting']} hold long texts: raters get them as a worker "
                "renders them."
            )
        if report.ignored:
            self.stdout.write(f"Passed over: {', '.join(report.ignored)}.")
