"""The process that has models answer: real, with the shipped demo policy, killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from labeling import conversations
from labeling.models import Completion, Conversation, Reply
from tests.factories import Cast, make_cast
from tests.talk_process import TalkProcess, demo_checkpoint
from tests.talks import CONVERSATION, begun, judge, say, stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


@pytest.fixture
def cast() -> Cast:
    cast = make_cast(parts=CONVERSATION)
    cast.campaign.first_policy = demo_checkpoint(cast.project)
    cast.campaign.plan = {"max_new_tokens": 48}
    cast.campaign.save()
    return cast


@pytest.fixture
def process() -> Iterator[TalkProcess]:
    started = TalkProcess()
    yield started
    started.end()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def model_servers(process: TalkProcess) -> list[psutil.Process]:
    children = psutil.Process(process.process.pid).children(recursive=True)
    return [one for one in children if "models_runtime.serve" in one.cmdline()]


def test_a_conversation_is_answered_from_end_to_end(cast: Cast, process: TalkProcess) -> None:
    talk = begun(cast)
    for number in range(2):
        say(talk, "At what temperature does water boil?")
        wait_for(lambda: stage(talk) == "judging")
        judge(talk, "0:better")
        assert Completion.objects.filter(state="done").count() == 2 * (number + 1)
    row = Completion.objects.latest("pk")
    assert row.html.startswith('<p dir="auto">')
    assert row.finish_reason == "eos"
    assert row.token_count is not None
    assert len(row.text_sha256) == 64
    assert process.end() == 0


def test_a_killed_process_loses_no_turn_and_answers_it_once(
    cast: Cast, process: TalkProcess
) -> None:
    talk = begun(cast)
    wait_for(lambda: model_servers(process))
    say(talk)
    wait_for(lambda: Reply.objects.filter(token__isnull=False).exists())
    process.restart()
    wait_for(lambda: stage(talk) == "judging")
    assert Completion.objects.count() == 2
    assert {row.state for row in Completion.objects.all()} == {"done"}


def test_a_killed_model_server_loses_no_turn(cast: Cast, process: TalkProcess) -> None:
    talk = begun(cast)
    say(talk)
    wait_for(lambda: model_servers(process))
    os.kill(model_servers(process)[0].pid, signal.SIGKILL)
    wait_for(lambda: stage(talk) == "judging")
    judge(talk, "0:better")
    os.kill(model_servers(process)[0].pid, signal.SIGKILL)
    say(talk, "And then?")
    wait_for(lambda: stage(talk) == "judging")
    assert Completion.objects.filter(state="done").count() == 4


def test_a_talk_that_ends_is_no_longer_written(cast: Cast, process: TalkProcess) -> None:
    talk = begun(cast)
    say(talk)
    conversations.finish(talk=talk)
    again = Conversation.objects.get(pk=begun(cast).pk)
    say(again, "At what temperature does water boil?")
    wait_for(lambda: stage(again) == "judging")
    first = Completion.objects.filter(reply__turn__conversation=talk)
    assert {(row.state, row.text) for row in first} == {("failed", "")}


def test_no_model_server_is_left_when_the_process_is_killed(
    cast: Cast, process: TalkProcess
) -> None:
    begun(cast)
    wait_for(lambda: model_servers(process))
    server = model_servers(process)[0]
    process.kill()
    server.wait(timeout=10)
    assert not server.is_running()
