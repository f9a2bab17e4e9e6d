"""Kept sums say what a count of all labels says, whatever was answered, taken back, put aside and
let back, and wherever a tick came in between."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from pytest_django.asserts import assertNumQueries

from labeling import accepted, exclusions, labels, leases, send_backs, tallies
from labeling.models import Exclusion, Label, Tally, TallyCursor, User
from labeling.tallies import Wanted
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
LATER = timedelta(minutes=1)


def said_now(cast: Cast) -> Counter[Any]:
    """Accepted labels by rater, and people's paid and unpaid ones, as the sums say."""
    found: Counter[Any] = Counter()
    for key, one in tallies.of(Wanted(("said",), [cast.campaign.pk])).items():
        found["said", key.rater, key.strength, key.excluded] += one.n
    for key, one in tallies.of(Wanted(("paid",), [cast.campaign.pk])).items():
        found["paid", key.rater, key.excluded] += one.n
        found["ms", key.rater, key.excluded] += one.active_ms
    for key, one in tallies.of(Wanted(("hour",), [cast.campaign.pk])).items():
        found["hour", key.excluded] += one.n
    for key, one in tallies.of(Wanted(("asked",), [cast.campaign.pk])).items():
        found["asked", key.about] += one.n
    return +found


def counted(cast: Cast) -> Counter[Any]:
    """The same, counted from the labels."""
    found: Counter[Any] = Counter()
    rows = Label.objects.filter(accepted.in_force(), assignment__campaign=cast.campaign)
    for label in rows.select_related("set_aside"):
        out = hasattr(label, "set_aside") and label.set_aside.exclusion_id is not None
        strength = label.answer["parts"]["preference"].get("strength") or ""
        found["said", label.rater_id, strength, out] += 1
        found["hour", out] += 1
    sums = rows.order_by().values_list("rater", "set_aside__exclusion")
    for rater, exclusion, n, ms in sums.annotate(n=Count("pk"), ms=Coalesce(Sum("active_ms"), 0)):
        found["paid", rater, exclusion is not None] += n
        found["ms", rater, exclusion is not None] += ms
    for label in Label.objects.filter(kind="answer"):
        found["asked", label.question_version_id] += 1
    return +found


def act(cast: Cast, draw: random.Random) -> None:
    """Something that changes what counts, at random."""
    rater = draw.choice([cast.rater, cast.other_rater])
    kind = draw.choice(["say", "say", "say", "undo", "exclude", "lift", "back", "tick", "tick"])
    if kind == "say":
        _say(cast, rater, draw)
    elif kind == "undo":
        labels.undo(rater=rater, campaign=cast.campaign)
    elif kind == "exclude":
        _exclude(cast, rater)
    elif kind == "lift":
        rows = Exclusion.objects.filter(state="applied")
        if row := rows.order_by("?").first():
            exclusions.lift(exclusion=row, actor=cast.lead)
            exclusions.tick()
    elif kind == "back":
        _send_back(cast, draw)
    else:
        tallies.tick(timezone.now() + LATER)


def _say(cast: Cast, rater: User, draw: random.Random) -> None:
    if card := leases.claim_next(rater=rater, campaign=cast.campaign):
        labels.record_label(
            assignment=card,
            parts={"preference": {"choice": draw.choice(["0:better", "1:slightly"])}},
            idempotency_key=uuid.UUID(int=draw.getrandbits(128), version=4),
            active_ms=draw.randrange(3),
        )


def _exclude(cast: Cast, rater: User) -> None:
    exclusions.exclude(
        campaign=cast.campaign,
        rater=rater,
        from_at=timezone.now() - timedelta(days=1),
        reason="quality",
        actor=cast.lead,
    )
    exclusions.tick()


def _send_back(cast: Cast, draw: random.Random) -> None:
    rows = accepted.of(Label.objects.order_by("pk"))
    if rows and draw.random() < 0.7:
        label = rows[draw.randrange(len(rows))]
        send_backs.send_back(label=label, text="Again, please.", actor=cast.lead)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_sums_are_a_counts(cast: Cast, seed: int) -> None:
    """40 random acts of raters and leads, ticks among them; looked at after each."""
    open_comparisons(cast.campaign, 12, overlap=2)
    draw = random.Random(seed)
    for _ in range(40):
        act(cast, draw)
        assert said_now(cast) == counted(cast)
    before = said_now(cast)
    tallies.recount()
    assert TallyCursor.objects.get().label == 0
    assert said_now(cast) == before
    while tallies.tick(timezone.now() + LATER):
        pass
    assert said_now(cast) == before


def test_what_has_not_settled_is_not_kept_and_yet_counted(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    answer(cast.rater, cast.campaign, "0:better")
    assert tallies.tick() == 0
    assert not Tally.objects.exists()
    assert said_now(cast) == counted(cast)
    assert tallies.tick(timezone.now() + LATER) == 1
    assert tallies.tick(timezone.now() + LATER) == 0
    assert said_now(cast) == counted(cast)


def test_an_answer_in_force_again_is_kept_with_the_next_one(cast: Cast) -> None:
    """Its time is that of the first, which says nothing of what is stored beside it just now."""
    open_comparisons(cast.campaign, 2)
    sent = send_backs.send_back(
        label=answer(cast.rater, cast.campaign, "0:better"), text="Again.", actor=cast.lead
    )
    tallies.tick(timezone.now() + LATER)
    assert send_backs.take_back(row=sent, actor=cast.lead)
    assert tallies.tick(timezone.now() + LATER) == 0
    assert said_now(cast) == counted(cast)
    answer(cast.rater, cast.campaign, "0:better")
    assert tallies.tick(timezone.now() + LATER) == 2
    assert said_now(cast) == counted(cast)


def test_an_exclusion_moves_what_is_kept(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    answer(cast.rater, cast.campaign, "0:better")
    answer(cast.rater, cast.campaign, "0:better")
    tallies.tick(timezone.now() + LATER)
    _exclude(cast, cast.rater)
    [(key, one)] = tallies.of(Wanted(("paid",), [cast.campaign.pk])).items()
    assert (key.excluded, one.n) == (True, 2)
    exclusions.lift(exclusion=Exclusion.objects.get(), actor=cast.lead)
    exclusions.tick()
    [(key, one)] = tallies.of(Wanted(("paid",), [cast.campaign.pk])).items()
    assert (key.excluded, one.n) == (False, 2)


def test_where_midnight_moved_the_days_are_counted_anew(cast: Cast, settings: Any) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    tallies.tick(timezone.now() + LATER)
    settings.TIME_ZONE = "Pacific/Kiritimati"
    [key] = tallies.of(Wanted(("paid",), [cast.campaign.pk]))
    assert key.at == timezone.localtime(label.created_at, timezone.get_default_timezone()).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    tallies.tick(timezone.now() + LATER)
    assert list(tallies.of(Wanted(("paid",), [cast.campaign.pk]))) == [key]


def test_sums_take_as_many_queries_among_many_labels(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    for _ in range(3):
        answer(cast.rater, cast.campaign, "0:better")
    tallies.tick(timezone.now() + LATER)
    with assertNumQueries(2):
        tallies.of(Wanted(("said",), [cast.campaign.pk]))
