"""Questions about a card: kept apart from the label, answered once, told to whom the lead says,
and able to enter the guidelines."""

from __future__ import annotations

import pytest

from labeling import card_questions, erasure, leases, seats
from labeling.card_questions import NotPossible, Reply
from labeling.models import Assignment, CardQuestion
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
FOR_ALL = Reply("No: **right** comes first.", told="Does length count?")


@pytest.fixture
def card(cast: Cast) -> Assignment:
    open_comparisons(cast.campaign, 2)
    for rater in (cast.other_rater, cast.rater):
        found = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert found is not None
    return found


def unread(cast: Cast) -> list[int]:
    return [
        seats.work(rater, cast.campaign).answers_unread for rater in (cast.rater, cast.other_rater)
    ]


def test_asking_keeps_the_card_in_hand(card: Assignment) -> None:
    asked = card_questions.ask(assignment=card, text=" Is the longer one better? ")
    assert asked.text == "Is the longer one better?"
    card.refresh_from_db()
    assert card.state == "leased"


def test_the_same_question_twice_is_one(card: Assignment) -> None:
    first = card_questions.ask(assignment=card, text="Why?")
    assert card_questions.ask(assignment=card, text="Why?") == first


def test_what_says_nothing_or_too_much_is_refused(card: Assignment) -> None:
    for text in (" \n ", "x" * 2001):
        with pytest.raises(NotPossible):
            card_questions.ask(assignment=card, text=text)
    for number in range(card_questions.MOST_OPEN):
        card_questions.ask(assignment=card, text=f"Question {number}")
    with pytest.raises(NotPossible, match="not answered 20"):
        card_questions.ask(assignment=card, text="One more")
    assert CardQuestion.objects.count() == card_questions.MOST_OPEN


def test_an_answer_reaches_the_one_who_asked_alone(card: Assignment, cast: Cast) -> None:
    question = card_questions.ask(assignment=card, text="Why?")
    reply = {"question": question, "actor": cast.lead}
    assert card_questions.answer(reply=Reply("Because."), **reply)
    assert not card_questions.answer(reply=Reply("Another."), **reply)
    assert unread(cast) == [1, 0]
    assert card_questions.shared(cast.campaign) == []
    [mine] = card_questions.own(cast.rater, cast.campaign)
    assert mine.answer == "Because."
    card_questions.seen(cast.rater, cast.campaign)
    assert unread(cast) == [0, 0]


def test_an_answer_for_all_reaches_everybody_in_the_leads_words(
    card: Assignment, cast: Cast
) -> None:
    question = card_questions.ask(assignment=card, text="My own words")
    card_questions.answer(question=question, reply=FOR_ALL, actor=cast.lead)
    assert unread(cast) == [1, 1]
    [told] = card_questions.shared(cast.campaign)
    assert told.told == "Does length count?"
    assert card_questions.unshare(question=question, actor=cast.lead)
    assert card_questions.shared(cast.campaign) == []
    assert not card_questions.unshare(question=question, actor=cast.lead)


def test_it_enters_the_guidelines_as_a_new_version_once(card: Assignment, cast: Cast) -> None:
    before = cast.campaign.guideline
    assert before is not None
    heading = "Questions and answers"
    for number in (1, 2):
        question = card_questions.ask(assignment=card, text=f"Question {number}")
        reply = Reply(f"Answer {number}.", told=f"What of {number}?", heading=heading)
        assert card_questions.answer(question=question, reply=reply, actor=cast.lead)
        assert not card_questions.answer(question=question, reply=reply, actor=cast.lead)
    cast.campaign.refresh_from_db()
    now = cast.campaign.guideline
    assert now is not None
    assert now.number == before.number + 2
    assert now.markdown == (
        f"{before.markdown}\n\n## {heading}\n\n**What of 1?**\n\nAnswer 1.\n\n"
        "**What of 2?**\n\nAnswer 2.\n"
    )


def test_the_guidelines_need_words_that_all_may_read(card: Assignment, cast: Cast) -> None:
    question = card_questions.ask(assignment=card, text="Why?")
    with pytest.raises(NotPossible, match="own words"):
        card_questions.answer(
            question=question, reply=Reply("So.", heading="Answers"), actor=cast.lead
        )
    question.refresh_from_db()
    assert question.answered_at is None


def test_erasing_a_rater_empties_what_they_asked(card: Assignment, cast: Cast) -> None:
    private = card_questions.ask(assignment=card, text="Sesquipedalian")
    card_questions.answer(question=private, reply=Reply("As you said."), actor=cast.lead)
    public = card_questions.ask(assignment=card, text="Antediluvian")
    card_questions.answer(question=public, reply=FOR_ALL, actor=cast.lead)
    erasure.erase(rater=cast.rater, actor=cast.lead)
    rows = CardQuestion.objects.order_by("pk").values_list("text", "answer", "told")
    assert list(rows) == [("", "", ""), ("", FOR_ALL.answer, FOR_ALL.told)]
    for event in AuditEvent.objects.all():
        assert "Sesquip" not in str(vars(event))
