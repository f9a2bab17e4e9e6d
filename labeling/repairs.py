"""What raters made of suggested answers: confirmed, or repaired, part by part.

A suggestion counts nowhere until a person answers its card; what they changed is read off their
label and the suggestion beside it, and kept nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Prefetch, QuerySet
from django.db.models.fields.json import KeyTextTransform

from labeling import accepted, questions, suggested_answers
from labeling.models import Assignment, Campaign, Comparison, Label, QuestionVersion, RaterText
from models_runtime.phrases import together

CHUNK = 500
COUNTED = 1_000  # reviewed cards whose parts are counted: the newest


@dataclass(frozen=True)
class Tally:
    """Of the newest reviewed cards, by KEY of a part: how often it was confirmed and repaired."""

    cards: int = 0
    known: int = 0  # cards of which no text was erased since
    untouched: int = 0  # of these, cards of which every suggested part was confirmed
    confirmed: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)


def suggested(assignment: Assignment, question: QuestionVersion) -> dict[str, dict[str, str]]:
    """The answer that was suggested for a card that its rater has never answered, as the form
    posts it; empty where there is none to this question."""
    kept = assignment.comparison.suggestion
    if not kept or assignment.submitted_at or kept["trains_on"] != question.trains_on:
        return {}
    return suggested_answers.given(question.parts, kept, assignment.order)


def suggester(assignment: Assignment) -> str:
    """Who suggested it, where the campaign lets raters know."""
    kept = assignment.comparison.suggestion
    named = assignment.comparison.campaign.names_suggesters
    return str(kept["by"]) if kept and named else ""


def waiting(campaign: Campaign) -> int:
    """Cards with a suggestion that still want an answer."""
    return _cards(campaign).filter(state="open", overlap__gt=0).count()


def cards(campaign: Campaign) -> int:
    """Cards with a suggestion that raters get or got."""
    return _cards(campaign).filter(overlap__gt=0).count()


def reviewed(campaign: Campaign) -> QuerySet[Label]:
    """People's answers in force to cards that showed them a suggestion."""
    rows = Label.objects.filter(accepted.rule(), comparison__in=_cards(campaign), source="person")
    asked = KeyTextTransform("trains_on", "comparison__suggestion")
    return rows.alias(asked=asked).filter(asked=F("question_version__trains_on"))


def whole(labels: QuerySet[Label]) -> QuerySet[Label]:
    """With all that the functions below read."""
    return labels.select_related("comparison", "question_version").prefetch_related("texts")


def verdicts(label: Label, texts: Iterable[RaterText]) -> dict[str, bool | None]:
    """By KEY of each suggested part, whether the rater changed it; None where its text was erased
    since. ``texts`` are the label's."""
    kept = label.comparison.suggestion
    assert kept is not None  # asked of cards with a suggestion
    typed = {row.part: None if row.erased_at else row.text for row in texts}
    return suggested_answers.repaired(kept, label.answer, typed)


def tally(campaign: Campaign) -> Tally:
    """Reads no more of a label than its answer and its texts: every look at the campaign's page
    pays for it."""
    cards = known = untouched = 0
    confirmed, changed = Counter[str](), Counter[str]()
    texts = RaterText.objects.only("label_id", "part", "text", "erased_at")
    labels = reviewed(campaign).select_related("comparison").order_by("-pk")
    labels = labels.only("answer", "comparison__suggestion")
    for label in labels.prefetch_related(Prefetch("texts", texts))[:COUNTED]:
        found = verdicts(label, label.texts.all())
        cards += 1
        if None not in found.values():
            known += 1
            untouched += not any(found.values())
        confirmed.update(key for key, is_changed in found.items() if is_changed is False)
        changed.update(key for key, is_changed in found.items() if is_changed)
    return Tally(cards, known, untouched, confirmed, changed)


def repaired(labels: QuerySet[Label]) -> Iterator[tuple[Label, dict[str, str]]]:
    """Every label with each part that its rater changed. Memory stays flat."""
    for label in labels.iterator(chunk_size=CHUNK):
        for row in repaired_parts(label, list(label.texts.all())):
            yield label, row


def repaired_parts(label: Label, texts: list[RaterText]) -> list[dict[str, str]]:
    """Of each part that the rater changed (its KEY), what was ``suggested`` and what was
    ``given``: in words with the letters that they saw, and what was typed as it was."""
    changed = [key for key, is_changed in verdicts(label, texts).items() if is_changed]
    return [{"part": key, **_both(label, key, texts)} for key in changed]


def frozen(label: Label, texts: Collection[RaterText]) -> dict[str, Any]:
    """What a label's frozen row says of the suggestion that its rater saw: nothing where there
    was none. The typed words are in neither. Parts whose text was erased since are ``unknown``,
    where there are any: neither repaired nor confirmed."""
    kept = label.comparison.suggestion
    saw = kept and label.source == "person"
    if not kept or not saw or kept["trains_on"] != label.question_version.trains_on:
        return {}
    found = verdicts(label, texts)
    told: dict[str, Any] = {"suggested": {"by": kept["by"], "parts": kept["parts"]}}
    told["repaired"] = sorted(key for key, is_changed in found.items() if is_changed)
    if unknown := sorted(key for key, is_changed in found.items() if is_changed is None):
        told["unknown"] = unknown
    return told


def _cards(campaign: Campaign) -> QuerySet[Comparison]:
    rows = Comparison.objects.filter(campaign=campaign, suggestion_sha256__isnull=False)
    return rows.exclude(state="discarded")


def _both(label: Label, key: str, texts: list[RaterText]) -> dict[str, str]:
    kept = label.comparison.suggestion or {}
    own = {row.part: row.text for row in texts}
    return {
        "suggested": _words(label, key, kept["parts"], kept["texts"]),
        "given": _words(label, key, label.answer["parts"], own),
    }


def _words(label: Label, key: str, parts: dict[str, Any], texts: dict[str, str]) -> str:
    """One part in words, then its texts, each under the letter that it is about."""
    said: list[str] = []
    if key in parts:
        only = {"parts": {key: parts[key]}}
        said = [questions.words_of(label.question_version.parts, only, label.order)]
    for slot, text in sorted(texts.items()):
        part, *place = slot.split("/")
        if part == key:
            about = questions.letter(label.order, int(place[1])) if len(place) > 1 else ""
            said.append(f"{about}: {text}" if about else text)
    return together("\n", [word for word in said if word])
