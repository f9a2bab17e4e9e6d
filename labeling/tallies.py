"""Sums over labels in force that pages show: kept up to a label, counted anew from there on.

Labels are append-only, so each row changes the sums for good: an answer adds itself, and whatever
supersedes an answer takes that one out again. A tick adds what settled to the kept sums; a reader
adds what came since, so that what it says is exact at any moment. Only an exclusion changes what a
label counts for without a new one: exclusions.py says so (``moved``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Q, QuerySet, Subquery
from django.utils import timezone

from labeling.models import Label, PayRate, QuestionVersion, Tally, TallyCursor
from labeling.models.tallies import NEVER

AT_ONCE = 2_000  # labels in a transaction
CHUNKS = 25  # in one tick
KINDS = tuple(kind for kind, _ in Tally.KINDS)
SETTLED = timedelta(seconds=10)  # no transaction of an answer lasts longer


@dataclass(frozen=True)
class Key:
    """What the labels of a tally have in common; columns as the table's."""

    kind: str
    campaign: int
    iteration: int = 0
    rater: int = 0
    source: str = ""
    about: int = 0
    at: datetime = NEVER
    strength: str = ""
    left: int = -1
    excluded: bool = False


@dataclass
class Sum:
    n: int = 0
    active_ms: int = 0


Sums = dict[Key, Sum]
_COLUMNS = [field.name for field in fields(Key)]
_AT = _COLUMNS.index("at")
_OWN = (
    "kind", "rater_id", "source", "answer", "order", "active_ms", "created_at",
    "question_version_id", "guideline_version_id", "adjudication", "set_aside__exclusion_id",
)  # fmt: skip
_OF_CARD = (
    "rater__kind", "assignment__campaign_id", "assignment__occasion",
    "comparison__purpose", "comparison__iteration_id",
)  # fmt: skip

_CARD, _BEFORE = len(_OWN), len(_OWN) + len(_OF_CARD)


@dataclass(frozen=True)
class Wanted:
    """Which sums are asked for; None asks for all."""

    kinds: tuple[str, ...]
    campaigns: Any = None  # ids, or a query for them
    iteration: int | None = None
    rater: int | None = None
    since: datetime | None = None
    until: datetime | None = None  # the first moment that is not wanted

    def takes(self, key: Key) -> bool:
        return (
            key.kind in self.kinds
            and self.iteration in (None, key.iteration)
            and (self.since is None or key.at >= self.since)
            and (self.until is None or key.at < self.until)
        )

    def kept(self) -> QuerySet[Tally]:
        only = {
            "campaign__in": self.campaigns,
            "iteration": self.iteration,
            "rater": self.rater,
            "at__gte": self.since,
            "at__lt": self.until,
        }
        given = {name: value for name, value in only.items() if value is not None}
        return Tally.objects.filter(kind__in=self.kinds, **given)

    def ahead(self, cursor: int) -> QuerySet[Label]:
        """The labels that are not kept yet."""
        only = {"assignment__campaign__in": self.campaigns, "rater": self.rater}
        given = {name: value for name, value in only.items() if value is not None}
        return Label.objects.filter(pk__gt=cursor, **given)


def of(wanted: Wanted) -> Sums:
    """The sums at this moment. Two queries, and those of the rates or questions of what came
    since the last tick."""
    found, cursor = _kept(wanted.kept())
    for key, added in _changes(wanted.ahead(cursor), wanted.kinds).items():
        if wanted.takes(key):
            _add(found, key, added)
    return {key: one for key, one in found.items() if one.n}


def tick(now: datetime | None = None) -> int:
    """Add to the kept sums what was said since; how many labels that was."""
    before = (now or timezone.now()) - SETTLED
    done = 0
    for _ in range(CHUNKS):
        read = _read_on(before)
        done += read
        if read < AT_ONCE:
            break
    return done


def moved(labels: Collection[int], out: bool) -> None:
    """Labels that an exclusion has just put aside, or let back: inside the transaction that did.
    What is not kept yet is counted as it then is."""
    cursor = _hold()
    kept = [pk for pk in labels if pk <= cursor.label]
    rows = Label.objects.filter(pk__in=kept, kind="answer")
    rows = rows.filter(Q(superseded_by=None) | Q(superseded_by__gt=cursor.label))
    changed: Sums = {}
    for row in _rows(rows):
        for key, one in row.sums(excluded=out):
            _add(changed, key, one)
        for key, one in row.sums(excluded=not out):
            _add(changed, key, one, -1)
    _write(changed)


def recount() -> None:
    """Forget all that is kept; ticks count it anew."""
    with transaction.atomic():
        cursor = _hold()
        Tally.objects.all().delete()
        cursor.label, cursor.zone = 0, settings.TIME_ZONE
        cursor.save()


@dataclass(frozen=True)
class _Row:
    """A label with what its card is."""

    known: _Known
    kind: str
    rater: int
    source: str
    answer: Mapping[str, Any]
    order: list[int]
    active_ms: int | None
    created_at: datetime
    question: int
    guideline: int | None
    decision: int | None
    exclusion: int | None
    rater_kind: str
    campaign: int
    occasion: int
    purpose: str
    iteration: int | None

    def sums(self, excluded: bool | None = None) -> Iterator[tuple[Key, Sum]]:
        """What an answer adds."""
        out = self.exclusion is not None if excluded is None else excluded
        one = Sum(1, self.active_ms or 0)
        wanted = self.known.kinds
        if "paid" in wanted and self.rater_kind == "person" and self.decision is None:
            rate = self.known.rate(self.campaign, self.created_at)
            day = self.known.day(self.created_at)
            yield Key("paid", self.campaign, 0, self.rater, about=rate, at=day, excluded=out), one
        if self.occasion or self.purpose != "work" or not {"said", "hour"} & set(wanted):
            return
        at = self.iteration or 0
        hour = self.created_at.replace(minute=0, second=0, microsecond=0)
        yield Key("hour", self.campaign, at, source=self.source, at=hour, excluded=out), one
        strength, left = self.known.said(self)
        key = Key(
            "said", self.campaign, at, self.rater, self.source,
            strength=strength, left=left, excluded=out,
        )  # fmt: skip
        yield key, one

    def given(self) -> Iterator[tuple[Key, Sum]]:
        """What it adds for good, taken back or not."""
        yield Key("asked", self.campaign, about=self.question), Sum(1)
        yield Key("told", self.campaign, about=self.guideline or 0), Sum(1)


class _Known:
    """Rates and questions, asked for once each; and which kinds of sums are wanted."""

    def __init__(self, kinds: Collection[str]) -> None:
        self.kinds = kinds
        self.zone = ZoneInfo(settings.TIME_ZONE)
        self.rates: defaultdict[int, tuple[list[datetime], list[int]]] | None = None
        self.parts: dict[int, str] = {}

    def rate(self, campaign: int, at: datetime) -> int:
        """The rate of pay in force then; 0 before the first."""
        if self.rates is None:
            self.rates = defaultdict(lambda: ([], []))
            rows = PayRate.objects.order_by("from_at")
            for of, begins, pk in rows.values_list("campaign_id", "from_at", "pk"):
                self.rates[of][0].append(begins)
                self.rates[of][1].append(pk)
        since, ids = self.rates[campaign]
        place = bisect_right(since, at)
        return ids[place - 1] if place else 0

    def day(self, at: datetime) -> datetime:
        """The midnight before, where the installation is."""
        day = at.astimezone(self.zone).date()
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def said(self, row: _Row) -> tuple[str, int]:
        """The strength, and whether the side on the left was chosen, of its question's first
        part."""
        if row.question not in self.parts:
            asked = QuestionVersion.objects.filter(pk=row.question).only("parts").get()
            self.parts[row.question] = next(iter(asked.parts), "")
        part = row.answer.get("parts", {}).get(self.parts[row.question])
        part = part if isinstance(part, dict) else {}
        chosen, strength = part.get("chosen"), part.get("strength")
        is_one = isinstance(chosen, int) and bool(row.order)
        return str(strength or "")[:30], int(chosen == row.order[0]) if is_one else -1


def _read_on(before: datetime) -> int:
    """The next labels; how many. The cursor is held, so that each is added once."""
    with transaction.atomic():
        cursor = _hold()
        ahead = Label.objects.filter(pk__gt=cursor.label).order_by("pk")
        settled = read = 0
        found = ahead.values_list("pk", "created_at", "supersedes__created_at")[:AT_ONCE]
        for place, (pk, at, superseded) in enumerate(found, start=1):
            if at > before:
                break  # a transaction of a smaller id may still be under way
            # A restored answer has the time of its first; only a later label says that it settled.
            if superseded is None or at >= superseded or place == AT_ONCE:
                settled, read = pk, place
        if settled:
            _write(_changes(Label.objects.filter(pk__gt=cursor.label, pk__lte=settled)))
            TallyCursor.objects.filter(pk=cursor.pk).update(label=settled)
    return read


def _hold() -> TallyCursor:
    """The cursor, held until the transaction ends. Where a day began elsewhere when it was last
    written, all is forgotten."""
    TallyCursor.objects.get_or_create(pk=1, defaults={"zone": settings.TIME_ZONE})
    cursor = TallyCursor.objects.select_for_update(no_key=True).get(pk=1)
    if cursor.zone != settings.TIME_ZONE:
        Tally.objects.all().delete()
        cursor.label, cursor.zone = 0, settings.TIME_ZONE
        cursor.save()
    return cursor


def _kept(rows: QuerySet[Tally]) -> tuple[Sums, int]:
    """Kept sums with the label up to which they are, read by one statement."""
    valid = TallyCursor.objects.filter(pk=1, zone=settings.TIME_ZONE)
    found: Sums = {}
    ends = set()
    read = rows.annotate(end=Subquery(valid.values("label")))
    for *key, n, active_ms, end in read.values_list(*_COLUMNS, "n", "active_ms", "end"):
        _add(found, Key(*key), Sum(n, active_ms))
        ends.add(end)
    if found:
        end = ends.pop()
        return (found, end) if end is not None else ({}, 0)
    seen = valid.annotate(some=Exists(rows)).values_list("label", "some").first()
    if seen is None or not seen[1]:
        return {}, seen[0] if seen else 0
    return _kept(rows)  # the first ones were kept since


def _changes(labels: QuerySet[Label], kinds: Collection[str] = KINDS) -> Sums:
    """What these labels change of the sums."""
    found: Sums = {}
    for row, before in _with_superseded(labels, _Known(kinds)):
        if row.kind == "answer":
            for key, one in (*row.sums(), *row.given()):
                _add(found, key, one)
        if before is not None and before.kind == "answer":
            for key, one in before.sums():
                _add(found, key, one, -1)
    return {key: one for key, one in found.items() if one.n or one.active_ms}


def _rows(labels: QuerySet[Label]) -> Iterator[_Row]:
    known = _Known(KINDS)
    for values in labels.values_list(*_OWN, *_OF_CARD):
        yield _Row(known, *values)


def _with_superseded(labels: QuerySet[Label], known: _Known) -> Iterator[tuple[_Row, _Row | None]]:
    """Each label, and the one that it supersedes: of the same card and rater."""
    superseded = [f"supersedes__{name}" for name in _OWN]
    for values in labels.values_list(*_OWN, *_OF_CARD, *superseded):
        own, card, before = values[:_CARD], values[_CARD:_BEFORE], values[_BEFORE:]
        yield (
            _Row(known, *own, *card),
            _Row(known, *before, *card) if before[0] is not None else None,
        )


def _add(sums: Sums, key: Key, more: Sum, times: int = 1) -> None:
    one = sums.setdefault(key, Sum())
    one.n += times * more.n
    one.active_ms += times * more.active_ms


def _write(sums: Sums) -> None:
    """Add to the kept sums; the cursor is held, so nobody else adds to one meanwhile."""
    table, quote = Tally._meta.db_table, connection.ops.quote_name
    stored = {field.name: field.column for field in Tally._meta.local_concrete_fields}
    columns = [str(stored[name]) for name in (*_COLUMNS, "n", "active_ms")]
    named = ", ".join(quote(column) for column in columns)
    once = ", ".join(quote(column) for column in columns[: len(_COLUMNS)])
    sql = (
        f"INSERT INTO {table} AS kept ({named}) VALUES ({', '.join(['%s'] * len(columns))}) "
        f"ON CONFLICT ({once}) DO UPDATE SET n = kept.n + excluded.n, "
        "active_ms = kept.active_ms + excluded.active_ms"
    )
    with connection.cursor() as cursor:
        cursor.executemany(sql, [_prepared(key, sums[key]) for key in sums])


def _prepared(key: Key, one: Sum) -> list[Any]:
    values = [*astuple(key), one.n, one.active_ms]
    values[_AT] = connection.ops.adapt_datetimefield_value(values[_AT])
    return values
