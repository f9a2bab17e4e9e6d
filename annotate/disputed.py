"""What a lead's page of one comparison shows: the card as it is asked, and what raters said."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F
from django.utils import timezone

from annotate import cards, language
from annotate.cards import Card
from labeling import accepted, adjudications, exclusions, questions
from labeling.disputes import REASONS
from labeling.models import Assignment, Campaign, Comparison, Dispute, Label, QuestionVersion, User

MOST = 50  # labels on a page: a comparison has as many as raters were asked for


@dataclass(frozen=True)
class Said:
    """One rater's label. ``shown`` is the order of the letters as they saw them."""

    label: Label
    words: str
    shown: str
    texts: list[str]
    outside: str  # why it is not accepted
    may_return: bool

    @property
    def seconds(self) -> float | None:
        spent = self.label.active_ms
        return None if spent is None else spent / 1000


@dataclass(frozen=True)
class Marks:
    """What an export says of a campaign's labels beside them: how many comparisons a lead
    decided, how many labels came late, and how many are excluded and not in it."""

    adjudicated: int
    late: int
    excluded: int

    def __bool__(self) -> bool:
        return bool(self.adjudicated or self.late or self.excluded)


def marks(campaign: Campaign) -> Marks:
    """Each is counted by an index of its own, which holds no label besides."""
    # The sum keeps the database from going through the campaign's cards instead.
    late = Label.objects.annotate(of=F("comparison__campaign") + 0).filter(of=campaign.pk)
    late = late.filter(accepted.rule(), late=True)
    return Marks(adjudications.answered(campaign), late.count(), exclusions.excluded(campaign))


def card_of(comparison: Comparison, lead: User, question: QuestionVersion) -> Card:
    """The card in canonical order, which belongs to nobody; nothing is filled in."""
    now = timezone.now()
    card = Assignment(
        comparison=comparison,
        rater=lead,
        campaign=comparison.campaign,
        order=order_of(comparison),
        leased_until=now,
    )
    return cards.build(card, question, {})


def order_of(comparison: Comparison) -> list[int]:
    shown = comparison.items.order_by("position").values_list("completion_id", flat=True)
    return list(shown)


def said(comparison: Comparison) -> list[Said]:
    """What raters say of it now, the first first; with what is excluded."""
    rows = Label.objects.filter(accepted.in_force(), comparison=comparison)
    rows = rows.exclude(accepted.decision()).select_related(
        "rater",
        "assignment",
        "question_version",
        "set_aside",
        "adjudication",
        "superseded_by",
        "comparison__iteration",
        "comparison__campaign",
    )
    order = order_of(comparison)
    return [_said(label, order) for label in rows.prefetch_related("texts").order_by("id")[:MOST]]


def labels(comparisons: Collection[Comparison]) -> dict[int, int]:
    """How many labels each has, by id. Answers to what checks a rater take no place in a count of
    theirs: they are counted here."""
    found = {row.pk: row.counted for row in comparisons}
    rows = Label.objects.filter(
        accepted.in_force(), comparison__in=[row for row in comparisons if row.purpose != "work"]
    )
    counts = rows.exclude(accepted.decision()).order_by().values_list("comparison")
    return found | dict(counts.annotate(n=Count("pk")))


def reasons(dispute: Dispute | None) -> list[str]:
    """Why a comparison was put up, in words."""
    if dispute is None:
        return []
    return [said for name, said in REASONS.items() if getattr(dispute, name)]


def _said(label: Label, order: list[int]) -> Said:
    asked = label.question_version.parts
    outside = accepted.why_not(label)
    return Said(
        label=label,
        words=language.translated(questions.words_of(asked, label.answer, order)),
        shown=" ".join(_letters(label.order, order)),
        texts=[row.text for row in label.texts.all() if row.erased_at is None],
        outside=language.translated(outside) if outside else "",
        may_return=not outside and label.source == "person",
    )


def _letters(shown: list[int], order: list[int]) -> list[Any]:
    places = {pk: cards.LETTERS[place] for place, pk in enumerate(order[: len(cards.LETTERS)])}
    return [places.get(pk, "–") for pk in shown]
