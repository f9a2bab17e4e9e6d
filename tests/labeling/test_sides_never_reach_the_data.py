"""A rater who always prefers the longer text is recorded as exactly that, whatever side it was on
and however often they changed their mind: in the labels, and in every export."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from labeling import exports, labels, leases, questions
from labeling.models import Assignment, Campaign, Completion, Label, User
from labeling.questions import Raw
from labeling.questions.pairwise import SCALES
from tests import factories

pytestmark = pytest.mark.django_db
ANSWERS = 1000
RANKINGS = 150
RANKING: questions.Parts = {"order": {"type": "ranking"}}
Choose = Callable[[list[int], random.Random], Raw]  # from the lengths of the texts as shown


@pytest.mark.long
def test_the_longer_text_is_chosen_in_every_label_and_every_export(tmp_path: Path) -> None:
    campaign, draw = _campaign(factories.LLAMA2, ANSWERS, texts=2), random.Random(4)
    sides = _answer_all(campaign, draw, _longer_side(factories.LLAMA2))
    pressed_left = sum(lengths[0] > lengths[1] for lengths in sides)
    assert 421 < pressed_left < 579  # either side was pressed: 5 standard deviations
    pairs = list(_preferred_lengths())
    assert len(pairs) == ANSWERS
    assert all(longer > shorter for longer, shorter in pairs)
    assert Label.objects.filter(kind="withdrawn").count() > ANSWERS / 5
    _check_exports(tmp_path, campaign, trl=ANSWERS, ranked=ANSWERS)


@pytest.mark.parametrize("scale", SCALES)
def test_the_longer_text_is_chosen_on_every_scale(scale: str) -> None:
    parts: questions.Parts = {"preference": {"type": "pairwise", "scale": scale}}
    _answer_all(_campaign(parts, 60, texts=2), random.Random(5), _longer_side(parts))
    pairs = list(_preferred_lengths())
    assert len(pairs) == 60
    assert all(longer > shorter for longer, shorter in pairs)


def test_a_ranking_by_length_is_stored_and_exported_by_length(tmp_path: Path) -> None:
    campaign = _campaign(RANKING, RANKINGS, texts=5)
    shown = _answer_all(campaign, random.Random(6), _by_length)
    firsts = [lengths.index(max(lengths)) for lengths in shown]
    assert all(15 < firsts.count(position) < 45 for position in range(5))
    pairs = list(_preferred_lengths())
    assert len(pairs) == RANKINGS * 10
    assert all(longer > shorter for longer, shorter in pairs)
    _check_exports(tmp_path, campaign, trl=RANKINGS * 10, ranked=RANKINGS)


def test_thumbs_for_long_texts_are_exported_as_thumbs_for_long_texts(tmp_path: Path) -> None:
    campaign = _campaign({"thumb": {"type": "thumbs"}}, 100, texts=1)
    _answer_all(campaign, random.Random(7), _up_when_long)
    rows = _export(tmp_path, campaign, "kto")
    assert len(rows) == 100
    assert all(row["label"] == (len(row["completion"][0]["content"]) > 50) for row in rows)


def _campaign(parts: questions.Parts, cards: int, *, texts: int) -> Campaign:
    """Cards of texts of different lengths, in no order."""
    draw = random.Random(3)
    campaign = factories.CampaignFactory(parts=parts)
    for number in range(cards):
        lengths = draw.sample(range(1, 90), texts)
        said = [f"{number:04} " + "x" * length for length in lengths]
        factories.open_comparisons(campaign, 1, texts=said)
    return campaign


def _answer_all(campaign: Campaign, draw: random.Random, choose: Choose) -> list[list[int]]:
    """Every card answered by one rater; a third of them wrongly first, taken back and changed.
    Returns the lengths of the texts as they stood."""
    rater = factories.UserFactory()
    shown = []
    while card := leases.claim_next(rater=rater, campaign=campaign):
        if draw.random() < 1 / 3:
            _send(card, choose([-length for length in _lengths(card)], draw))
            card = _take_back(rater, campaign)
        shown.append(_lengths(card))
        _send(card, choose(shown[-1], draw))
    return shown


def _take_back(rater: User, campaign: Campaign) -> Assignment:
    card = labels.undo(rater=rater, campaign=campaign)
    assert card is not None
    return card


def _send(card: Assignment, raw: Raw) -> None:
    [key] = card.comparison.campaign.question.parts
    labels.record_label(assignment=card, parts={key: raw}, idempotency_key=uuid.uuid4())


def _lengths(card: Assignment) -> list[int]:
    texts = dict(Completion.objects.filter(pk__in=card.order).values_list("pk", "text"))
    return [len(texts[pk]) for pk in card.order]


def _longer_side(parts: questions.Parts) -> Choose:
    def choose(lengths: list[int], draw: random.Random) -> Raw:
        steps = questions.load("pairwise").scale(parts["preference"])
        side = 0 if lengths[0] > lengths[1] else 1
        return {"choice": draw.choice([s for s in steps if s.position == side]).value}

    return choose


def _by_length(lengths: list[int], draw: random.Random) -> Raw:
    longest_first = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    return {f"tier-{position}": str(place) for place, position in enumerate(longest_first, 1)}


def _up_when_long(lengths: list[int], draw: random.Random) -> Raw:
    wrong = lengths[0] < 0
    return {"thumb": "up" if (abs(lengths[0]) > 50) is not wrong else "down"}


def _preferred_lengths() -> Iterator[tuple[int, int]]:
    """Lengths of the chosen and the rejected text of each preference in force."""
    texts = dict(Completion.objects.values_list("pk", "text"))
    in_force = Label.objects.filter(kind="answer", superseded_by__isnull=True).order_by("id")
    for label in in_force.select_related("question_version"):
        version = label.question_version
        ordered, _ = questions.preferences_of(version.parts, label.answer, version.trains_on)
        for one in ordered:
            yield len(texts[one.chosen]), len(texts[one.rejected])


def _check_exports(folder: Path, campaign: Campaign, *, trl: int, ranked: int) -> None:
    """Every format that holds preferences has all of them, each from long to short."""
    assert set(exports.EXPORTS) == {"trl", "sft", "kto", "ranked"}, "look at the new format here"
    for more in ((), ("--per-label",)):
        rows = _export(folder, campaign, "trl", *more)
        assert len(rows) == trl
        assert all(_said(row["chosen"]) > _said(row["rejected"]) for row in rows)
        rows = _export(folder, campaign, "ranked", *more)
        assert len(rows) == ranked
        for row in rows:
            assert row["ranks"] == list(range(1, len(row["ranks"]) + 1))
            assert all(len(one) > len(other) for one, other in pairwise(row["completions"]))


def _said(messages: list[dict[str, str]]) -> int:
    return len(messages[0]["content"])


def _export(folder: Path, campaign: Campaign, name: str, *more: str) -> list[dict[str, Any]]:
    path = folder / f"{name}{len(more)}.jsonl"
    given = ("--format", name, "--out", str(path), *more)
    call_command("export", campaign.slug, *given, stdout=StringIO(), stderr=StringIO())
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
