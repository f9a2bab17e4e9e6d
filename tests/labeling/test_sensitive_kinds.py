"""A sensitive kind of prompt is shown to raters who said yes to it, and to nobody else."""

from __future__ import annotations

import pytest
from django.utils import timezone

from labeling import boundaries, care, leases
from labeling.care import Care
from labeling.models import Assignment, Prompt
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
WARNING = "You may read about violence."
SETTINGS = Care(WARNING, sensitive_kinds=["gore", "slurs"])


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    care.settle(campaign=made.campaign, care=SETTINGS)
    (one,) = open_comparisons(made.campaign, 1)
    Prompt.objects.filter(pk=one.prompt_id).update(tags=["gore", "short"])
    return made


def claim(cast: Cast) -> Assignment | None:
    return leases.claim_next(rater=cast.rater, campaign=cast.campaign)


def test_nobody_meets_it_unasked(cast: Cast) -> None:
    assert claim(cast) is None
    care.opt_in(rater=cast.rater, campaign=cast.campaign, kind="slurs")
    assert claim(cast) is None  # the yes was to another kind
    care.opt_in(rater=cast.rater, campaign=cast.campaign, kind="gore")
    assert claim(cast) is not None


def test_a_yes_is_taken_back_and_the_card_with_it(cast: Cast) -> None:
    care.opt_in(rater=cast.rater, campaign=cast.campaign, kind="gore")
    held = claim(cast)
    assert held is not None
    care.leave(rater=cast.rater, campaign=cast.campaign, kind="gore")
    held.refresh_from_db()
    assert held.state == "expired"
    assert claim(cast) is None


def test_a_kind_that_becomes_sensitive_leaves_hands_at_the_next_card(cast: Cast) -> None:
    care.settle(campaign=cast.campaign, care=Care(WARNING))
    assert claim(cast) is not None
    care.settle(campaign=cast.campaign, care=SETTINGS)
    assert claim(cast) is None


def test_what_is_no_sensitive_kind_is_not_agreed_to(cast: Cast) -> None:
    care.opt_in(rater=cast.rater, campaign=cast.campaign, kind="anything")
    found = boundaries.of(cast.rater, cast.campaign, timezone.now())
    assert found is not None
    assert found.unasked == {"gore", "slurs"}
