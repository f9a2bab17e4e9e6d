"""A pilot: a few comparisons before all the others, what it shows, and what comes of it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from labeling import campaigns, comparisons, labels, leases, pay, pilot_report, pilots
from labeling.models import Campaign, Comparison, Label, Pilot, User
from labeling.pay import Counters
from models_runtime.models import AuditEvent
from tests.factories import CampaignFactory, Cast, UserFactory, make_cast, open_comparisons
from tests.talks import CONVERSATION, cast_of
from training import pipeline

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def scene(opened: int = 12, size: int = 5, overlap: int = 2) -> tuple[Cast, Pilot]:
    """A draft with comparisons, opened as a pilot."""
    cast = make_cast(state="draft")
    open_comparisons(cast.campaign, opened)
    pilot = pilots.begin(campaign=cast.campaign, size=size, overlap=overlap, actor=cast.lead)
    campaigns.move(cast.campaign, "open")
    return cast, pilot


def say(rater: User, campaign: Campaign, first: bool, seconds: int = 10) -> Label | None:
    """Prefer the completion that comes first by id, or the other; None when nothing is left."""
    at = NOW + timedelta(minutes=Label.objects.count())  # an hour of work takes an hour
    card = leases.claim_next(rater=rater, campaign=campaign, now=at)
    if card is None:
        return None
    place = card.order.index(min(card.order) if first else max(card.order))
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": f"{place}:better"}},
        idempotency_key=uuid.uuid4(),
        active_ms=seconds * 1000,
        now=at + timedelta(seconds=59),
    )


def all_say(cast: Cast, *, other_differs: int = 0) -> None:
    """Both raters answer everything; the second differs on so many."""
    while say(cast.rater, cast.campaign, True):
        pass
    n = 0
    while say(cast.other_rater, cast.campaign, n >= other_differs, seconds=20):
        n += 1


def test_nothing_is_handed_out_before_its_items_are_drawn() -> None:
    cast, _ = scene()
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None


def test_its_items_alone_are_handed_out_to_as_many_raters_as_wanted() -> None:
    cast, pilot = scene(size=5, overlap=2)
    pilots.keep()
    assert (pilots.items_of(pilot).count(), pilot.items.count()) == (5, 5)
    all_say(cast)
    third = UserFactory()
    assert leases.claim_next(rater=third, campaign=cast.campaign) is None
    assert Label.objects.count() == 10
    assert set(pilots.items_of(pilot).values_list("state", "overlap")) == {("complete", 2)}


def test_items_are_drawn_once_however_often_it_is_looked_at() -> None:
    _, pilot = scene()
    for _ in range(3):
        pilots.keep()
    assert pilot.items.count() == 5


def test_comparisons_that_come_later_are_withheld_too() -> None:
    cast, pilot = scene(opened=2)
    pilots.keep()
    assert pilot.items.count() == 2
    open_comparisons(cast.campaign, 9)
    pilots.keep()
    assert pilot.items.count() == 5
    assert cast.campaign.comparisons.filter(slots_left__gt=0).count() == 5


def test_no_item_is_drawn_while_answers_are_sampled() -> None:
    cast, pilot = scene()
    cast.campaign.iterations.update(state="sampling")
    pilots.keep()
    assert not pilot.items.exists()


def test_the_loop_does_not_train_on_a_pilot() -> None:
    cast, pilot = scene(opened=5)
    pilots.keep()
    all_say(cast)
    iteration = cast.campaign.iterations.get()
    assert not pipeline._collected(iteration)
    pilots.widen(pilot=pilot)
    pilots.keep()
    assert pipeline._collected(iteration)


def test_widened_everything_is_as_it_was_planned() -> None:
    cast, pilot = scene(opened=12)
    pilots.keep()
    all_say(cast)
    assert pilots.widen(pilot=pilot, actor=cast.lead)
    assert not pilots.widen(pilot=pilot)  # the second of two presses
    assert pilots.withholds(cast.campaign)
    pilots.keep()
    pilots.keep()
    rest = cast.campaign.comparisons.exclude(pk__in=pilots.items_of(pilot))
    assert set(rest.values_list("overlap", "slots_left", "withheld")) == {(1, 1, 0)}
    assert not pilots.withholds(cast.campaign)
    assert AuditEvent.objects.filter(verb="pilot decided").count() == 1


def test_revised_it_is_tried_again_on_others() -> None:
    cast, pilot = scene(opened=12)
    pilots.keep()
    all_say(cast)
    second = pilots.revise(
        pilot=pilot,
        text="Which is kinder?",
        trains_on="chosen",
        markdown="Be kind.",
        based_on=(1, 1),
        actor=cast.lead,
    )
    pilots.keep()
    assert (second.number, second.question.text) == (2, "Which is kinder?")
    assert second.items.count() == 5
    assert not set(pilots.items_of(second)) & set(pilots.items_of(pilot))
    label = say(cast.rater, Campaign.objects.get(pk=cast.campaign.pk), True)
    assert label
    assert (label.question_version.number, label.guideline_version.number) == (2, 2)  # type: ignore[union-attr]
    assert pilot_report.of(pilot).labels == 10  # as it was asked then
    assert pilot_report.of(second).labels == 1


def test_what_nobody_had_of_the_first_goes_back() -> None:
    cast, pilot = scene(opened=5)
    pilots.keep()
    say(cast.rater, cast.campaign, True)
    second = pilots.revise(
        pilot=pilot, text="Which is kinder?", trains_on="chosen", markdown="", based_on=(1, 1)
    )
    pilots.keep()
    assert second.items.count() == 4
    assert not Comparison.objects.filter(withheld__gt=0).exists()


def test_a_revision_of_what_somebody_else_revised_is_refused() -> None:
    cast, pilot = scene()
    campaigns.revise_question(
        campaign=cast.campaign, text="Another?", trains_on="chosen", based_on=1
    )
    with pytest.raises(campaigns.CannotRevise):
        pilots.revise(pilot=pilot, text="Mine?", trains_on="chosen", markdown="", based_on=(1, 1))
    pilot.refresh_from_db()
    assert pilot.decision == ""
    assert Pilot.objects.count() == 1


@pytest.mark.parametrize(
    ("size", "overlap", "said"),
    [(4, 2, "5 to 500 comparisons"), (501, 2, "5 to 500"), (9, 1, "2 to 9"), (9, 10, "2 to 9")],
)
def test_sizes_that_cannot_be(size: int, overlap: int, said: str) -> None:
    cast = make_cast(state="draft")
    with pytest.raises(pilots.Refused, match=said):
        pilots.begin(campaign=cast.campaign, size=size, overlap=overlap)


def test_one_at_a_time_and_before_the_campaign_opens() -> None:
    cast, _ = scene()
    with pytest.raises(pilots.Refused, match="under way"):
        pilots.begin(campaign=cast.campaign, size=9)
    with pytest.raises(pilots.Refused, match="open already"):
        pilots.begin(campaign=CampaignFactory(), size=9)


def test_talks_have_none() -> None:
    cast = cast_of(CONVERSATION)
    with pytest.raises(pilots.Refused, match="talk with models"):
        pilots.begin(campaign=cast.campaign, size=9)


def test_the_report_by_hand() -> None:
    """Ten items, the second rater differs on two: 80 % agree. 10 s and 20 s a label: 15 s, at EUR
    36 an hour 15 cents."""
    cast, pilot = scene(opened=10, size=10)
    pay.settle(campaign=cast.campaign, counters=Counters(False, "hour", Decimal(36), "EUR"))
    pilots.keep()
    all_say(cast, other_differs=2)
    pilot = Pilot.objects.get()
    found = pilot_report.of(pilot)
    assert (found.drawn, found.complete, found.labels, found.raters) == (10, 10, 20, 2)
    assert found.is_complete
    assert found.agreement.value == pytest.approx(0.8)
    assert found.agreement.low is not None
    assert (found.seconds.value, found.median) == (15.0, 15.0)
    assert found.cost
    assert found.cost.value == pytest.approx(0.15)
    needs = pilot_report.needed(found, pilot, 0.05)
    assert (needs.labels, needs.items) == (385, 385)  # one label an item once it is widened
    assert needs.hours.value == pytest.approx(385 * 15 / 3600)
    assert needs.money
    assert needs.money.value == pytest.approx(385 * 0.15)
    assert needs.doubles == 246  # 1.96² · .8 · .2 / .05²


def test_flags_and_skips_are_reported() -> None:
    cast, pilot = scene()
    pilots.keep()
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card
    labels.flag(assignment=card, code="broken")
    labels.skip(assignment=card, reason="cannot_judge")
    found = pilot_report.of(pilot)
    assert [one.codes for one in found.flags] == [{"broken": 1}]
    assert found.skips == {"cannot_judge": 1}


def test_a_pilot_without_a_label_says_so() -> None:
    _, pilot = scene()
    found = pilot_report.of(pilot)
    assert (found.labels, found.agreement.value, found.seconds.value) == (0, None, None)
    needs = pilot_report.needed(found, pilot, 0.05)
    assert (needs.labels, needs.doubles, needs.icc) == (385, None, None)


def test_what_a_loop_builds_in_a_pilot_is_withheld_from_the_start() -> None:
    rows = [Comparison(overlap=2, slots_left=2)]
    comparisons._withhold(rows)
    assert (rows[0].withheld, rows[0].overlap, rows[0].slots_left) == (2, 0, 0)
