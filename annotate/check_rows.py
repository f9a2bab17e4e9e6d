"""The rows of a lead's page on training, test and gold: items, objections and raters, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from annotate import language
from annotate.shares import Share
from labeling import checks, gold, questions
from labeling.agreement import wilson
from labeling.checks import Score
from labeling.models import Campaign, Comparison, Contest, Gold, Qualification, Seat

SUSPECT = 0.5  # an item that fewer than half get right is looked at, from so many answers on
ENOUGH = 5
FIRST_WORDS = 14


@dataclass(frozen=True)
class ItemRow:
    gold: Gold
    prompt: str
    expected: str  # in words, with the letters of the canonical order
    right: Share
    is_suspect: bool  # most raters say otherwise: the item may be wrong


@dataclass(frozen=True)
class CandidateRow:
    comparison: int
    prompt: str


@dataclass(frozen=True)
class RaterRow:
    seat: Seat
    training: Share
    gold: Share
    test: Qualification | None
    stage: str


@dataclass(frozen=True)
class ContestRow:
    contest: Contest
    prompt: str
    said: str
    expected: str


def items(golds: Iterable[Gold]) -> list[ItemRow]:
    rows = list(golds)
    scores = checks.scores_of([row.pk for row in rows])
    orders = _orders(rows)
    return [
        _item(row, scores.get(row.pk, Score()), orders.get(row.comparison_id, [])) for row in rows
    ]


def raters(campaign: Campaign, seats: Collection[Seat]) -> list[RaterRow]:
    return [_rater(campaign, one) for one in checks.doing(campaign, seats)]


def contests_of(rows: list[Contest]) -> list[ContestRow]:
    return [_contest(row) for row in rows]


def candidates(campaign: Campaign) -> list[CandidateRow]:
    return [CandidateRow(row.pk, first_words(row)) for row in gold.candidates(campaign)]


def first_words(comparison: Comparison) -> str:
    """Of what was asked last."""
    asked = comparison.prompt.messages[-1]["content"]
    return Truncator(asked).words(FIRST_WORDS) or "–"


def stages(campaign: Campaign) -> dict[str, int]:
    """How many people are where, by a key that a template can name."""
    found = checks.by_stage(campaign)
    before = campaign.trains_raters or campaign.pass_mark
    return {
        "training": found.get("", 0) if before else 0,
        "test": found.get("qualification", 0),
        "failed": found.get("failed", 0) if campaign.pass_mark else 0,
        "work": found.get("work", 0) + (0 if before else found.get("", 0)),
    }


def lacks(campaign: Campaign) -> list[str]:
    """What is switched on and has no items: sentences."""
    counts = gold.counts(campaign)
    wanted = (
        (campaign.trains_raters, "training", _("Training is on and has no items yet.")),
        (
            campaign.pass_mark,
            "qualification",
            _("There is a pass mark and no test yet."),
        ),
        (
            campaign.gold_share,
            "gold",
            _("Gold has a share of the cards and no items yet."),
        ),
    )
    return [said for is_on, purpose, said in wanted if is_on and not counts[purpose]]


def share(score: Score) -> Share:
    """With Wilson's interval."""
    low, high = wilson(score.right, score.n)
    return Share(score.right / score.n if score.n else None, low, high, score.n)


def _item(row: Gold, score: Score, order: list[int]) -> ItemRow:
    right = share(score)
    return ItemRow(
        gold=row,
        prompt=first_words(row.comparison),
        expected=words(row, order),
        right=right,
        is_suspect=score.n >= ENOUGH and score.right / score.n < SUSPECT,
    )


def words(row: Gold, order: list[int]) -> str:
    """What is expected, of the parts that are judged."""
    judged: dict[str, Any] = {key: part for key, part in row.expected.items() if key in row.rules}
    return language.translated(questions.words_of({}, {"parts": judged}, order))


def _rater(campaign: Campaign, one: checks.Doing) -> RaterRow:
    before = campaign.trains_raters or campaign.pass_mark
    stage = one.seat.stage or ("training" if before else "work")
    return RaterRow(
        seat=one.seat,
        training=share(one.scores.get("training", Score())),
        gold=share(one.scores.get("gold", Score())),
        test=one.test,
        stage=stage,
    )


def _contest(row: Contest) -> ContestRow:
    label, item = row.result.label, row.result.gold
    asked = label.question_version.parts
    judged = {key: part for key, part in label.answer["parts"].items() if key in item.rules}
    return ContestRow(
        contest=row,
        prompt=item.comparison.prompt.messages[-1]["content"],
        said=language.translated(questions.words_of(asked, {"parts": judged}, label.order)),
        expected=words(item, label.order),
    )


def _orders(rows: list[Gold]) -> dict[int, list[int]]:
    """The completions of each comparison in their canonical order."""
    found: dict[int, list[int]] = {}
    for comparison, completion in gold.shown([row.comparison_id for row in rows]):
        found.setdefault(comparison, []).append(completion)
    return found
