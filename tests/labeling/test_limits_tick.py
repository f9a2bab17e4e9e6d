"""One tick keeps budgets, pilots and quotas; a second at once changes nothing more."""

from __future__ import annotations

import pytest

from labeling import pilots, quotas, spend, tasks
from labeling.models import Comparison, Pilot, Quota, SpendPoint
from labeling.quotas import Wanted
from labeling.spend import Limits
from tests.factories import make_cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db


def test_a_tick_does_all_of_it_and_twice_is_once() -> None:
    quotas._next_look.clear()
    cast = make_cast()
    open_comparisons(cast.campaign, 3, prompt__category="code")
    answer(cast.rater, cast.campaign, "0:better")
    quotas.settle(campaign=cast.campaign, wanted=[Wanted("category", "code", 1)])
    spend.settle(campaign=cast.campaign, limits=Limits(labels=1))
    for _ in range(2):
        tasks.keep_limits()
        cast.campaign.refresh_from_db()
        assert cast.campaign.state == "paused"
        assert Quota.objects.get(name="code").filled
        assert Comparison.objects.filter(withheld__gt=0).count() == 2


def test_quotas_wait_for_a_pilot() -> None:
    """What a pilot keeps back no quota gives back."""
    quotas._next_look.clear()
    cast = make_cast(state="draft")
    open_comparisons(cast.campaign, 8, prompt__category="code")
    quotas.settle(campaign=cast.campaign, wanted=[Wanted("category", "code", 500)])
    pilots.begin(campaign=cast.campaign, size=5)
    type(cast.campaign).objects.update(state="open")
    tasks.keep_limits()
    assert Comparison.objects.filter(withheld__gt=0).count() == 3
    pilots.widen(pilot=Pilot.objects.get())
    tasks.keep_limits()
    assert not Comparison.objects.filter(withheld__gt=0).exists()


def test_a_curve_begins_with_the_first_answer() -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 1)
    answer(cast.rater, cast.campaign, "0:better")
    tasks.keep_limits()
    assert SpendPoint.objects.get().labels == 1
