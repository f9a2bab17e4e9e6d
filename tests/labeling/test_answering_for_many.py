"""Many who wait at once: whoever has a bad or a slow model keeps nobody else waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labeling import answering, conversations, replies, turns
from labeling.answering import Talker
from labeling.models import Completion, Conversation, Reply
from models_runtime.models import Endpoint
from tests.endpoint import endpoint
from tests.factories import CampaignFactory, UserFactory
from tests.talks import RED_TEAM, begun, cast_of, say, stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Talker]:
    """No checkpoint has a folder."""

    def no_folder(checkpoint: int) -> Path:
        raise OSError("the weights are gone")

    monkeypatch.setattr(answering, "_folder_of", no_folder)
    made = Talker(silence=5, threads=4)
    yield made
    made.stop()
    made.pool.shutdown()
    made.warm.close()


def talks(count: int, **part: Any) -> list[Conversation]:
    cast = cast_of({"session": {**RED_TEAM["session"], **part}})
    found = [begun(cast)]
    for _ in range(count - 1):
        rater = UserFactory()
        found.append(conversations.begin(rater=rater, campaign=cast.campaign))
    return found


def look_until(talker: Talker, condition: Any, seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        for slot in talker.warm.slots.values():
            slot.not_before = 0.0
        talker.look()
        time.sleep(0.01)


def test_all_who_wait_for_a_model_that_cannot_start_are_told(talker: Talker) -> None:
    waiting = talks(5)
    for talk in waiting:
        say(talk)
    look_until(talker, lambda: {stage(talk) for talk in waiting} == {"failed"})
    (slot,) = talker.warm.slots.values()
    assert slot.failures == 0  # tried again for whoever asks again
    turns.ask_again(talk=waiting[0])
    assert stage(waiting[0]) == "waiting"
    look_until(talker, lambda: stage(waiting[0]) == "failed")


def test_a_crowd_at_a_model_that_does_not_start_is_passed_by(
    talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(talker.warm, "broken", lambda: {})
    crowd = talks(3)
    for talk in crowd:
        say(talk)
    with endpoint(["Here."]) as server:
        (late,) = with_endpoint(server.url)
        say(late)
        look_until(talker, lambda: stage(late) != "waiting")
    assert {stage(talk) for talk in crowd} == {"waiting"}


def with_endpoint(url: str, count: int = 1, name: str = "elsewhere") -> list[Conversation]:
    part = {**RED_TEAM["session"], "models": [name]}
    campaign = CampaignFactory(slug=name, parts={"session": part})
    campaign.state = "open"
    campaign.save()
    Endpoint.objects.create(project=campaign.project, name=name, base_url=url, model_name="m")
    return [conversations.begin(rater=UserFactory(), campaign=campaign) for _ in range(count)]


def test_a_slow_endpoint_leaves_room_for_another(talker: Talker) -> None:
    with endpoint(["Slowly ", 4.0, "said"]) as slow, endpoint(["At once."]) as quick:
        for talk in with_endpoint(slow.url, 6, "slow"):
            say(talk)
        look_until(talker, lambda: len(talker._writing) == 3)
        (other,) = with_endpoint(quick.url, 1, "quick")
        say(other)
        look_until(talker, lambda: stage(other) != "waiting", seconds=3)
        assert len(slow.asked) == 3
    assert Completion.objects.filter(state="done").count() == 1


def test_a_reply_that_cannot_be_begun_keeps_no_other_from_it(
    talker: Talker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with endpoint(["Here."]) as server:
        bad, good = with_endpoint(server.url, 2)
        say(bad)
        say(good)
        first = Reply.objects.order_by("pk")[0].pk
        take = replies.take

        def fails(reply: Reply) -> bool:
            if reply.pk == first:
                raise ValueError("this row is odd")
            return take(reply)

        monkeypatch.setattr(replies, "take", fails)
        with caplog.at_level(logging.ERROR):
            look_until(talker, lambda: stage(good) != "waiting")
    assert "A reply could not be begun" in caplog.text
    assert stage(bad) == "waiting"


def test_a_round_that_breaks_off_is_logged_and_is_not_the_last(
    talker: Talker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(talker.warm, "tend", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR):
        assert talker._look_calmly() == answering.REST_EVERY
    assert "broke off" in caplog.text
