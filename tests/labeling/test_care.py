"""Care for raters: consent first, kinds that were left, and how much is enough for a day."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling import boundaries, care, labels, leases
from labeling.care import Care
from labeling.models import Assignment, Boundary, Campaign, Comparison, User
from models_runtime.models import AuditEvent
from tests.factories import (
    CampaignFactory,
    Cast,
    ComparisonFactory,
    IterationFactory,
    PromptFactory,
    UserFactory,
    make_cast,
    open_comparisons,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
WARNING = "You will read about violence."


@pytest.fixture
def warned(db: None) -> Cast:
    made = make_cast(content_warning=WARNING)
    open_comparisons(made.campaign, 4)
    return made


def test_a_campaign_without_a_warning_asks_nothing(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert boundaries.of(cast.rater, cast.campaign, timezone.now()) is None
        assert boundaries.unless_left(None) == ("", [])


def test_nothing_is_handed_out_before_consent_and_after_it_was_taken_back(warned: Cast) -> None:
    care.settle(campaign=warned.campaign, care=Care(WARNING, needs_consent=True))
    assert _card(warned) is None
    care.consent(rater=warned.rater, campaign=warned.campaign)
    first = Boundary.objects.get().consented_at
    assert first is not None
    card = _card(warned)
    assert card is not None
    care.consent(rater=warned.rater, campaign=warned.campaign)
    assert Boundary.objects.get().consented_at == first
    for _ in range(2):
        care.withdraw_consent(rater=warned.rater, campaign=warned.campaign)
    card.refresh_from_db()
    assert card.state == "expired"
    assert Comparison.objects.get(pk=card.comparison_id).slots_left == 1
    assert _card(warned) is None
    verbs = AuditEvent.objects.filter(verb__startswith="consent").values_list("verb", flat=True)
    assert list(verbs.order_by("pk")) == ["consent given", "consent withdrawn"]


def test_consent_is_each_raters_own(warned: Cast) -> None:
    care.settle(campaign=warned.campaign, care=Care(WARNING, needs_consent=True))
    care.consent(rater=warned.other_rater, campaign=warned.campaign)
    assert _card(warned) is None
    assert _card(warned, warned.other_rater) is not None


@pytest.mark.parametrize(
    ("kind", "prompt"),
    [
        ("violence", {"category": "violence"}),
        ("violence", {"tags": ["night", "violence"]}),
        ('100 % "näive"_!', {"tags": ['100 % "näive"_!']}),
        ("violence", {"category": "violence", "tags": ["violence"]}),
    ],
)
def test_a_kind_that_was_left_is_offered_no_more_until_it_is_taken_back(
    kind: str, prompt: dict[str, object]
) -> None:
    made = make_cast(content_warning=WARNING)
    iteration = IterationFactory(campaign=made.campaign)
    met = PromptFactory(prompt_set__campaign=made.campaign, **prompt)
    other = PromptFactory(prompt_set__campaign=made.campaign, category="vio", tags=["violences"])
    for row in (met, other):
        ComparisonFactory(campaign=made.campaign, iteration=iteration, prompt=row)
    card = _card(made)
    assert card is not None
    assert card.comparison.prompt == met
    care.leave(rater=made.rater, campaign=made.campaign, kind=kind)
    assert Comparison.objects.get(prompt=met).slots_left == 1
    following = _card(made)
    assert following is not None
    assert following.comparison.prompt == other
    leases.release(following)
    assert not Assignment.objects.filter(state="skipped").exists()
    care.come_back(rater=made.rater, campaign=made.campaign, kind=kind)
    again = _card(made)
    assert again is not None
    assert again.comparison.prompt == met


def test_leaving_a_kind_keeps_the_other_cards_in_hand(warned: Cast) -> None:
    card = _card(warned)
    care.leave(rater=warned.rater, campaign=warned.campaign, kind="violence")
    assert _card(warned) == card


def test_a_day_has_so_many_cards_of_all_campaigns_with_a_warning(warned: Cast) -> None:
    care.settle(campaign=warned.campaign, care=Care(WARNING, daily_cards=2))
    now = timezone.now()
    other = _other(warned)
    leases.claim_next(rater=warned.rater, campaign=other, now=now - timedelta(hours=20))
    _answer(warned, now - timedelta(hours=4))
    assert leases.claim_next(rater=warned.rater, campaign=warned.campaign, now=now) is None
    limits = boundaries.of(warned.rater, warned.campaign, now)
    assert limits is not None
    assert limits.resumes_at == now + timedelta(hours=4)
    later = now + timedelta(hours=4, seconds=1)
    assert leases.claim_next(rater=warned.rater, campaign=warned.campaign, now=later) is not None


def test_at_the_limit_the_card_in_hand_stays_and_nobody_elses_day_is_over(warned: Cast) -> None:
    care.settle(campaign=warned.campaign, care=Care(WARNING, daily_cards=1))
    card = _card(warned)
    assert card is not None
    assert _card(warned) == card
    have = {card.public_id}
    ahead = leases.claim_next(rater=warned.rater, campaign=warned.campaign, have=have)
    assert ahead is None
    assert _card(warned, warned.other_rater) is not None


def test_what_was_given_back_unread_does_not_count(warned: Cast) -> None:
    care.settle(campaign=warned.campaign, care=Care(WARNING, daily_cards=1))
    card = _card(warned)
    assert card is not None
    leases.release(card)
    assert _card(warned) == card


def test_programs_have_no_limits(warned: Cast) -> None:
    settings = Care(WARNING, needs_consent=True, daily_cards=1)
    care.settle(campaign=warned.campaign, care=settings)
    program = UserFactory(kind="simulated")
    assert _card(warned, program) is not None


def test_settings_need_a_warning_and_are_in_the_audit_log_once(warned: Cast) -> None:
    with pytest.raises(ValueError, match="Write the content warning first"):
        care.settle(campaign=warned.campaign, care=Care(" ", veiled=True))
    for _ in range(2):
        care.settle(campaign=warned.campaign, care=Care(WARNING, veiled=True))
    assert care.of(warned.campaign) == Care(WARNING, veiled=True)
    assert AuditEvent.objects.filter(verb="care settled").count() == 1


def _other(warned: Cast) -> Campaign:
    made = CampaignFactory(project=warned.project, content_warning=WARNING)
    open_comparisons(made, 1)
    return made


def _card(warned: Cast, rater: User | None = None) -> Assignment | None:
    return leases.claim_next(rater=rater or warned.rater, campaign=warned.campaign)


def _answer(warned: Cast, now: datetime) -> None:
    card = leases.claim_next(rater=warned.rater, campaign=warned.campaign, now=now)
    assert card is not None
    labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        now=now,
    )
