"""A card that an item was made of may be open again: whoever met the item is not handed it."""

from __future__ import annotations

import pytest

from labeling import adjudications, checks, gold, labels, leases
from labeling.checks import Checks
from labeling.gold import Key
from labeling.models import Comparison, User
from tests.checks import claim, expected, say
from tests.factories import Cast, UserFactory, open_comparisons
from tests.rating import answer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def source(cast: Cast) -> Comparison:
    """A card that is complete, made a training item of, then opened again by a lead."""
    [row] = open_comparisons(cast.campaign, 1)
    answer(cast.other_rater, cast.campaign, "0:better")
    row.refresh_from_db()
    key = Key(expected(row), {"preference": {}}, "The first one.")
    gold.add(comparison=row, purpose="training", key=key)
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    adjudications.decide(comparison=row, kind="more", actor=cast.lead, more=2)
    row.refresh_from_db()
    return row


def test_who_was_told_what_is_expected_is_not_asked(cast: Cast, source: Comparison) -> None:
    assert (source.state, source.slots_left) == ("open", 2)
    result = say(claim(cast.rater, cast.campaign)).result
    result.told_at = result.created_at
    result.save(update_fields=["told_at"])
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    checks.settle(campaign=cast.campaign, settings=Checks())  # nor once the training is over
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    stranger: User = UserFactory()
    card = leases.claim_next(rater=stranger, campaign=cast.campaign)
    assert card is not None
    assert card.comparison_id == source.pk


def test_nor_is_an_earlier_answer_to_it_changed(cast: Cast, source: Comparison) -> None:
    own = cast.other_rater.assignments.get()
    say(claim(cast.other_rater, cast.campaign))
    with pytest.raises(labels.NotOpen, match="told what was expected"):
        labels.undo(rater=cast.other_rater, campaign=cast.campaign, assignment=own.public_id)
