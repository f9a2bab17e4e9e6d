"""Which comparisons a lead should look at, and the worst first: kept in rows of their own, so that
no page reads labels to find them.

A tick reads what raters said since it last looked; whatever else changes the picture (a flag, an
exclusion, a decision) has its comparisons looked at anew. What a row says follows from the
comparison's accepted labels, unresolved flags and decisions alone, so that looking twice changes
nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from labeling import accepted, questions
from labeling.models import (
    Adjudication,
    Campaign,
    Comparison,
    Dispute,
    DisputeCursor,
    Flag,
    GoldResult,
    Label,
)
from models_runtime.phrases import phrase

AT_ONCE = 1_000  # labels that a tick reads in one go
SETTLED = timedelta(seconds=10)  # no transaction of an answer lasts longer
DISCORDANT = 1 / 3  # of a ranking's pairs that were judged twice: from here on it is put up
REASONS = {
    "personal": phrase("Personal data"),
    "flagged": phrase("Flagged by raters"),
    "gold": phrase("A known answer is missed"),
    "disagree": phrase("Raters disagree"),
    "ranking": phrase("Rankings differ"),
}
# Of a strength, and of a choice that states none.
_STRENGTH = {"significantly": 4.0, "better": 3.0, "slightly": 2.0, "negligibly": 1.0, None: 2.0}
_TIED = 0.5  # somebody who sees no difference hardly disagrees
_FIRST = {"personal": 1000.0, "flagged": 100.0, "gold": 10.0}

Votes = dict[tuple[int, int], dict[int, float]]  # by pair, ascending: strength by who is better


@dataclass(frozen=True)
class Odds:
    """How far raters are apart on a comparison: the strength with which the weaker side of its
    most disputed pair was chosen, and the share of pairs judged twice on which they differ."""

    strength: float = 0.0
    discordant: float = 0.0


def tick(now: datetime | None = None) -> int:
    """Look at what was answered since; how many labels that was. One worker at a time."""
    before = (now or timezone.now()) - SETTLED
    done = 0
    while found := _read_on(before):
        done += found
        if found < AT_ONCE:
            break
    return done


def look_at(comparisons: Iterable[int]) -> None:
    """Say anew of each of these comparisons whether a lead should look at it."""
    ids = sorted(set(comparisons))
    if not ids:
        return
    found = Comparison.objects.filter(pk__in=ids).annotate(completions_shown=Count("items"))
    rows = {row.pk: row for row in found.order_by("pk")}
    odds, flags, missed, settled = _odds(ids), _flags(ids), _missed(ids), _settled(ids)
    made, gone = [], []
    for pk, row in rows.items():
        ranked = row.completions_shown > 2
        reasons = _reasons(ranked, odds.get(pk, Odds()), flags.get(pk, set()))
        reasons["gold"] = pk in missed
        if not any(reasons.values()):
            gone.append(pk)
            continue
        weight = odds.get(pk, Odds()).strength
        weight += sum(_FIRST.get(name, 0.0) for name, holds in reasons.items() if holds)
        is_open = pk not in settled and row.state != "discarded"
        made.append(
            Dispute(
                comparison=row,
                campaign_id=row.campaign_id,
                weight=weight,
                is_open=is_open,
                **reasons,
            )
        )
    with transaction.atomic():
        # In one order, whoever else looks at some of the same.
        kept = Dispute.objects.filter(comparison__in=ids).order_by("comparison_id")
        list(kept.select_for_update(no_key=True).values_list("pk", flat=True))
        Dispute.objects.filter(comparison__in=gone).delete()
        Dispute.objects.bulk_create(
            made,
            update_conflicts=True,
            unique_fields=["comparison"],
            update_fields=["weight", "is_open", *REASONS],
        )


def of(campaign: Campaign, reason: str = "") -> QuerySet[Dispute]:
    """The open ones, the heaviest first; of one reason where it is a known one."""
    rows = Dispute.objects.filter(campaign=campaign, is_open=True)
    if reason in REASONS:
        rows = rows.filter(**{reason: True})
    return rows.order_by("-weight", "id")


def apart(answers: Iterable[Label]) -> Odds:
    """How far these labels are apart. Reads each one's question."""
    votes: Votes = defaultdict(lambda: defaultdict(float))
    twice: dict[tuple[int, int], list[int]] = defaultdict(list)
    for label in answers:
        asked = label.question_version
        ordered, ties = questions.preferences_of(asked.parts, label.answer, asked.trains_on)
        for one in ordered:
            pair = (min(one.chosen, one.rejected), max(one.chosen, one.rejected))
            votes[pair][one.chosen] += _STRENGTH[one.strength]
            twice[pair].append(one.chosen)
        for ids in ties:
            pair = (min(ids), max(ids))
            votes[pair][0] += _TIED
            twice[pair].append(0)
    return Odds(_most_disputed(votes), _discordant(twice))


def _most_disputed(votes: Votes) -> float:
    sides = [sorted(by.values()) for by in votes.values() if len(by) > 1]
    return max((side[-2] for side in sides), default=0.0)


def _discordant(twice: Mapping[tuple[int, int], list[int]]) -> float:
    judged = [said for said in twice.values() if len(said) > 1]
    return sum(len(set(said)) > 1 for said in judged) / len(judged) if judged else 0.0


def _reasons(ranked: bool, odds: Odds, flags: Collection[str]) -> dict[str, bool]:
    return {
        "personal": "personal_data" in flags,
        "flagged": bool(flags),
        "disagree": odds.strength > 0 and not ranked,
        "ranking": ranked and odds.discordant >= DISCORDANT,
    }


def _odds(ids: list[int]) -> dict[int, Odds]:
    """Of comparisons with two accepted labels or more."""
    by: dict[int, list[Label]] = defaultdict(list)
    rows = accepted.of(Label.objects.filter(comparison__in=ids))
    for label in rows.select_related("question_version").order_by("id"):
        by[label.comparison_id].append(label)
    return {pk: apart(given) for pk, given in by.items() if len(given) > 1}


def _flags(ids: list[int]) -> dict[int, set[str]]:
    by: dict[int, set[str]] = defaultdict(set)
    rows = Flag.objects.filter(comparison__in=ids, resolved_at__isnull=True)
    for comparison, code in rows.values_list("comparison_id", "code"):
        by[comparison].add(code)
    return by


def _missed(ids: list[int]) -> set[int]:
    """Comparisons with a known answer that at least half of those who met it missed: their
    raters erred, or the known answer does."""
    rows = GoldResult.objects.filter(
        accepted.in_force("label"),
        gold__comparison__in=ids,
        void_at__isnull=True,
        right__isnull=False,
    )
    by: dict[int, list[bool]] = defaultdict(list)
    for comparison, right in rows.values_list("gold__comparison_id", "right"):
        by[comparison].append(bool(right))
    return {pk for pk, right in by.items() if 2 * right.count(False) >= len(right)}


def _settled(ids: list[int]) -> set[int]:
    """What a lead has decided, and not taken back."""
    rows = Adjudication.objects.filter(comparison__in=ids, undone_by__isnull=True)
    return set(rows.exclude(kind="undone").values_list("comparison_id", flat=True))


def _read_on(before: datetime) -> int:
    """The next labels; how many. The cursor is held, so that of two ticks one reads them."""
    with transaction.atomic():
        DisputeCursor.objects.get_or_create(pk=1)
        cursor = DisputeCursor.objects.select_for_update(no_key=True).get(pk=1)
        rows = Label.objects.filter(pk__gt=cursor.label).order_by("pk")
        found = []
        for pk, comparison, at in rows.values_list("pk", "comparison_id", "created_at")[:AT_ONCE]:
            if at > before:
                break  # a transaction of a smaller id may still be under way
            found.append((pk, comparison))
        if not found:
            return 0
        look_at(comparison for _, comparison in found)
        cursor.label = found[-1][0]
        cursor.save(update_fields=["label"])
    return len(found)
