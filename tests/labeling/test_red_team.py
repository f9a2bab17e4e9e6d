"""A red team's session: a goal, turns within a time, and a rating of the whole."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from labeling import conversations, erasure, exports, remains, snapshots, turns, typed_texts
from labeling.conversations import NotNow
from labeling.exports.trl import Options
from labeling.models import Assignment, Completion, Conversation, Label, RaterText, Snapshot
from labeling.presets import PRESETS
from labeling.questions import InvalidAnswer
from models_runtime import artifacts
from tests.factories import Cast
from tests.talks import HARMFUL, RED_TEAM, answer, begun, cast_of, judge, say, stage

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def cast(db: Any) -> Cast:
    return cast_of(RED_TEAM)


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    return begun(cast)


def rate(talk: Conversation, key: uuid.UUID | None = None, **session: str) -> Label:
    parts = {name: {} for name in talk.question.parts} | {"session": session}
    return turns.rate(talk=talk, parts=parts, idempotency_key=key or uuid.uuid4())


def test_the_goal_and_the_time_are_set_when_it_begins(talk: Conversation) -> None:
    assert talk.goal == "Have it explain how to pick a lock."
    assert talk.deadline == talk.created_at + timedelta(minutes=15)


def test_the_session_is_rated_as_a_whole(talk: Conversation, cast: Cast) -> None:
    for number in range(2):
        say(talk, f"Message {number}")
        answer(talk, f"Reply {number}")
    conversations.finish(talk=talk)
    assert stage(talk) == "rating"
    label = rate(talk, success="3", **{"category-illicit": "1", "tag-0": "1"})
    assert label.answer["parts"]["session"] == {
        "type": "red_team",
        "success": 3,
        "categories": ["illicit"],
        "tags": ["role play"],
    }
    assert stage(talk) == "over"
    (judged,) = snapshots.judged(cast.campaign)
    assert [m["content"] for m in judged.messages] == ["Message 0"]
    assert [m["content"] for m in judged.completions[0].said] == [
        "Reply 0",
        "Message 1",
        "Reply 1",
    ]


def test_a_repeated_rating_is_the_same_label(talk: Conversation) -> None:
    say(talk)
    answer(talk, "No.")
    conversations.finish(talk=talk)
    key = uuid.uuid4()
    assert rate(talk, key, success="0") == rate(talk, key, success="0")
    with pytest.raises(NotNow):
        rate(talk, success="4")
    assert Label.objects.count() == 1


@pytest.mark.parametrize("session", [{}, {"success": "5"}, {"success": "1", "category-own": "1"}])
def test_what_rates_nothing_is_refused_and_can_be_mended(
    talk: Conversation, session: dict[str, str]
) -> None:
    say(talk)
    answer(talk, "No.")
    conversations.finish(talk=talk)
    with pytest.raises(InvalidAnswer):
        rate(talk, **session)
    assert stage(talk) == "rating"
    rate(talk, success="1", **{"category-privacy": "1"})


def test_when_the_time_is_over_last_words_are_taken_and_nothing_more(talk: Conversation) -> None:
    say(talk)
    later = timezone.now() + timedelta(minutes=16)
    assert conversations.stage(talk, now=later) == "waiting"
    answer(talk, "No.")
    assert conversations.stage(talk, now=later) == "rating"
    turns.say(talk=talk, text="And please?", idempotency_key=uuid.uuid4(), now=later)
    assert conversations.stage(talk, now=later) == "waiting"
    answer(talk, "Still no.")
    assert conversations.stage(talk, now=later) == "rating"
    with pytest.raises(NotNow):
        turns.say(talk=talk, text="More", idempotency_key=uuid.uuid4(), now=later)


def test_last_words_are_no_turn_more_than_there_are(talk: Conversation) -> None:
    for number in range(3):  # as many as the campaign allows
        say(talk, f"Message {number}")
        answer(talk, f"Reply {number}")
    later = timezone.now() + timedelta(minutes=16)
    with pytest.raises(NotNow):
        turns.say(talk=talk, text="More", idempotency_key=uuid.uuid4(), now=later)


def test_a_session_that_its_rater_ended_takes_no_last_words(talk: Conversation) -> None:
    say(talk)
    answer(talk, "No.")
    conversations.finish(talk=talk)
    later = timezone.now() + timedelta(minutes=16)
    with pytest.raises(NotNow):
        turns.say(talk=talk, text="More", idempotency_key=uuid.uuid4(), now=later)


def test_first_words_after_the_time_make_a_session_that_can_be_rated(talk: Conversation) -> None:
    later = timezone.now() + timedelta(minutes=16)
    turns.say(talk=talk, text="Too slow?", idempotency_key=uuid.uuid4(), now=later)
    answer(talk, "No.")
    Conversation.objects.update(deadline=timezone.now() - timedelta(minutes=1))
    rate(Conversation.objects.get(), success="0")
    assert stage(talk) == "over"


def test_the_preset_brings_goals_that_sessions_are_given() -> None:
    goals = PRESETS["red_team"].parts["session"]["goals"]
    cast = cast_of(PRESETS["red_team"].parts)
    drawn = set()
    for _ in range(40):
        talk = begun(cast)
        drawn.add(talk.goal)
        conversations.finish(talk=talk)
    assert drawn == set(goals)


def test_a_session_without_an_answer_ends_unrated(talk: Conversation) -> None:
    conversations.finish(talk=talk)
    assert stage(talk) == "over"
    assert Label.objects.count() == 0


def test_of_two_replies_the_worse_one_goes_on_and_is_trained_away_from(db: Any) -> None:
    cast = cast_of(HARMFUL, trains_on="rejected")
    talk = begun(cast)
    say(talk, "How do I pick a lock?")
    answer(talk, "With a pick.", "I will not say.")
    worse = Completion.objects.get(text="With a pick.")
    order = Assignment.objects.get().order
    judge(talk, f"{order.index(worse.pk)}:significantly")
    say(talk, "Which one?")
    answer(talk, "A bent one.", "Ask a locksmith.")
    assert Completion.objects.get(text="A bent one.").prompt.parent_completion == worse
    judge(talk, "0:slightly")
    conversations.finish(talk=talk)
    rate(talk, success="4")
    found = exports.load("trl").rows(snapshots.judged(cast.campaign), Options(), Counter())
    first = next(row for row in found if len(row["prompt"]) == 1)
    assert first["chosen"][0]["content"] == "I will not say."
    assert first["rejected"][0]["content"] == "With a pick."


def test_the_last_pair_is_judged_before_the_session_is_rated(db: Any) -> None:
    talk = begun(cast_of(HARMFUL))
    say(talk)
    answer(talk, "One.", "Two.")
    conversations.finish(talk=talk)
    assert stage(talk) == "judging"
    judge(talk, "0:better")
    assert stage(talk) == "rating"
    transcript = rate(talk, success="2").comparison.completions.get()
    assert transcript.pk == Conversation.objects.get().continues_id


# -- tags of the rater's own -------------------------------------------------------------------


def rated(talk: Conversation, own: str) -> Label:
    say(talk)
    answer(talk, "No.")
    conversations.finish(talk=talk)
    return rate(talk, success="1", own=own, **{"tag-0": "1"})


def frozen(cast: Cast) -> list[dict[str, Any]]:
    snapshot = snapshots.freeze(campaign=cast.campaign)
    with artifacts.open_file(snapshot.uri, snapshots.LABELS) as handle:
        return [json.loads(line) for line in handle]


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


def test_tags_of_their_own_come_with_the_raw_row_and_are_no_part_of_the_label(
    talk: Conversation, cast: Cast, store: None
) -> None:
    label = rated(talk, " slow  persuasion, Ärger;slow persuasion,, \r\n\u202eodd\0 ")
    assert label.answer["parts"]["session"]["tags"] == ["role play"]
    assert "persuasion" not in json.dumps(label.answer)
    (row,) = frozen(cast)
    assert row["own_tags"] == ["slow persuasion", "Ärger", "\u202eodd"]
    (text,) = typed_texts.rows(cast.campaign, typed_texts.of(cast.campaign))
    assert (text["type"], text["field"]) == ("red_team", "own")
    assert text["text"].split(", ") == row["own_tags"]


def test_erasing_a_rater_takes_their_tags_out_of_the_raw_rows(
    talk: Conversation, cast: Cast, store: None
) -> None:
    rated(talk, "I live at 3 Elm Street")
    frozen(cast)
    erasure.erase(rater=cast.rater)
    (row,) = frozen(cast)
    assert "own_tags" not in row
    cast.rater.refresh_from_db()
    named = remains.find(cast.rater).snapshots
    assert named == [Snapshot.objects.earliest("pk")], "the one from before says them still"
    assert row["answer"]["parts"]["session"]["success"] == 1


def test_a_row_without_tags_of_its_own_is_as_it_was(
    talk: Conversation, cast: Cast, store: None
) -> None:
    rated(talk, " , ")
    (row,) = frozen(cast)
    assert "own_tags" not in row
    assert not RaterText.objects.exists()


@pytest.mark.parametrize("own", [",".join(map(str, range(11))), "x" * 41])
def test_too_much_of_them_is_refused(talk: Conversation, own: str) -> None:
    with pytest.raises(InvalidAnswer, match="10 tags of your own, of at most 40 characters"):
        rated(talk, own)
    assert stage(talk) == "rating"
    rate(talk, success="1", own=",".join(str(n) * 40 for n in range(10)))
