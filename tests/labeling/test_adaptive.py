"""Adaptive overlap: a comparison gets more labels where raters disagree, up to the most."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import adaptive, labels, leases
from labeling.adaptive import Rule
from labeling.models import Comparison, Seat, User
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.rating import answer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
TWO_AGREE = Rule(least=2, rule="majority", most=3)


def raters(cast: Cast, count: int) -> list[User]:
    return [MembershipFactory(project=cast.project, role="rater").user for _ in range(count)]


def says(rater: User, cast: Cast, first: bool) -> None:
    """Prefer the first or the second completion of the rater's next card."""
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    ids = sorted(card.order)
    side = card.order.index(ids[0] if first else ids[1])
    answer(rater, cast.campaign, f"{side}:better")


def counters(comparison: Comparison) -> tuple[str, int, int, int]:
    row = Comparison.objects.get(pk=comparison.pk)
    assert row.slots_left + row.counted == row.overlap
    return row.state, row.overlap, row.counted, row.spared


def test_two_who_agree_are_enough_and_the_third_label_is_saved(cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=TWO_AGREE)
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    for rater in raters(cast, 2):
        says(rater, cast, first=True)
    assert counters(comparison) == ("complete", 2, 2, 1)
    assert vars(adaptive.savings(cast.campaign)) == {"saved": 1, "full": 3, "comparisons": 1}


def test_two_who_differ_bring_a_third_who_decides(cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=TWO_AGREE)
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    one, other, third = raters(cast, 3)
    says(one, cast, first=True)
    says(other, cast, first=False)
    assert counters(comparison) == ("open", 3, 2, 0)
    says(third, cast, first=True)
    assert counters(comparison) == ("complete", 3, 3, 0)
    assert adaptive.savings(cast.campaign).saved == 0


def test_the_most_is_the_most_though_nothing_is_decided(cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=Rule(1, "belief", 2, 0.99))
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=1)
    one, other = raters(cast, 2)
    says(one, cast, first=True)
    says(other, cast, first=False)
    assert counters(comparison) == ("complete", 2, 2, 0)


def test_a_rater_who_is_known_to_be_right_needs_nobody_beside_them(cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=Rule(1, "belief", 5, 0.9))
    first, second = open_comparisons(cast.campaign, 2, overlap=1)
    sure, unsure = raters(cast, 2)
    Seat.objects.create(rater=sure, campaign=cast.campaign, accuracy=0.97)
    Seat.objects.create(rater=unsure, campaign=cast.campaign, accuracy=0.6)
    says(sure, cast, first=True)
    says(unsure, cast, first=True)
    states = {counters(row)[0] for row in (first, second)}
    taken = Comparison.objects.get(labels__rater=sure)
    assert states == {"complete", "open"}
    assert counters(taken) == ("complete", 1, 1, 4)


def test_an_answer_taken_back_opens_it_and_the_new_one_decides_anew(cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=TWO_AGREE)
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    one, other = raters(cast, 2)
    says(one, cast, first=True)
    says(other, cast, first=True)
    labels.undo(rater=other, campaign=cast.campaign)
    assert Comparison.objects.get(pk=comparison.pk).state == "open"
    assert adaptive.savings(cast.campaign).saved == 0
    says(other, cast, first=False)
    assert counters(comparison) == ("open", 3, 2, 0)


def test_fixed_overlap_pays_nothing_for_it(cast: Cast) -> None:
    def queries(campaign: Any) -> int:
        open_comparisons(campaign, 1, overlap=1)
        (rater,) = raters(cast, 1)
        card = leases.claim_next(rater=rater, campaign=campaign)
        assert card is not None
        with CaptureQueriesContext(connection) as captured:
            answer(rater, campaign, "0:better")
        return len(captured)

    fixed = queries(cast.campaign)
    adaptive.change(campaign=cast.campaign, rule=Rule(1, "majority", 3))
    assert queries(cast.campaign) == fixed + 2


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(0), "1 to 25"),
        (Rule(3, "majority", 3), "above the least"),
        (Rule(1, "majority", 26), "above the least"),
        (Rule(1, "belief", 3, 0.5), "above one half"),
        (Rule(1, "coins", 3), "no such rule"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(cast: Cast, rule: Rule, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        adaptive.change(campaign=cast.campaign, rule=rule)
    cast.campaign.refresh_from_db()
    assert adaptive.of(cast.campaign).rule == ""


def test_a_question_that_compares_nothing_cannot_adapt(cast: Cast) -> None:
    assert cast.campaign.question
    cast.campaign.question.parts = {"thumb": {"type": "thumbs"}}
    with pytest.raises(ValueError, match="compares nothing"):
        adaptive.change(campaign=cast.campaign, rule=TWO_AGREE)
