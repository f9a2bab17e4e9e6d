"""Guidelines that must be confirmed: nothing is handed out before they are, and nothing counts."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import campaigns, clones, confirmations, conversations, labels, leases, turns
from labeling.confirmations import NotConfirmed
from labeling.conversations import NotNow
from labeling.models import (
    Assignment,
    Campaign,
    GuidelinesConfirmed,
    GuidelineVersion,
    Label,
    User,
)
from models_runtime.models import AuditEvent
from tests.factories import Cast, UserFactory, open_comparisons
from tests.rating import answer
from tests.talks import CONVERSATION, cast_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def revise(campaign: Campaign, text: str, *, confirm: bool = True) -> GuidelineVersion:
    campaign.refresh_from_db()
    assert campaign.guideline is not None
    return campaigns.revise_guidelines(
        campaign=campaign,
        markdown=text,
        based_on=campaign.guideline.number,
        must_confirm=confirm,
    )


def claim(rater: User, campaign: Campaign) -> Assignment | None:
    campaign.refresh_from_db()
    return leases.claim_next(rater=rater, campaign=campaign)


def say(card: Assignment, **more: Any) -> Label:
    card.comparison.campaign.refresh_from_db()
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        **more,
    )


def test_no_card_comes_before_they_are_confirmed(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    version = revise(cast.campaign, "Be brief.")
    assert claim(cast.rater, cast.campaign) is None
    confirmations.confirm(rater=cast.rater, version=version)
    confirmations.confirm(rater=cast.rater, version=version)
    assert claim(cast.rater, cast.campaign) is not None
    assert claim(cast.other_rater, cast.campaign) is None  # each for themselves
    assert GuidelinesConfirmed.objects.get().version == version
    assert AuditEvent.objects.filter(verb="guidelines confirmed").count() == 1


def test_an_answer_under_them_is_refused_and_changes_nothing(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    card = claim(cast.rater, cast.campaign)
    assert card is not None
    version = revise(cast.campaign, "Be brief.")
    with pytest.raises(NotConfirmed, match="confirm it first"):
        say(card)
    with pytest.raises(NotConfirmed):
        say(card, guideline=version)
    card.refresh_from_db()
    assert (card.state, Label.objects.count(), cast.rater.seats.get().answered) == ("leased", 0, 0)
    confirmations.confirm(rater=cast.rater, version=version)
    assert say(card).guideline_version == version


def test_a_card_in_hand_is_answered_under_what_it_showed(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    card = claim(cast.rater, cast.campaign)
    shown = cast.campaign.guideline
    assert card is not None
    revise(cast.campaign, "Be brief.")
    assert say(card, guideline=shown).guideline_version == shown
    assert not leases.renew(card)
    assert claim(cast.rater, cast.campaign) is None


def test_only_versions_that_must_be_are_confirmed(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4)
    revise(cast.campaign, "Be brief.", confirm=False)
    answer(cast.rater, cast.campaign, "0:better")
    version = revise(cast.campaign, "Be brief.")  # asked for of the same words, later
    assert (version.number, claim(cast.rater, cast.campaign)) == (2, None)
    newer = revise(cast.campaign, "Be brief and kind.", confirm=False)
    assert claim(cast.rater, cast.campaign) is None  # what 2 changed they have not read yet
    confirmations.confirm(rater=cast.rater, version=newer)
    assert claim(cast.rater, cast.campaign) is not None


def test_what_a_rater_knows_is_what_they_confirmed_or_answered_under(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4)
    second = revise(cast.campaign, "Be brief.", confirm=False)
    answer(cast.rater, cast.campaign, "0:better")
    third = revise(cast.campaign, "Be kind.")
    assert confirmations.read_before(cast.rater, third) == second
    assert confirmations.read_before(cast.other_rater, third) is None
    confirmations.confirm(rater=cast.rater, version=third)
    assert confirmations.read_before(cast.rater, revise(cast.campaign, "Be true.")) == third


def test_programs_read_no_guidelines(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    revise(cast.campaign, "Be brief.")
    machine = UserFactory(kind="simulated")
    card = claim(machine, cast.campaign)
    assert card is not None
    say(card)


def test_an_answer_asks_the_database_no_more_for_it(cast: Cast) -> None:
    open_comparisons(cast.campaign, 9)
    counts = []
    for confirms in (False, True):
        version = revise(cast.campaign, "Be brief.", confirm=confirms)
        confirmations.confirm(rater=cast.rater, version=version)
        answer(cast.rater, cast.campaign, "0:better")
        card = claim(cast.rater, cast.campaign)
        assert card is not None
        with CaptureQueriesContext(
            connection,
        ) as said:
            labels.record_and_claim(
                assignment=card,
                parts={"preference": {"choice": "0:better"}},
                idempotency_key=uuid.uuid4(),
            )
        counts.append(len(said))
    assert counts[0] == counts[1]


def test_a_talk_waits_too_and_its_reply_is_judged_as_it_was_shown() -> None:
    cast = cast_of(CONVERSATION)
    talk = conversations.begin(rater=cast.rater, campaign=cast.campaign)
    version = revise(cast.campaign, "Be brief.")
    talk.refresh_from_db()
    with pytest.raises(NotNow, match="confirm it first"):
        turns.say(talk=talk, text="Hello", idempotency_key=uuid.uuid4())
    with pytest.raises(NotNow, match="confirm it first"):
        conversations.begin(rater=cast.other_rater, campaign=cast.campaign)
    confirmations.confirm(rater=cast.rater, version=version)
    turns.say(talk=talk, text="Hello", idempotency_key=uuid.uuid4())


def test_a_clone_asks_for_its_own_guidelines(cast: Cast) -> None:
    revise(cast.campaign, "Be brief.")
    cast.campaign.refresh_from_db()
    made = clones.clone(campaign=cast.campaign, name="Again", prompts=False)
    assert (made.confirm_from, made.guideline.must_confirm) == (1, True)
