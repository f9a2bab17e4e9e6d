"""What a campaign has cost and will cost; limits pause it, and resuming asks for higher ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from labeling import campaigns, labels, leases, pay, spend
from labeling.models import Budget, Campaign, Seat, SpendPoint, User
from labeling.pay import Counters
from labeling.spend import Limits
from models_runtime.models import AuditEvent
from tests.factories import Cast, UserFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


def work(campaign: Campaign, rater: User, labels: int, seconds: int) -> None:
    """So many answers, in so long in all."""
    Seat.objects.update_or_create(
        rater=rater,
        campaign=campaign,
        defaults={"answered": labels, "active_ms": seconds * 1000},
    )


def limited(campaign: Campaign, **limits: object) -> Campaign:
    spend.settle(campaign=campaign, limits=Limits(**limits))  # type: ignore[arg-type]
    return campaign


def test_people_s_work_is_spent_and_simulated_work_is_not(cast: Cast) -> None:
    pay.settle(campaign=cast.campaign, counters=Counters(False, "hour", Decimal(18), "EUR"))
    work(cast.campaign, cast.rater, 10, 1800)
    work(cast.campaign, cast.other_rater, 20, 1800)
    work(cast.campaign, UserFactory(kind="simulated"), 500, 9)
    spent = spend.of(cast.campaign)
    assert (spent.labels, spent.hours, spent.money) == (30, Decimal(1), Decimal(18))


def test_a_campaign_without_limits_is_never_paused(cast: Cast) -> None:
    work(cast.campaign, cast.rater, 10_000, 1)
    assert spend.keep() == 0
    assert spend.share_used(cast.campaign) is None


@pytest.mark.parametrize(
    ("limits", "share", "reached"),
    [
        ({"labels": 50}, 0.6, False),
        ({"labels": 31}, 30 / 31, False),
        ({"labels": 30}, 1.0, True),
        ({"hours": Decimal("1.5")}, 2 / 3, False),
        ({"hours": Decimal("0.75")}, 4 / 3, True),
        ({"money": Decimal("3.01")}, 3 / 3.01, False),
        ({"money": Decimal("3.00")}, 1.0, True),
        ({"labels": 1000, "money": Decimal("2.00")}, 1.5, True),
    ],
)
def test_the_most_used_limit_decides(
    cast: Cast, limits: dict[str, object], share: float, reached: bool
) -> None:
    pay.settle(campaign=cast.campaign, counters=Counters(False, "label", Decimal("0.1"), "EUR"))
    work(cast.campaign, cast.rater, 30, 3600)
    limited(cast.campaign, **limits)
    assert spend.share_used(cast.campaign) == pytest.approx(share)
    assert spend.keep() == reached
    cast.campaign.refresh_from_db()
    assert cast.campaign.state == ("paused" if reached else "open")


def test_no_more_cards_are_handed_out_and_what_is_in_hand_is_finished(cast: Cast) -> None:
    open_comparisons(cast.campaign, 5)
    limited(cast.campaign, labels=1)
    answer(cast.rater, cast.campaign, "0:better")
    in_hand = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert in_hand is not None
    assert spend.keep() == 1
    cast.campaign.refresh_from_db()
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is None
    label = labels.record_label(
        assignment=in_hand,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=in_hand.public_id,
    )
    assert label.counted


def test_it_says_why_once_and_for_good(cast: Cast) -> None:
    work(cast.campaign, cast.rater, 5, 60)
    limited(cast.campaign, labels=5)
    assert (spend.keep(), spend.keep()) == (1, 0)
    assert Budget.objects.get(campaign=cast.campaign).stopped_by == "labels"
    event = AuditEvent.objects.get(verb="budget reached")
    assert (event.data, event.actor_id) == ({"limit": "labels"}, None)
    assert AuditEvent.objects.filter(verb="campaign moved", to_state="paused").count() == 1


def test_resuming_asks_for_a_higher_limit(cast: Cast) -> None:
    work(cast.campaign, cast.rater, 5, 60)
    limited(cast.campaign, labels=5)
    spend.keep()
    cast.campaign.refresh_from_db()
    with pytest.raises(spend.Refused, match="budget of labels is used up"):
        spend.resume(cast.campaign)
    cast.campaign.refresh_from_db()
    assert cast.campaign.state == "paused"
    limited(cast.campaign, labels=6)
    spend.resume(cast.campaign, actor=cast.lead)
    cast.campaign.refresh_from_db()
    assert cast.campaign.state == "open"
    assert Budget.objects.get(campaign=cast.campaign).stopped_by == ""


def test_a_deadline_pauses_it_to_the_second(cast: Cast) -> None:
    limited(cast.campaign, deadline=NOW, zone="Europe/Berlin")
    assert spend.keep(NOW - timedelta(seconds=1)) == 0
    assert spend.keep(NOW) == 1
    assert Budget.objects.get().stopped_by == "deadline"


def test_two_ticks_at_once_pause_it_once(cast: Cast) -> None:
    limited(cast.campaign, deadline=NOW)
    stale = Budget.objects.select_related("campaign").get()
    assert spend.keep(NOW) == 1
    assert spend._stop(stale, "deadline", NOW) == 0
    assert AuditEvent.objects.filter(verb="budget reached").count() == 1


def test_a_draft_and_a_closed_campaign_stay_what_they_are(cast: Cast) -> None:
    limited(cast.campaign, deadline=NOW)
    campaigns.move(cast.campaign, "closed")
    assert spend.keep(NOW) == 0


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(labels=0), "at least one label"),
        (Limits(hours=Decimal(0)), "hours above 0"),
        (Limits(money=Decimal(-1)), "amount above 0"),
        (Limits(money=Decimal(1)), "Settle what is paid first"),
        (Limits(zone="Mars/Olympus"), "no time zone"),
        (Limits(zone="../../etc/passwd"), "no time zone"),
    ],
)
def test_limits_that_cannot_be(cast: Cast, limits: Limits, said: str) -> None:
    with pytest.raises(spend.Refused, match=said):
        spend.settle(campaign=cast.campaign, limits=limits)
    assert not Budget.objects.exists()


def test_settling_the_same_again_is_no_event(cast: Cast) -> None:
    for _ in range(2):
        limited(cast.campaign, labels=5)
    assert AuditEvent.objects.filter(verb="budget settled").count() == 1


def test_the_projection_by_hand(cast: Cast) -> None:
    """60 s and 120 s for ten labels each: 9 s a label; 40 more at EUR 18 an hour."""
    pay.settle(campaign=cast.campaign, counters=Counters(False, "hour", Decimal(18), "EUR"))
    work(cast.campaign, cast.rater, 10, 60)
    work(cast.campaign, cast.other_rater, 10, 120)
    found = spend.projection(cast.campaign, spend.of(cast.campaign), 40)
    assert (found.labels, found.seconds.value) == (60, 9.0)
    assert found.hours.value == pytest.approx((180 + 360) / 3600)
    assert found.money
    assert found.money.value == pytest.approx(18 * 540 / 3600)
    assert found.money.low is not None
    assert found.money.low < found.money.value


def test_paid_by_the_label_the_sum_is_certain(cast: Cast) -> None:
    pay.settle(campaign=cast.campaign, counters=Counters(False, "label", Decimal("0.25"), "EUR"))
    work(cast.campaign, cast.rater, 10, 60)
    found = spend.projection(cast.campaign, spend.of(cast.campaign), 30).money
    assert found
    assert (found.low, found.value, found.high) == (10.0, 10.0, 10.0)


def test_pace_is_that_of_the_last_week(cast: Cast) -> None:
    for days, so_far in ((9, 0), (5, 100), (1, 300)):
        at = NOW - timedelta(days=days)
        SpendPoint.objects.create(
            campaign=cast.campaign, hour=at, at=at, labels=so_far, active_ms=0
        )
    spent = spend.Spent(labels=400)
    assert spend.pace(cast.campaign, spent, NOW) == pytest.approx(60)
    assert spend.done_at(120, 60.0, NOW) == NOW + timedelta(days=2)
    assert spend.done_at(120, None, NOW) is None


def test_points_are_drawn_once_an_hour_where_something_changed(cast: Cast) -> None:
    work(cast.campaign, cast.rater, 5, 60)
    now = timezone.now().replace(minute=10, second=0, microsecond=0)
    assert spend.draw_points(now) == 1
    assert spend.draw_points(now + timedelta(seconds=30)) == 0
    work(cast.campaign, cast.rater, 7, 90)
    assert spend.draw_points(now + timedelta(minutes=2)) == 1
    assert [point.labels for point in spend.curve(cast.campaign)] == [7]
    assert spend.draw_points(now + timedelta(hours=1)) == 0  # nothing new in this hour
    work(cast.campaign, cast.rater, 9, 99)
    assert spend.draw_points(now + timedelta(hours=1)) == 1
    assert [point.labels for point in spend.curve(cast.campaign)] == [7, 9]
