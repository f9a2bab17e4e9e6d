"""Replies from somebody else's server, which may be slow, silent, broken or gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling import conversations, replies, turns
from labeling.answering import Talker
from labeling.models import Completion, Conversation, Reply
from labeling.replies import Lost
from models_runtime import serving
from models_runtime.models import Endpoint
from models_runtime.serving import Piece
from tests.endpoint import FakeEndpoint, endpoint
from tests.factories import make_cast
from tests.talks import CONVERSATION, RED_TEAM, begun, say, stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talker() -> Iterator[Talker]:
    made = Talker(silence=0.5)
    yield made
    made.stop()
    made.pool.shutdown()
    made.warm.close()


def talk_with(server: FakeEndpoint, parts: dict[str, Any] = RED_TEAM) -> Conversation:
    """A talk whose model is the endpoint."""
    key, kind = next(iter(parts.items()))
    cast = make_cast(parts={**parts, key: {**kind, "models": ["elsewhere"]}})
    cast.campaign.plan = {"temperature": 0.5, "max_new_tokens": 32, "system_prompt": "Be brief."}
    cast.campaign.save()
    Endpoint.objects.create(
        project=cast.project, name="elsewhere", base_url=server.url, model_name="theirs"
    )
    return begun(cast)


def run_until(talker: Talker, condition: Callable[[], object], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        talker.look()
        time.sleep(0.02)


def settled(talk: Conversation) -> Callable[[], bool]:
    return lambda: stage(talk) != "waiting"


def test_an_endpoint_is_asked_as_the_campaign_plans(talker: Talker) -> None:
    with endpoint(["Water ", "boils."]) as server:
        talk = talk_with(server)
        say(talk, "Hello")
        run_until(talker, settled(talk))
        (asked,) = server.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("theirs", 0.5, 32)
    row = Completion.objects.get()
    assert (row.text, row.finish_reason, row.token_count) == ("Water boils.", "eos", 2)
    assert row.endpoint is not None
    assert row.checkpoint is None


def test_what_is_written_can_be_read_before_it_is_whole(talker: Talker) -> None:
    with endpoint(["First ", 0.4, "second"]) as server:
        talk = talk_with(server)
        say(talk)
        run_until(talker, lambda: Completion.objects.get().text == "First ")
        assert Completion.objects.get().state == "partial"
        run_until(talker, settled(talk))
    assert Completion.objects.get().text == "First second"


def test_one_that_breaks_off_is_begun_anew(talker: Talker) -> None:
    with endpoint(["Half of an", None], 503, ["A whole answer"]) as server:
        talk = talk_with(server)
        say(talk)
        run_until(talker, settled(talk))
        assert len(server.asked) == 3
    assert Completion.objects.get().text == "A whole answer"
    assert Reply.objects.get().attempts == 3


@pytest.mark.parametrize("said", [500, ["A word", 2.0, "never"], [None]])
def test_one_that_never_answers_is_given_up_and_can_be_asked_again(
    talker: Talker, said: Any
) -> None:
    with endpoint(said, said, said, ["At last"]) as server:
        talk = talk_with(server)
        say(talk)
        run_until(talker, settled(talk))
        assert stage(talk) == "failed"
        assert Completion.objects.get().text == ""
        assert len(server.asked) == 3
        turns.ask_again(talk=talk)
        assert stage(talk) == "waiting"
        run_until(talker, settled(talk))
    assert (stage(talk), Completion.objects.get().text) == ("talking", "At last")


def test_one_that_is_gone_is_given_up(talker: Talker) -> None:
    with endpoint(["never asked"]) as server:
        talk = talk_with(server)
    say(talk)
    run_until(talker, settled(talk))
    assert stage(talk) == "failed"


def test_an_address_that_hands_out_keys_is_never_called(talker: Talker) -> None:
    with endpoint(["never asked"]) as server:
        talk = talk_with(server)
    Endpoint.objects.update(base_url="http://169.254.169.254/v1")
    say(talk)
    run_until(talker, settled(talk), seconds=5)
    assert stage(talk) == "failed"


def test_an_answer_without_an_end_is_cut_short(
    talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST_CHARACTERS", 1000)
    with endpoint(["word " * 100] * 1000) as server:
        talk = talk_with(server)
        say(talk)
        run_until(talker, settled(talk))
    assert stage(talk) == "failed"


def test_two_replies_that_come_out_alike_are_drawn_again(talker: Talker) -> None:
    with endpoint(["Same"], ["Same"], ["Other"]) as server:
        talk = talk_with(server, CONVERSATION)
        say(talk)
        run_until(talker, settled(talk))
        seeds = [asked["seed"] for asked in server.asked]
    assert stage(talk) == "judging"
    assert sorted(Completion.objects.values_list("text", flat=True)) == ["Other", "Same"]
    assert len(set(seeds)) == 3


def test_a_talk_that_ends_is_written_no_further(talker: Talker) -> None:
    with endpoint(["A word ", *[0.1, "and another "] * 40]) as server:
        talk = talk_with(server)
        say(talk)
        run_until(talker, lambda: Completion.objects.get().text)
        conversations.finish(talk=talk)
        until = time.monotonic() + 3
        while talker._writing and time.monotonic() < until:
            time.sleep(0.05)
    assert not talker._writing
    assert Completion.objects.get().state == "failed"


def test_a_writer_whose_lease_ended_writes_no_more(db: Any) -> None:
    with endpoint(["never asked"]) as server:
        talk = talk_with(server)
    say(talk)
    slow = Reply.objects.get()
    assert replies.take(slow)
    assert not replies.take(Reply.objects.get())
    later = timezone.now() + replies.LEASE + timedelta(seconds=1)
    (again,) = replies.due(later)
    assert replies.take(again, later)
    for act in (lambda: replies.write(slow, "x"), lambda: replies.settle(slow, Piece("x", "eos"))):
        with pytest.raises(Lost):
            act()
    assert replies.settle(again, Piece("Answered once.", "eos", 3))
    assert Completion.objects.get().text == "Answered once."


def test_a_renewed_lease_is_nobody_elses(db: Any) -> None:
    with endpoint(["never asked"]) as server:
        talk = talk_with(server)
    say(talk)
    reply = Reply.objects.get()
    assert replies.take(reply)
    later = timezone.now() + replies.LEASE
    replies.renew([reply.token], later)
    assert not replies.due(later + timedelta(seconds=1)).exists()


def test_what_no_database_can_hold_is_replaced(db: Any) -> None:
    with endpoint(["never asked"]) as server:
        talk = talk_with(server)
    say(talk)
    reply = Reply.objects.get()
    assert replies.take(reply)
    assert replies.settle(reply, Piece("a\0b\ud800c", "eos", 3))
    assert Completion.objects.get().text == "a\ufffdb?c"
