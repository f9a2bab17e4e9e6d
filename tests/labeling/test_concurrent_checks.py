"""Gold, repeats and adaptive overlap while leads exclude, send back, take that back and withhold:
on either database every counter stays true, and no label that checks a rater counts as work."""

from __future__ import annotations

import random

import pytest

from labeling import (
    accepted,
    adaptive,
    adjudications,
    checks,
    exclusions,
    send_backs,
    withheld,
)
from labeling.adaptive import Rule
from labeling.checks import Checks
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    Iteration,
    Label,
    Seat,
    SendBack,
    User,
)
from tests import factories
from tests.checks import make_gold
from tests.labeling.test_concurrent_raters import _at_once, _scene, _storm
from tests.labeling.test_concurrent_review import _exclude, _lift, _send_back

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.any_database,
    pytest.mark.long,
]


def test_no_mixture_of_checks_and_review_breaks_a_counter() -> None:
    campaign, raters = _scene(comparisons=8, overlap=2, raters=3)
    make_gold(campaign, 4)
    adaptive.change(campaign=campaign, rule=Rule(least=2, rule="majority", most=4))
    settings = Checks(gold_share=0.2, repeat_share=0.2, repeat_after=1)
    checks.settle(campaign=campaign, settings=settings)
    leads = factories.UserFactory.create_batch(2)
    acts = [lambda r=one, n=n: _storm(r, campaign, seed=n) for one in raters for n in (0, 1)]
    acts += [lambda x=lead, n=n: _lead(x, campaign, raters, n) for n, lead in enumerate(leads)]
    _at_once(acts)
    exclusions.tick()
    withheld.release(withheld.rows(campaign))
    _check_counters()
    for label in accepted.of(Label.objects.select_related("assignment__comparison")):
        assert not label.assignment.is_aside
        assert not exclusions.covering(label).filter(state="applied").exists()
    for seat in Seat.objects.all():
        submitted = Assignment.objects.filter(rater=seat.rater, state="submitted")
        assert seat.answered == submitted.count()


def _check_counters() -> None:
    """As in test_concurrent_review; a card that checks its rater holds no place."""
    counting = Label.objects.filter(accepted.in_force(), accepted.counted())
    work = Assignment.objects.filter(state="leased", occasion=0, comparison__purpose="work")
    for row in Comparison.objects.all():
        leased = work.filter(comparison=row).count()
        assert row.counted == counting.filter(comparison=row).count() <= row.overlap
        assert row.slots_left + leased + row.counted == row.overlap
    collected = counting.exclude(comparison__iteration=None).count()
    assert Iteration.objects.get().labels_people == collected


def _lead(lead: User, campaign: Campaign, raters: list[User], seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(20):
        act = draw.choice([_exclude, _lift, _send_back, _take_back, _withhold, _more])
        act(lead, campaign, draw.choice(raters), draw)
        exclusions.tick()


def _take_back(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    for row in SendBack.objects.order_by("-id")[:2]:
        try:
            send_backs.take_back(row=row, actor=lead)
        except send_backs.NotPossible:
            assert exclusions.covering(row.label).exists()


def _withhold(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    withheld.withhold(withheld.untouched(campaign))
    withheld.release(withheld.rows(campaign), least=draw.choice([0, 3]))


def _more(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    row = draw.choice(list(Comparison.objects.exclude(iteration=None)))
    try:
        made = adjudications.decide(comparison=row, kind="more", more=1, actor=lead)
    except adjudications.NotPossible:
        return
    if draw.random() < 0.5:
        adjudications.undo(adjudication=made, actor=lead)
