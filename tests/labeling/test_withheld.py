"""Withholding and opening comparisons beside raters at work: no slot is lost, none is made."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from labeling import labels, leases, withheld
from labeling.models import Assignment, Comparison
from tests.factories import Cast, UserFactory, open_comparisons

pytestmark = pytest.mark.django_db


def balanced() -> bool:
    """slots_left + live leases + counted == overlap of every comparison."""
    for row in Comparison.objects.exclude(state="discarded"):
        live = Assignment.objects.filter(comparison=row, state="leased").count()
        if row.slots_left + live + row.counted != row.overlap:
            return False
    return True


def test_what_somebody_takes_meanwhile_is_theirs(cast: Cast, monkeypatch: Any) -> None:
    """A rater takes the slot between the look and the act."""
    open_comparisons(cast.campaign, 2)
    real = withheld.transaction.atomic

    def taking_first() -> Any:
        monkeypatch.setattr(withheld.transaction, "atomic", real)
        leases.claim_next(rater=cast.rater, campaign=cast.campaign)
        return real()

    monkeypatch.setattr(withheld.transaction, "atomic", taking_first)
    assert withheld.withhold(withheld.untouched(cast.campaign)) == 1
    assert balanced()


def test_twice_is_once(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3, overlap=2)
    assert withheld.withhold(withheld.untouched(cast.campaign)) == 3
    assert withheld.withhold(withheld.untouched(cast.campaign)) == 0
    opened = withheld.release(withheld.rows(cast.campaign), least=3)
    assert len(opened) == 3
    assert withheld.release(withheld.rows(cast.campaign)) == []
    kept = Comparison.objects.values_list("overlap", "slots_left", "withheld").distinct()
    assert list(kept) == [(3, 3, 0)]


def test_a_discarded_one_stays_away(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    withheld.withhold(withheld.untouched(cast.campaign))
    Comparison.objects.update(state="discarded")
    assert withheld.release(withheld.rows(cast.campaign)) == []


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_acts_keeps_the_books(cast: Cast, seed: int) -> None:
    draw = random.Random(seed)
    open_comparisons(cast.campaign, 6, overlap=2)
    raters = [cast.rater, cast.other_rater, UserFactory()]
    for _ in range(40):
        rater, act = draw.choice(raters), draw.randrange(6)
        if act == 0:
            some = withheld.untouched(cast.campaign).order_by("id")
            withheld.withhold(some[: draw.randint(1, 4)])
        elif act == 1:
            withheld.release(withheld.rows(cast.campaign)[: draw.randint(1, 4)], least=2)
        elif act == 2:
            labels.undo(rater=rater, campaign=cast.campaign)
        elif card := leases.claim_next(rater=rater, campaign=cast.campaign):
            if act == 3:
                leases.release(card)
            else:
                labels.record_label(
                    assignment=card,
                    parts={"preference": {"choice": "0:better"}},
                    idempotency_key=uuid.uuid4(),
                )
        assert balanced()
