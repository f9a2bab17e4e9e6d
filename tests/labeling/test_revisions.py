"""A question and its guidelines are revised by new versions; labels keep the one they had."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import campaigns, labels, leases, snapshots
from labeling.campaigns import CannotRevise
from labeling.models import Campaign, GuidelineVersion, Label, QuestionVersion
from labeling.questions import InvalidAnswer
from models_runtime.models import AuditEvent
from tests.factories import CampaignFactory, Cast, open_comparisons
from tests.rating import answer


def ask(cast: Cast, text: str, trains_on: str = "chosen", based_on: int = 1) -> QuestionVersion:
    return campaigns.revise_question(
        campaign=cast.campaign, text=text, trains_on=trains_on, based_on=based_on, actor=cast.lead
    )


def tell(cast: Cast, markdown: str, based_on: int = 1) -> GuidelineVersion:
    return campaigns.revise_guidelines(
        campaign=cast.campaign, markdown=markdown, based_on=based_on, actor=cast.lead
    )


def test_new_versions_are_numbered_on_and_written_down(cast: Cast) -> None:
    parts = cast.campaign.question.parts
    ask(cast, "Which is worse?", "rejected")
    tell(cast, "Be **kind**.")
    tell(cast, "Be right.", based_on=2)
    now = Campaign.objects.get(pk=cast.campaign.pk)
    assert (now.question.number, now.question.text) == (2, "Which is worse?")
    assert (now.question.trains_on, now.question.parts) == ("rejected", parts)
    assert (now.guideline.number, now.guideline.markdown) == (3, "Be right.")
    assert now.question.created_by == now.guideline.created_by == cast.lead
    events = AuditEvent.objects.order_by("id").values_list("verb", "data", "actor_id")
    assert list(events) == [
        ("question revised", {"number": 2}, cast.lead.pk),
        ("guideline revised", {"number": 2}, cast.lead.pk),
        ("guideline revised", {"number": 3}, cast.lead.pk),
    ]


def test_what_says_nothing_new_makes_no_version(cast: Cast) -> None:
    for _ in range(2):  # the second is the same request once more
        assert ask(cast, " Which is worse? ").number == 2
        assert tell(cast, "One.\r\nTwo.").number == 2
    assert tell(cast, "One.\nTwo.", based_on=2).number == 2


def test_two_leads_do_not_write_over_each_other(cast: Cast) -> None:
    ask(cast, "One?")
    tell(cast, "One.")
    for revise in (ask, tell):
        with pytest.raises(CannotRevise, match="Version 2 was made while you wrote"):
            revise(cast, "Another.")
    assert QuestionVersion.objects.count() == GuidelineVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "trains_on", "sentence"),
    [
        ("  ", "chosen", "1 to 500 characters"),
        ("x" * 501, "chosen", "1 to 500 characters"),
        ("Better?", "up", "either chosen or rejected"),
    ],
)
def test_a_question_that_is_none(cast: Cast, text: str, trains_on: str, sentence: str) -> None:
    with pytest.raises(CannotRevise, match=sentence):
        ask(cast, text, trains_on)
    assert QuestionVersion.objects.count() == 1


def test_a_closed_campaign_stays_as_it_was(cast: Cast) -> None:
    Campaign.objects.update(state="closed")
    for revise in (ask, tell):
        with pytest.raises(CannotRevise, match="The campaign is closed"):
            revise(cast, "Another?")


def test_labels_keep_the_versions_they_had(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    first = answer(cast.rater, cast.campaign, "0:better")
    ask(cast, "Which is worse?", "rejected")
    tell(cast, "Be kind.")
    cast.campaign.refresh_from_db()
    second = answer(cast.rater, cast.campaign, "0:better")
    versions = Label.objects.values_list("question_version__number", "guideline_version__number")
    assert list(versions.order_by("pk")) == [(1, 1), (2, 2)]
    # In the training direction the same press says the opposite under the second version.
    for label, better in ((first, 0), (second, 1)):
        assert chosen_in_training(cast.campaign, label) == label.order[better]


def chosen_in_training(campaign: Campaign, label: Label) -> Any:
    found = [
        one.answers for one in snapshots.judged(campaign) if one.comparison == label.comparison_id
    ]
    return found[0][0].preferences[0].chosen


def test_a_card_in_hand_is_answered_as_it_was_asked(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    shown = cast.campaign.question
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    ask(cast, "Which is worse?", "rejected")
    label = labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        question=shown,
        idempotency_key=uuid.uuid4(),
    )
    assert label.question_version == shown
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    withdrawn = Label.objects.get(kind="withdrawn")
    assert withdrawn.question_version == shown


def test_another_campaign_s_question_is_refused(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    with pytest.raises(InvalidAnswer, match="another campaign's"):
        labels.record_label(
            assignment=card,
            parts={"preference": {"choice": "0:better"}},
            question=CampaignFactory().question,
            idempotency_key=uuid.uuid4(),
        )
    assert not Label.objects.exists()
