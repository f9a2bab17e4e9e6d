"""A pair of a talk is its rater's until it is judged or the talk ends.

No lease, no other page and no failed reply makes a talk go on past a pair that nobody judged.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import care, conversations, labels, leases, replies, turns
from labeling.care import Care
from labeling.conversations import NotNow
from labeling.models import Assignment, Comparison, Completion, Conversation, Label, Prompt, Reply
from models_runtime.serving import Piece
from tests.factories import Cast
from tests.talks import CONVERSATION, HARMFUL, answer, begun, cast_of, judge, say, stage

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def cast() -> Cast:
    return cast_of(CONVERSATION)


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    talk = begun(cast)
    say(talk)
    answer(talk, "One.", "Two.")
    return talk


def _lease_ends(cast: Cast) -> None:
    leases.release_expired(timezone.now() + timedelta(days=365))


def _given_back(cast: Cast) -> None:
    leases.release(Assignment.objects.get())


def _consent_withdrawn(cast: Cast) -> None:
    care.settle(campaign=cast.campaign, care=Care("It may be harsh.", needs_consent=True))
    care.consent(rater=cast.rater, campaign=cast.campaign)
    care.withdraw_consent(rater=cast.rater, campaign=cast.campaign)


def _skipped(cast: Cast) -> None:
    with pytest.raises(labels.NotOpen):
        labels.skip(assignment=Assignment.objects.get(), reason="broken")


@pytest.mark.parametrize("act", [_lease_ends, _given_back, _consent_withdrawn, _skipped])
@pytest.mark.parametrize("taken_back", [False, True])
def test_the_pair_stays_in_hand(
    talk: Conversation, cast: Cast, act: Callable[[Cast], None], taken_back: bool
) -> None:
    if taken_back:
        judge(talk, "0:better")
        turns.take_back(talk=talk)
    act(cast)
    assert Assignment.objects.get().state == "leased"
    assert stage(talk) == "judging"
    with pytest.raises(NotNow):
        say(talk, "Go on.")
    label = judge(talk, "0:better")
    assert (label.counted, label.late) == (True, False)
    if act is _consent_withdrawn:  # what was said is judged; to say more takes consent again
        care.consent(rater=cast.rater, campaign=cast.campaign)
    say(talk, "Go on.")
    second = Prompt.objects.order_by("-pk")[0]
    assert {row.prompt for row in second.completions.all()} == {second}
    assert Comparison.objects.get(turn=1).completions.count() == 2


def test_a_pair_that_lost_its_lease_is_judged_all_the_same(talk: Conversation) -> None:
    judge(talk, "0:better")
    turns.take_back(talk=talk)
    Assignment.objects.update(state="expired")
    Comparison.objects.update(slots_left=1)
    assert stage(talk) == "judging"
    assert judge(talk, "1:better").counted
    assert stage(talk) == "talking"


def test_what_was_judged_in_a_talk_is_in_no_list_of_cards(talk: Conversation, cast: Cast) -> None:
    judge(talk, "0:better")
    assert labels.undo(rater=cast.rater, campaign=cast.campaign) is None
    assert labels.newest(cast.rater, cast.campaign) is None
    assert labels.recent(cast.rater, cast.campaign) == []
    assert stage(talk) == "talking"
    assert [label.kind for label in Label.objects.all()] == ["answer"]


def one_of_two(talk: Conversation) -> None:
    first, second = Reply.objects.filter(settled_at=None).order_by("position")
    assert replies.take(first)
    assert replies.settle(first, Piece("Done.", "eos", 3))
    assert replies.take(second)
    replies.give_up(second)


def test_of_a_pair_that_never_was_whole_nothing_is_asked() -> None:
    talk = begun(cast_of(HARMFUL))
    say(talk, "First")
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    say(talk, "Second")
    one_of_two(talk)
    conversations.finish(talk=talk)
    assert stage(talk) == "rating"
    turns.ask_again(talk=talk)  # it is over: no more is written
    assert stage(talk) == "rating"
    assert Comparison.objects.get(turn=1).state == "discarded"
    with pytest.raises(NotNow):
        judge(talk, "0:better")
    label = turns.rate(
        talk=talk,
        parts={"session": {"success": "2"}, "worse": {}},
        idempotency_key=uuid.uuid4(),
    )
    assert label.comparison.completions.get().text in ("One.", "Two.")
    assert Comparison.objects.filter(state="complete").count() == 2


def test_a_reply_that_fails_after_the_end_asks_for_no_judgement() -> None:
    talk = begun(cast_of(HARMFUL))
    say(talk, "First")
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    say(talk, "Second")
    conversations.finish(talk=talk)
    assert stage(talk) == "waiting"
    one_of_two(talk)
    assert stage(talk) == "rating"


def test_ending_gives_up_what_is_being_written_and_keeps_what_was(talk: Conversation) -> None:
    judge(talk, "0:better")
    say(talk, "Second")
    first = Reply.objects.filter(settled_at=None).order_by("position")[0]
    assert replies.take(first)
    assert replies.settle(first, Piece("Just in time.", "eos", 3))
    conversations.finish(talk=talk)
    states = Completion.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["done", "done", "done", "failed"]
    assert Reply.objects.filter(settled_at=None).count() == 0
