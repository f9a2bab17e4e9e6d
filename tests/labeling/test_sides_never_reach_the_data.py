"""A rater who always prefers the longer text is recorded as exactly that, whatever side it was on
and however often they changed their mind."""

from __future__ import annotations

import random
import uuid

import pytest

from labeling import labels, leases, questions
from labeling.models import Assignment, Campaign, Completion, Label, User
from tests import factories

pytestmark = pytest.mark.django_db
ANSWERS = 200


@pytest.mark.parametrize("parts", [factories.LLAMA2, factories.AB])
def test_the_longer_text_is_chosen_in_every_label_in_force(parts: questions.Parts) -> None:
    draw = random.Random(4)
    campaign = factories.CampaignFactory(parts=parts)
    for number in range(ANSWERS):
        texts = [f"{number} " + "x" * size for size in draw.sample(range(1, 90), 2)]
        factories.open_comparisons(campaign, 1, texts=texts)
    rater = factories.UserFactory()
    sides = [_answer_and_sometimes_correct(rater, campaign, draw) for _ in range(ANSWERS)]
    assert 65 < sides.count(0) < 135  # either side was pressed: 5 standard deviations
    chosen = _lengths("chosen")
    rejected = _lengths("rejected")
    assert len(chosen) == ANSWERS
    assert all(ours > theirs for ours, theirs in zip(chosen, rejected, strict=True))
    assert Label.objects.filter(kind="withdrawn").count() > ANSWERS / 5


def _answer_and_sometimes_correct(rater: User, campaign: Campaign, draw: random.Random) -> int:
    """The side finally pressed. A third of the time it is the wrong one first, and undone."""
    card = leases.claim_next(rater=rater, campaign=campaign)
    assert card is not None
    if draw.random() < 1 / 3:
        _press(card, 1 - _longer_side(card), draw)
        again = labels.undo(rater=rater, campaign=campaign)
        assert again is not None
        card = again
    side = _longer_side(card)
    _press(card, side, draw)
    return side


def _longer_side(card: Assignment) -> int:
    texts = dict(Completion.objects.filter(pk__in=card.order).values_list("pk", "text"))
    left, right = (len(texts[pk]) for pk in card.order)
    return 0 if left > right else 1


def _press(card: Assignment, side: int, draw: random.Random) -> None:
    (name, part), *_ = card.comparison.campaign.question.parts.items()
    steps = [s for s in questions.load(part["type"]).scale(part) if s.position == side]
    labels.record_label(
        assignment=card,
        parts={name: {"choice": draw.choice(steps).value}},
        idempotency_key=uuid.uuid4(),
    )


def _lengths(role: str) -> list[int]:
    """Lengths of the chosen (or rejected) texts of all labels in force, by label."""
    texts = dict(Completion.objects.values_list("pk", "text"))
    in_force = Label.objects.filter(kind="answer", superseded_by__isnull=True).order_by("id")
    found = []
    for label in in_force.select_related("question_version"):
        version = label.question_version
        ordered, _ = questions.preferences_of(version.parts, label.answer, version.trains_on)
        found += [len(texts[getattr(one, role)]) for one in ordered]
    return found
