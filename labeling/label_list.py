"""The labels behind a number: accepted ones, filtered, the newest first, a page at a time.

What a label says lies in its answer, which no index knows. So a page looks through a stretch of
the newest labels below its cursor and no further: it costs the same among a million, and says
where the next stretch begins.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import F, IntegerField, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast

from labeling import accepted, questions
from labeling.models import Campaign, Label, User
from models_runtime.records import STRENGTHS

PAGE = 50
STRETCH = 20_000  # labels that one page looks through
SPLITS = 40  # ids that are looked at together to find a moment
OUTCOMES = ("tie", "both_bad", "unsure")
SAID = (*STRENGTHS, "prefer", *OUTCOMES)
SIDES = ("first", "second")


@dataclass(frozen=True)
class Wanted:
    """What to show. ``said`` is a strength, "prefer" for any preference, or an outcome; ``side``
    whether the text shown first was chosen; days are whole ones in UTC, both included."""

    rater: User | None = None
    source: str = ""
    said: str = ""
    side: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    before: int | None = None  # only labels of lower ids
    reserved: bool = False  # only of comparisons that are kept for evaluation


@dataclass(frozen=True)
class Page:
    """``older`` is the cursor of what follows, None at the end; ``is_whole`` whether the stretch
    ended before the page was full, so that there may be more further back."""

    labels: list[Label]
    older: int | None
    is_whole: bool


def find(campaign: Campaign, wanted: Wanted) -> Page:
    """The newest accepted labels that are wanted."""
    wanted = _in_time(wanted)
    rows = Label.objects.filter(assignment__campaign=campaign, **_own(wanted))
    floor = _floor(rows, wanted)
    if floor is not None:
        rows = rows.filter(pk__gte=floor)
    if wanted.reserved:
        rows = rows.filter(comparison__reserved=True)
    named = accepted.of(_saying(rows, campaign, wanted)).select_related(
        "rater", "question_version", "comparison__prompt", "guideline_version"
    )
    found = list(named.order_by("-pk")[: PAGE + 1])
    if len(found) > PAGE:
        return Page(found[:PAGE], found[PAGE - 1].pk, is_whole=False)
    return Page(found, floor, is_whole=floor is not None)


def _own(wanted: Wanted) -> dict[str, Any]:
    """Conditions that the label's own row answers."""
    found: dict[str, Any] = {
        "rater": wanted.rater,
        "source": wanted.source,
        "pk__lt": wanted.before,
        "created_at__gte": _midnight(wanted.since),
        "created_at__lt": _midnight(wanted.until, later=1),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _floor(rows: QuerySet[Label], wanted: Wanted) -> int | None:
    """The lowest id that this page looks at; None where that is all there are. Only where an
    answer has to be read is the stretch limited."""
    if not (wanted.said or wanted.side or wanted.reserved):
        return None
    ids = rows.order_by("-pk").values_list("pk", flat=True)
    return ids[STRETCH - 1 : STRETCH].first()


def _saying(rows: QuerySet[Label], campaign: Campaign, wanted: Wanted) -> QuerySet[Label]:
    if not (wanted.said or wanted.side):
        return rows
    part = KeyTransform(compared(campaign), KeyTransform("parts", "answer"))
    rows = rows.annotate(outcome=_text("outcome", part))
    if wanted.said in OUTCOMES:
        rows = rows.filter(outcome=wanted.said)
    elif wanted.said or wanted.side:
        rows = rows.filter(outcome="prefer")
    if wanted.said in STRENGTHS:
        rows = rows.annotate(strength=_text("strength", part))
        rows = rows.filter(strength=wanted.said)
    if wanted.side:
        first = Cast(KeyTextTransform("0", "order"), IntegerField())
        chosen = Cast(KeyTextTransform("chosen", part), IntegerField())
        rows = rows.annotate(shown_first=first, chosen=chosen)
        own = {"chosen": F("shown_first")}
        rows = rows.filter(**own) if wanted.side == "first" else rows.exclude(**own)
    return rows


def _text(name: str, part: KeyTransform) -> Cast:
    """As text: a key's own transform would compare it as JSON."""
    return Cast(KeyTextTransform(name, part), TextField())


def compared(campaign: Campaign) -> str:
    """The part whose outcomes the quality page counts."""
    parts = campaign.question.parts if campaign.question else {}
    pairs = (key for key, part in parts.items() if part.get("type") == "pairwise")
    return next(pairs, "") or questions.voting_part(parts) or ""


def _in_time(wanted: Wanted) -> Wanted:
    """With the cursor where the last day ends, so that no stretch is spent on newer labels."""
    ends = _midnight(wanted.until, later=1)
    if ends is None or wanted.before is not None:
        return wanted
    return dataclasses.replace(wanted, before=_first_after(ends))


def _first_after(moment: dt.datetime) -> int:
    """An id above all labels of before ``moment``, by looking at ever closer ids: labels are
    stored as they come. A few more may lie below; their own moment is asked for besides."""
    # Asked for both at once, SQLite goes through all labels.
    all_ids = Label.objects.values_list("pk", flat=True)
    low = all_ids.order_by("pk").first() or 0
    high = (all_ids.order_by("-pk").first() or 0) + 1
    while high - low > SPLITS:
        step = -(-(high - low) // SPLITS)
        ids = range(low, high, step)
        seen = Label.objects.filter(pk__in=ids).values_list("pk", "created_at")
        later = {pk: at >= moment for pk, at in seen}
        before = low, high
        high = min((pk for pk, is_later in later.items() if is_later), default=high)
        low = max((pk for pk, is_later in later.items() if not is_later), default=low)
        if (low, high) == before:  # only ids of no label were looked at
            break
    return high


def _midnight(day: dt.date | None, later: int = 0) -> dt.datetime | None:
    if day is None:
        return None
    return dt.datetime.combine(day + dt.timedelta(days=later), dt.time(), dt.UTC)
