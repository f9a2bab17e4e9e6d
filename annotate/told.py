"""What a rater is told about their answers to items: what was expected and why, how their test
ended, what became of an objection. It comes before the next card, and stays until it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotate import cards, language
from annotate.cards import LETTERS, Side
from labeling import asides, contests, gold_results, qualification, questions
from labeling.models import Campaign, Contest, GoldResult, Label, User
from labeling.seats import Work


@dataclass(frozen=True)
class Lesson:
    """One answer beside what was expected, with the letters and the order that its rater saw."""

    result: GoldResult
    turns: list[dict[str, str]]
    sides: list[Side]
    said: str
    expected: str
    explanation: str  # safe HTML
    contest: Contest | None

    @property
    def may_contest(self) -> bool:
        return self.contest is None


def pending(rater: User, campaign: Campaign, work: Work, *, at_work: bool) -> dict[str, Any]:
    """What is to be read now, as a template's context: {"lesson"}, {"decision"}, {"verdict"}, or
    nothing. ``at_work``: a card follows, so that only what belongs to it is asked for."""
    if not asides.are_in_use(campaign, rater):
        return {}
    if campaign.gold_feedback or (campaign.trains_raters and not (at_work and work.stage)):
        result = gold_results.to_tell(rater, campaign).select_related("gold").first()
        if result is not None:
            return {"lesson": lesson(result)}
    if at_work:
        return {}
    if contest := contests.to_tell(rater, campaign):
        return {"decision": contest, "lesson_of": lesson(contest.result)}
    if verdict := qualification.to_tell(rater, campaign):
        return {"verdict": verdict}
    return {}


def lesson(result: GoldResult) -> Lesson:
    label = Label.objects.select_related(
        "question_version", "assignment", "comparison__prompt"
    ).get(pk=result.label_id)
    shown = label.assignment.completions
    return Lesson(
        result=result,
        turns=cards.turns(label.comparison.prompt.messages),
        sides=[
            cards.side(letter, shown[pk]) for letter, pk in zip(LETTERS, label.order, strict=False)
        ],
        said=_words(label, label.answer["parts"], result),
        expected=_words(label, result.gold.expected, result),
        explanation=cards.said_html(result.gold.explanation),
        contest=Contest.objects.filter(result=result).first(),
    )


def _words(label: Label, parts: dict[str, Any], result: GoldResult) -> str:
    """Of the parts that are judged."""
    judged = {key: part for key, part in parts.items() if key in result.gold.rules}
    said = questions.words_of(label.question_version.parts, {"parts": judged}, label.order)
    return language.translated(said)
