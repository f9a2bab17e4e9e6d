"""Leads exclude, lift, send back and withdraw while raters answer and take back: on either
database every counter stays true, and no label is lost or changed."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import (
    accepted,
    adjudications,
    exclusions,
    flags,
    labels,
    leases,
    send_backs,
)
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    Exclusion,
    Flag,
    Iteration,
    Label,
    User,
)
from tests import factories
from tests.labeling.test_concurrent_raters import _at_once, _scene, _storm

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


def _check() -> None:
    counting = Label.objects.filter(accepted.in_force(), accepted.counted())
    for row in Comparison.objects.all():
        leased = row.assignments.filter(state="leased").count()
        assert row.counted == counting.filter(comparison=row).count() <= row.overlap
        assert row.slots_left + leased + row.counted == row.overlap
    kept = counting.exclude(comparison__state="discarded")
    assert Iteration.objects.get().labels_people == kept.count()


def _review(lead: User, campaign: Campaign, raters: list[User], seed: int) -> None:
    """Fifteen acts of a lead or of the tick that carries them out."""
    draw = random.Random(seed)
    for _ in range(15):
        act = draw.choice([_exclude, _lift, _send_back, _flag, _resolve, _decide, _undo])
        act(lead, campaign, draw.choice(raters), draw)
        exclusions.tick()


def _exclude(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    since = timezone.now() - timedelta(days=1)
    try:
        exclusions.exclude(
            campaign=campaign, rater=rater, from_at=since, reason="quality", actor=lead
        )
    except exclusions.NotPossible:
        assert Exclusion.objects.filter(rater=rater).exists()


def _lift(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    row = Exclusion.objects.filter(rater=rater, state="applied").first()
    if row is not None:
        try:
            exclusions.lift(exclusion=row, actor=lead)
        except exclusions.NotPossible:
            assert row.state == "applied"


def _send_back(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    label = accepted.of(Label.objects.filter(rater=rater)).order_by("?").first()
    if label is not None:
        try:
            send_backs.send_back(label=label, text="Look again.", actor=lead)
        except send_backs.NotPossible:
            assert Label.objects.filter(pk=label.pk).exists()


def _flag(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    card = Assignment.objects.filter(rater=rater, occasion=0).order_by("?").first()
    if card is not None:
        labels.flag(assignment=card, code="personal_data")


def _resolve(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    for flag in Flag.objects.filter(resolved_at=None)[:2]:
        flags.resolve(flag=flag, actor=lead)


def _decide(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    row = Comparison.objects.order_by("?").first()
    assert row is not None
    try:
        adjudications.decide(
            comparison=row,
            kind=draw.choice(["answer", "accept", "discard", "more"]),
            actor=lead,
            more=1,
            parts={"preference": {"choice": "0:better"}},
        )
    except adjudications.NotPossible:
        assert Comparison.objects.filter(pk=row.pk).exists()


def _undo(lead: User, campaign: Campaign, rater: User, draw: random.Random) -> None:
    row = adjudications.of(campaign).first()
    if row is not None:
        adjudications.undo(adjudication=row, actor=lead)


def test_no_mixture_of_a_leads_and_raters_acts_breaks_a_counter() -> None:
    campaign, raters = _scene(comparisons=6, overlap=2, raters=3)
    leads = factories.UserFactory.create_batch(2)
    acts = [lambda r=rater: _storm(r, campaign, seed=1) for rater in raters]
    acts += [lambda x=lead, n=n: _review(x, campaign, raters, n) for n, lead in enumerate(leads)]
    _at_once(acts)
    exclusions.tick()
    _check()
    for row in Exclusion.objects.filter(state="applied"):
        exclusions.lift(exclusion=row, actor=leads[0])
        exclusions.tick()
        _check()
    assert not Exclusion.objects.exclude(state="lifted").exists()


def test_of_two_leads_who_decide_one_does() -> None:
    campaign, (rater,) = _scene(comparisons=1, overlap=1, raters=1)
    leads = factories.UserFactory.create_batch(6)
    card = leases.claim_next(rater=rater, campaign=campaign)
    assert card is not None
    row = card.comparison

    def decide(lead: User) -> bool:
        try:
            adjudications.decide(comparison=row, kind="more", more=2, actor=lead)
        except adjudications.NotPossible:
            return False
        return True

    done = _at_once([lambda x=lead: decide(x) for lead in leads])
    assert done.count(True) == 1
    row.refresh_from_db()
    assert row.overlap == 3
