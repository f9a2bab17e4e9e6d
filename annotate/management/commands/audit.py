"""``python manage.py audit --since 2026-11-01 --json``: the audit log of every project, and what
belongs to none, as a tried name that nobody has."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from annotate import audit_log
from annotate.audit_log import Filter
from labeling.models import Campaign, User
from models_runtime.models import Project


class Command(BaseCommand):
    help = "Print the audit log, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", metavar="TIME", help="a day, or a time, as ISO 8601")
        parser.add_argument("--until", metavar="TIME", help="up to it, itself left out")
        parser.add_argument("--verb", default="", help='what was done, as "campaign moved"')
        parser.add_argument("--project", metavar="SLUG")
        parser.add_argument("--campaign", metavar="SLUG")
        parser.add_argument("--person", metavar="USERNAME", help="who did it")
        parser.add_argument("--search", default="", help="a name, a word or a number")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, **options: Any) -> None:
        wanted = Filter(
            project=_named(Project, "slug", options["project"]),
            verb=options["verb"],
            person=_named(User, "username", options["person"]),
            campaign=_named(Campaign, "slug", options["campaign"]),
            since=_time(options["since"]),
            until=_time(options["until"]),
            text=options["search"],
        )
        say = json.dumps if options["json"] else _line
        for event in audit_log.every(audit_log.events(wanted)):
            self.stdout.write(say(audit_log.as_row(event)))


def _named(model: Any, field: str, name: str | None) -> Any:
    if not name:
        return None
    found = model.objects.filter(**{field: name}).first()
    if found is None:
        raise CommandError(f"There is no {model._meta.verbose_name} named {name}.")
    return found


def _time(text: str | None) -> datetime | None:
    """A day is its midnight, in the server's time zone, as is a time without one."""
    if not text:
        return None
    try:
        day = parse_date(text)
        found = datetime.combine(day, time.min) if day else parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text} is no time: write it as 2026-11-01 or 2026-11-01T12:00.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def _line(row: dict[str, Any]) -> str:
    states = " > ".join(name for name in (row["from_state"], row["to_state"]) if name)
    parts = [
        row["at"][:19], row["person"] or "-", row["verb"],
        f"{row['object_type']} {row['object_id']}", states, row["channel"] or "",
        row["address"] or "", row["agent"] or "",
    ]  # fmt: skip
    return "  ".join(part for part in parts if part)
