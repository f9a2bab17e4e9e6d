"""python manage.py texts CAMPAIGN --out FILE: what raters typed, with what it is about."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import snapshots, typed_texts
from labeling.exports import files
from labeling.models import Campaign
from models_runtime import audit


class Command(BaseCommand):
    help = "Write a campaign's rationales, critiques and other typed texts to JSONL or Parquet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign's slug")
        parser.add_argument(
            "--out", required=True, type=Path, metavar="FILE", help="FILE.jsonl or FILE.parquet"
        )

    def handle(self, *, campaign: str, out: Path, **_options: Any) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        try:
            with snapshots.consistent_read():
                texts = typed_texts.of(row).iterator(chunk_size=typed_texts.CHUNK)
                count = files.write(typed_texts.rows(row, texts), typed_texts.COLUMNS, out)
        except files.Empty:
            raise CommandError(f"Nobody has typed a text in {row.name} yet.") from None
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        audit.record(verb="exported", obj=row, data={"format": "texts", "rows": count})
        self.stdout.write(f"Wrote {count} texts to {out}.")
