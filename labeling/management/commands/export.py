"""python manage.py export CAMPAIGN --format trl --out FILE: training-ready preferences."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import aggregated_rows, aggregates, exports, snapshots
from labeling.exports import files
from labeling.exports.trl import OTHER_SOURCE
from labeling.judgements import SOURCES
from labeling.models import Campaign
from models_runtime import audit


class Command(BaseCommand):
    help = "Write a campaign's preferences to a JSONL or Parquet file that trains as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("campaign", metavar="CAMPAIGN", help="the campaign's slug")
        add("--format", default="trl", choices=exports.EXPORTS)
        add("--out", required=True, type=Path, metavar="FILE", help="FILE.jsonl or FILE.parquet")
        add(
            "--margin", choices=["small", "large"], help="add a margin column, by Llama 2's tables"
        )
        add("--per-label", action="store_true", help="a row for each label, not the majority's")
        add(
            "--source",
            default="person",
            choices=[*SOURCES, "all"],
            help="whose labels (default: people's); where people answered, only they have a vote",
        )
        add("--split", default="all", choices=["train", "heldout", "reserved", "all"])
        add(
            "--aggregate",
            choices=["", *aggregates.TITLES],
            help="by which rule many raters' labels become one, with soft labels (default: the "
            'campaign\'s; "" is the majority without them)',
        )
        add("--iteration", type=int, metavar="N", help="of this iteration alone")

    def handle(self, *, campaign: str, **given: Any) -> None:
        row = Campaign.objects.filter(slug=campaign).select_related("project").first()
        if row is None:
            raise CommandError(f"There is no campaign named {campaign}.")
        number = given["iteration"]
        if number is not None and not row.iterations.filter(number=number).exists():
            raise CommandError(f"{campaign} has no iteration {number}.")
        counts: Counter[str] = Counter()
        try:
            self._write(row, given, counts)
        except files.Empty:
            raise CommandError(_nothing(row, given["source"], counts)) from None
        except OSError as error:
            raise CommandError(f"{given['out']} cannot be written: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self._tell(given["out"], counts)

    def _write(self, campaign: Campaign, given: dict[str, Any], counts: Counter[str]) -> None:
        module = exports.load(given["format"])
        rule = _rule(campaign, module, given)
        options = _options(module, given)
        with snapshots.consistent_read():
            if rule:
                once = snapshots.judged(campaign, only=given["iteration"])
                sources = options.sources
                options = dataclasses.replace(
                    options, fitted=aggregated_rows.fit(campaign, once, rule, sources)
                )
            judged = snapshots.judged(campaign, only=given["iteration"])
            rows = module.rows(judged, options, counts)
            files.write(rows, module.columns(options), given["out"])
            counts["superseded answers"] = snapshots.superseded(campaign, only=given["iteration"])
        audit.record(
            verb="exported",
            obj=campaign,
            data={"format": given["format"], "source": given["source"], **counts},
        )

    def _tell(self, out: Path, counts: Counter[str]) -> None:
        """What was written on standard output; what was left out on standard error."""
        counts = counts.copy()
        written, heldout = counts.pop("rows"), counts.pop("rows held out")
        self.stdout.write(f"Wrote {written} rows to {out}.")
        left_out = ", ".join(f"{n} {why}" for why, n in sorted(counts.items()) if n)
        self.stderr.write(f"Left out: {left_out or 'nothing'}.")
        if heldout:
            self.stderr.write(
                f"{heldout} of the rows are held out for evaluation (split = heldout): "
                "--split train leaves them out."
            )


def _options(module: ModuleType, given: dict[str, Any]) -> Any:
    """What was asked for, as the format's Options. Raises ValueError for what it does not have."""
    asked = {
        "sources": SOURCES if given["source"] == "all" else (given["source"],),
        "split": given["split"],
        "margin": given["margin"],
        "per_label": given["per_label"],
    }
    known = {option.name for option in dataclasses.fields(module.Options)}
    for name in asked:
        if asked[name] and name not in known:
            raise ValueError(f"The format {given['format']} has no --{name.replace('_', '-')}.")
    return module.Options(**{name: value for name, value in asked.items() if name in known})


def _rule(campaign: Campaign, module: ModuleType, given: dict[str, Any]) -> str:
    """The rule that was asked for, else the campaign's where the format knows rules. Raises
    ValueError where they cannot be had together."""
    known = "fitted" in {option.name for option in dataclasses.fields(module.Options)}
    asked = given["aggregate"]
    if asked and not known:
        raise ValueError(f"The format {given['format']} has no --aggregate.")
    if asked and given["per_label"]:
        raise ValueError("--per-label gives every label: no rule makes one of many.")
    if not known or given["per_label"]:
        return ""
    return str(campaign.aggregation if asked is None else asked)


def _nothing(campaign: Campaign, source: str, counts: Counter[str]) -> str:
    """Why there is no row, in one sentence."""
    others = counts[OTHER_SOURCE] + counts["labels of other sources"]
    if others:
        whose = {"person": "people", "program": "programs", "simulated": "simulated raters"}
        return (
            f"{campaign.name} has no labels by {whose[source]}, only by others "
            "(such as simulated raters): --source all takes them, marked in the source column."
        )
    dropped = ", ".join(f"{n} {why}" for why, n in sorted(counts.items()) if n)
    return f"{campaign.name} has no preference to export{f' ({dropped})' if dropped else ''}."
