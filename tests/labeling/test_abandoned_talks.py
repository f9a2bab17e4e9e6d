"""A talk that its rater left open waits a day for them; then it is closed, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling import conversations, replies, tasks
from labeling.models import TALK_WAITS, Comparison, Completion, Conversation, Label, Reply, Turn
from labeling.replies import Lost
from models_runtime.serving import Piece
from tests.factories import Cast
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, begun, cast_of, judge, say, stage

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def cast() -> Cast:
    return cast_of(CONVERSATION)


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    talk = begun(cast)
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    say(talk, "And then?")
    answer(talk, "Three.", "Four.")
    return talk


def after(time: timedelta) -> Any:
    return timezone.now() + time


def test_within_a_day_it_goes_on_where_it_was(talk: Conversation, cast: Cast) -> None:
    assert conversations.close_abandoned(after(TALK_WAITS - timedelta(minutes=1))) == 0
    assert begun(cast) == talk
    assert stage(talk) == "judging"


def test_after_a_day_it_is_closed_and_everything_said_in_it_is_kept(
    talk: Conversation, cast: Cast
) -> None:
    later = after(TALK_WAITS + timedelta(minutes=1))
    assert [conversations.close_abandoned(later) for _ in range(2)] == [1, 0]
    talk.refresh_from_db()
    assert (talk.end_reason, stage(talk)) == ("abandoned", "over")
    assert Turn.objects.count() == 2
    assert Label.objects.count() == 1
    assert set(Completion.objects.values_list("state", flat=True)) == {"done"}
    states = Comparison.objects.order_by("turn").values_list("state", flat=True)
    assert list(states) == ["complete", "discarded"]
    assert begun(cast) != talk


def test_its_rater_holds_it_by_looking_at_it(talk: Conversation) -> None:
    conversations.keep(talk, after(timedelta(hours=20)))
    assert conversations.close_abandoned(after(timedelta(hours=30))) == 0
    assert conversations.close_abandoned(after(timedelta(hours=45))) == 1


def test_a_page_that_asks_all_the_time_writes_once_an_hour(
    talk: Conversation, django_assert_num_queries: Any
) -> None:
    talk.refresh_from_db()
    with django_assert_num_queries(0):
        conversations.keep(talk, after(timedelta(minutes=50)))
    with django_assert_num_queries(1):
        conversations.keep(talk, after(timedelta(minutes=70)))


def test_one_that_is_gone_on_with_at_the_last_moment_stays_open(talk: Conversation) -> None:
    """Found as abandoned, and held by its rater before it could be closed."""
    later = after(TALK_WAITS + timedelta(minutes=1))
    conversations.keep(talk, later)
    assert conversations._close(talk, later) == 0
    assert stage(talk) == "judging"


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM])
def test_what_was_being_written_is_written_no_further(parts: dict[str, Any]) -> None:
    talk = begun(cast_of(parts))
    say(talk)
    reply = Reply.objects.order_by("position")[0]
    assert replies.take(reply)
    assert conversations.close_abandoned(after(TALK_WAITS + timedelta(minutes=1))) == 1
    with pytest.raises(Lost):
        replies.settle(reply, Piece("Too late.", "eos", 3))
    assert not Reply.objects.filter(settled_at=None).exists()


def test_a_session_that_nobody_rated_keeps_its_transcript() -> None:
    talk = begun(cast_of(RED_TEAM))
    say(talk, "How do I pick a lock?")
    answer(talk, "I will not say.")
    conversations.finish(talk=talk)
    Conversation.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    tasks.close_abandoned()
    assert stage(talk) == "over"
    assert Completion.objects.get().text == "I will not say."
