"""Cards go to whom a campaign is for: groups and skills, consent, languages, and so many each."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling import (
    admission,
    checks,
    consents,
    conversations,
    gold_results,
    groups,
    labels,
    leases,
    queues,
)
from labeling.conversations import NotNow
from labeling.models import Assignment, Campaign, Prompt, User
from labeling.queues import Rules
from tests.checks import claim as known
from tests.checks import make_gold, say
from tests.factories import Cast, UserFactory, open_comparisons
from tests.rating import answer
from tests.talks import CONVERSATION, cast_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def claim(rater: User, campaign: Campaign) -> Assignment | None:
    campaign.refresh_from_db()
    return leases.claim_next(rater=rater, campaign=campaign)


def rules(cast: Cast, **settings: Any) -> None:
    queues.settle(campaign=cast.campaign, rules=Rules(**settings), actor=cast.lead)


def test_any_of_the_groups_and_all_of_the_skills(cast: Cast) -> None:
    open_comparisons(cast.campaign, 6, overlap=9)
    a, b = (groups.make(project=cast.project, name=n, kind="group") for n in "ab")
    law, tax = (groups.make(project=cast.project, name=n, kind="skill") for n in ("law", "tax"))
    wanted = frozenset(row.pk for row in (a, b, law, tax))
    rules(cast, groups=wanted)
    steps = [(b, False), (law, False), (tax, True)]
    assert claim(cast.rater, cast.campaign) is None
    for group, opens in steps:
        groups.put_in(group=group, users=[cast.rater], actor=cast.lead)
        assert (claim(cast.rater, cast.campaign) is not None) is opens
        found = admission.for_rater(Campaign.objects.all(), cast.rater).exists()
        assert found is opens  # the page and the claim agree
    groups.take_out(group=law, users=[cast.rater])
    assert claim(cast.rater, cast.campaign) is None


def test_skills_alone_ask_for_no_group(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    law = groups.make(project=cast.project, name="law", kind="skill")
    rules(cast, groups=frozenset({law.pk}))
    groups.put_in(group=law, users=[cast.rater])
    assert admission.for_rater(Campaign.objects.all(), cast.rater).exists()
    assert claim(cast.rater, cast.campaign) is not None


def test_a_group_that_a_campaign_asks_for_is_not_removed(cast: Cast) -> None:
    group = groups.make(project=cast.project, name="a", kind="group")
    rules(cast, groups=frozenset({group.pk}))
    with pytest.raises(groups.NotPossible, match="A campaign asks for a"):
        groups.remove(group=group)
    rules(cast)
    groups.remove(group=group)
    assert groups.of(cast.project) == []


def test_nobody_of_another_project_is_put_in(cast: Cast) -> None:
    group = groups.make(project=cast.project, name="a", kind="group")
    with pytest.raises(groups.NotPossible):
        groups.put_in(group=group, users=[cast.rater, cast.outsider])
    assert not group.members.exists()


def test_only_prompts_in_a_language_that_the_rater_reads(cast: Cast) -> None:
    rows = open_comparisons(cast.campaign, 5)
    for row, language in zip(rows, ["de-AT", "fr", "", "pt_BR", "den"], strict=True):
        Prompt.objects.filter(pk=row.prompt_id).update(language=language)
    rules(cast, by_language=True)
    cast.rater.languages = ["de", "pt"]
    got = set()
    while card := claim(cast.rater, cast.campaign):
        got.add(card.comparison.prompt.language)
        labels.skip(assignment=card, reason="cannot_judge")
    assert got == {"de-AT", "", "pt_BR"}
    card = claim(cast.other_rater, cast.campaign)  # who reads none that they named
    assert card is not None
    assert card.comparison.prompt.language == ""


def test_no_more_answers_of_one_rater_than_are_wanted_in_all(cast: Cast) -> None:
    open_comparisons(cast.campaign, 5, overlap=2)
    rules(cast, most_answers=2)
    cast.campaign.refresh_from_db()
    answer(cast.rater, cast.campaign, "0:better")
    held = leases.hand(rater=cast.rater, campaign=cast.campaign).card
    assert held is not None
    ahead = leases.hand(rater=cast.rater, campaign=cast.campaign, have=[held.public_id])
    assert ahead.card is None  # the one in hand is the last
    answer(cast.rater, cast.campaign, "0:better")
    assert claim(cast.rater, cast.campaign) is None
    assert claim(cast.other_rater, cast.campaign) is not None
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert claim(cast.rater, cast.campaign) is not None  # what was taken back frees its place


@pytest.mark.parametrize("limit", ["most_answers", "most_daily"])
def test_training_takes_nothing_of_what_a_rater_may_answer(cast: Cast, limit: str) -> None:
    open_comparisons(cast.campaign, 5)
    make_gold(cast.campaign, 2, "training")
    checks.settle(campaign=cast.campaign, settings=checks.Checks(trains_raters=True))
    rules(cast, **{limit: 2})
    for _item in range(2):
        say(known(cast.rater, cast.campaign))
        for result in gold_results.to_tell(cast.rater, cast.campaign):
            gold_results.told(result)
    for _card in range(2):
        card = claim(cast.rater, cast.campaign)
        assert card is not None
        assert card.comparison.purpose == "work"
        answer(cast.rater, cast.campaign, "0:better")
    assert claim(cast.rater, cast.campaign) is None


def test_a_day_s_answers_resume_a_day_after_the_oldest_of_them(cast: Cast) -> None:
    open_comparisons(cast.campaign, 5)
    rules(cast, most_daily=2)
    cast.campaign.refresh_from_db()
    for _card in range(2):
        answer(cast.rater, cast.campaign, "0:better")
    assert claim(cast.rater, cast.campaign) is None
    oldest = Assignment.objects.filter(rater=cast.rater).order_by("submitted_at")[0]
    now = timezone.now()
    room = admission.room(cast.rater, cast.campaign, 2, 0, now)
    assert room.limit == "day"
    assert oldest.submitted_at is not None
    assert room.resumes_at == oldest.submitted_at + timedelta(days=1)
    later = room.resumes_at + timedelta(seconds=1)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign, now=later) is not None


def test_no_card_before_the_newest_consent_is_accepted(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    first = consents.publish(project=cast.project, markdown="Be kind.", based_on=0)
    assert first is not None
    assert claim(cast.rater, cast.campaign) is None
    consents.give(rater=cast.rater, version=first)
    held = claim(cast.rater, cast.campaign)
    assert held is not None
    second = consents.publish(project=cast.project, markdown="Be kinder.", based_on=1)
    assert second is not None
    assert claim(cast.rater, cast.campaign) is None  # not even the one in hand
    consents.give(rater=cast.rater, version=second)
    assert claim(cast.rater, cast.campaign) == held
    consents.publish(project=cast.project, markdown="", based_on=2)
    assert claim(cast.other_rater, cast.campaign) is not None


def test_a_card_in_hand_is_answered_but_not_kept_under_a_new_rule(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    held = claim(cast.rater, cast.campaign)
    assert held is not None
    group = groups.make(project=cast.project, name="a", kind="group")
    rules(cast, groups=frozenset({group.pk}))
    held = Assignment.objects.get(pk=held.pk)
    before = held.leased_until
    assert not leases.renew(held)
    leases.release_expired(before + timedelta(seconds=1))
    held = Assignment.objects.get(pk=held.pk)
    assert not leases.renew(held)
    assert (held.state, held.leased_until) == ("expired", before)
    answered = labels.record_label(
        assignment=held,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    )
    assert answered.kind == "answer"


def test_what_was_accepted_stays_written_once(cast: Cast) -> None:
    version = consents.publish(project=cast.project, markdown="Be kind.", based_on=0)
    assert version is not None
    for _again in range(2):
        consents.give(rater=cast.rater, version=version)
    assert version.given.count() == 1
    with pytest.raises(consents.CannotPublish, match="version 1 meanwhile"):
        consents.publish(project=cast.project, markdown="Be quick.", based_on=0)


def test_no_talk_without_consent_or_past_the_limit() -> None:
    cast = cast_of(CONVERSATION)
    version = consents.publish(project=cast.project, markdown="Be kind.", based_on=0)
    assert version is not None
    cast.campaign.refresh_from_db()
    with pytest.raises(NotNow, match="consent"):
        conversations.begin(rater=cast.rater, campaign=cast.campaign)
    consents.give(rater=cast.rater, version=version)
    assert conversations.begin(rater=cast.rater, campaign=cast.campaign) is not None


def test_the_rules_are_for_people(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    consents.publish(project=cast.project, markdown="Be kind.", based_on=0)
    rules(cast, by_language=True, most_answers=1)
    simulated = UserFactory(kind="simulated")
    assert claim(simulated, cast.campaign) is not None


def test_a_campaign_without_rules_pays_no_query(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert admission.bar(cast.rater, cast.campaign) == ""
        assert admission.room(cast.rater, cast.campaign, 5, 1, timezone.now()).cards is None
        assert admission.unless_unread(cast.rater, cast.campaign) == ("", [])
