"""python manage.py import_preferences FILE --campaign SLUG: others' preferences, to mix in."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.imports.preferences import REASONS
from labeling.models import Campaign
from labeling.preference_sets import Report, import_preferences


class Command(BaseCommand):
    help = (
        "Freeze the preferences of a JSONL file (prompt, chosen, rejected, as TRL takes them and "
        "as our export writes them) for runs to mix in: the whole file, or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file whose name ends in .jsonl")
        parser.add_argument("--campaign", required=True, metavar="SLUG")
        parser.add_argument("--licence", default="", help="under which they may be used")
        parser.add_argument(
            "--skip-faulty",
            action="store_true",
            help="pass over lines that cannot be read, and count them",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="check and count, write nothing"
        )

    def handle(self, *, file: Path, campaign: str, **options: Any) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        chosen = {name: options[name] for name in ("licence", "skip_faulty", "dry_run")}
        try:
            report = import_preferences(campaign=row, path=file, **chosen)
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
        lost = [f"{counts[why]} {why}" for why in (*REASONS, "faulty") if counts[why]]
        self.stdout.write(
            f"{'Would import' if dry_run else 'Imported'} {counts['comparisons']} comparisons "
            f"({counts['pairs']} pairs) of {counts['lines']} lines: {counts['train']} to train "
            f"on, {counts['heldout']} held out; left out: {', '.join(lost) or 'none'}."
        )
        if report.ignored:
            self.stdout.write(f"Passed over: {', '.join(report.ignored)}.")
        if report.snapshot:
            self.stdout.write(
                f"Snapshot {report.snapshot.pk}; to mix it in: manage.py train METHOD "
                f"--snapshot ID=2 --snapshot {report.snapshot.pk}=1"
            )
