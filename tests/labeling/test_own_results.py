"""What a rater is told of how well they do: their own, from a few answers on, up to yesterday."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import checks, labels, own_results, send_backs
from labeling.checks import Checks, Score
from labeling.models import Assignment, GoldResult, Label, User
from tests.checks import claim, make_gold, say
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
TOMORROW = timedelta(days=1)


def gold_answers(cast: Cast, right: int, wrong: int) -> None:
    made = make_gold(cast.campaign, right + wrong)
    for number, item in enumerate(made):
        card = Assignment.objects.create(
            comparison=item.comparison,
            rater=cast.rater,
            campaign=cast.campaign,
            order=list(item.comparison.items.values_list("completion", flat=True)),
            leased_until=timezone.now() + TOMORROW,
        )
        say(card, right=number < right)


def test_hidden_gold_counts_from_a_few_answers_on_and_up_to_yesterday(cast: Cast) -> None:
    gold_answers(cast, right=4, wrong=0)
    later = timezone.now() + TOMORROW
    assert own_results.of(cast.rater, later)[0].gold is None
    gold_answers(cast, right=0, wrong=2)
    [today] = own_results.of(cast.rater)
    assert (today.gold, today.months) == (None, [])
    [found] = own_results.of(cast.rater, later)
    assert found.gold == Score(4, 6)
    assert [month.gold for month in found.months] == [Score(4, 6)]
    assert own_results.of(cast.other_rater, later) == []


def test_training_tests_and_what_was_sent_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    make_gold(cast.campaign, 2, "training")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    for right in (True, False):
        result = say(claim(cast.rater, cast.campaign), right=right).result
        GoldResult.objects.filter(pk=result.pk).update(told_at=timezone.now())
    label = answer(cast.rater, cast.campaign, "0:better")
    send_backs.send_back(label=label, text="Look again.", actor=cast.lead)
    [found] = own_results.of(cast.rater)
    assert found.training == Score(1, 2)
    assert (found.sent_back, found.sent_back_open) == (1, 1)


def test_a_card_shown_twice_tells_how_steady_somebody_is(cast: Cast) -> None:
    rows = open_comparisons(cast.campaign, 6)
    for _ in rows:
        answer(cast.rater, cast.campaign, "0:better")
    for number, first in enumerate(Label.objects.order_by("pk")):
        again(cast.rater, first, same=number != 0)
    [found] = own_results.of(cast.rater, timezone.now() + TOMORROW)
    assert found.repeats == Score(5, 6)


def again(rater: User, first: Label, *, same: bool) -> Label:
    card = Assignment.objects.create(
        comparison=first.comparison,
        rater=rater,
        campaign=first.comparison.campaign,
        occasion=1,
        order=first.order,
        leased_until=timezone.now() + TOMORROW,
    )
    choice = "0:slightly" if same else "1:better"
    return labels.record_label(
        assignment=card, parts={"preference": {"choice": choice}}, idempotency_key=uuid.uuid4()
    )
