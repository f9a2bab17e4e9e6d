"""What leads wrote about a rater goes when the rater is erased; the acts themselves stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import (
    adjudications,
    card_questions,
    checks,
    contests,
    erasure,
    exclusions,
    invitations,
    pay_disputes,
    send_backs,
)
from labeling.earnings import Period, today
from labeling.models import (
    Adjudication,
    CardQuestion,
    Contest,
    Exclusion,
    Gold,
    Invitation,
    Membership,
    PayDispute,
    SendBack,
)
from tests.checks import claim, make_gold, say
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db


def test_words_about_a_rater_and_to_them_are_emptied(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    label = answer(cast.rater, cast.campaign, "0:better")
    send_backs.send_back(label=label, text="Dear Ada, look again.", actor=cast.lead)
    exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.rater,
        from_at=timezone.now() - timedelta(days=1),
        reason="other",
        text="Ada was ill.",
        actor=cast.lead,
    )
    assert erasure.erase(rater=cast.rater, actor=cast.lead) == 2
    assert (Exclusion.objects.get().text, SendBack.objects.get().text) == ("", "")
    assert Exclusion.objects.get().reason == "other"


def test_so_are_the_reasons_of_somebody_who_was_a_lead(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    row = answer(cast.rater, cast.campaign, "0:better").comparison
    adjudications.decide(comparison=row, kind="accept", actor=cast.lead, text="I like it.")
    Membership.objects.filter(user=cast.lead).update(role="rater")
    erasure.erase(rater=cast.lead)
    assert Adjudication.objects.get().text == ""


def was_a_lead_once(cast: Cast) -> None:
    Membership.objects.filter(user=cast.lead).update(role="rater")
    erasure.erase(rater=cast.lead)


def test_so_is_what_a_lead_answered_to_one_rater(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    make_gold(cast.campaign, 1, "training")
    checks.settle(campaign=cast.campaign, settings=checks.Checks(trains_raters=True))
    card = claim(cast.rater, cast.campaign)
    asked = card_questions.ask(assignment=card, text="Why?")
    card_questions.answer(
        question=asked, reply=card_questions.Reply("Ask me at lunch."), actor=cast.lead
    )
    contest = contests.open_contest(result=say(card).result, text="No.", rater=cast.rater)
    contests.reject(contest=contest, reason="Dear Ada, it is.", actor=cast.lead)
    dispute = pay_disputes.begin(
        rater=cast.rater, campaign=cast.campaign, period=Period.month(today()), text="Too little."
    )
    pay_disputes.answer(dispute=dispute, is_upheld=False, sentence="It is not.", actor=cast.lead)
    was_a_lead_once(cast)
    assert CardQuestion.objects.get().answer == ""
    assert Contest.objects.get().reason == ""
    assert PayDispute.objects.get().answer == ""
    for row in (CardQuestion.objects.get(), Contest.objects.get(), PayDispute.objects.get()):
        assert row.text  # the rater's own words are the rater's


def test_what_a_campaign_tells_everybody_stays(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    asked = card_questions.ask(assignment=claim(cast.rater, cast.campaign), text="Why?")
    reply = card_questions.Reply("The shorter one.", told="Which is better?")
    card_questions.answer(question=asked, reply=reply, actor=cast.lead)
    make_gold(cast.campaign, 1)
    was_a_lead_once(cast)
    assert CardQuestion.objects.get().answer == "The shorter one."
    assert CardQuestion.objects.get().told == "Which is better?"
    assert Gold.objects.get().explanation


def test_so_is_the_name_of_a_link_for_them_alone(cast: Cast) -> None:
    for name, places in (("For Ada", 1), ("Spring course", 2)):
        terms = invitations.Terms(name=name, places=places)
        made, _token = invitations.make(project=cast.project, terms=terms, actor=cast.lead)
        invitations.accept(invitation=made, user=cast.rater)
    erasure.erase(rater=cast.rater)
    assert list(Invitation.objects.order_by("pk").values_list("name", flat=True)) == [
        "",
        "Spring course",
    ]
