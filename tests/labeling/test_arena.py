"""An arena: two hidden models, a thread each, one vote on the whole, names after it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from labeling import conversations, exports, labels, snapshots, turns
from labeling.conversations import NotNow
from labeling.exports.trl import Options
from labeling.models import Assignment, Comparison, Completion, Conversation, Prompt
from tests.factories import Cast, CheckpointFactory, make_cast
from tests.talks import ARENA, answer, begun, cast_of, judge, say, stage

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def cast(db: Any) -> Cast:
    return cast_of(ARENA)


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    return begun(cast)


def rows_of(cast: Cast) -> list[dict[str, Any]]:
    judged = snapshots.judged(cast.campaign)
    return list(exports.load("trl").rows(judged, Options(), Counter()))


def test_two_different_models_answer(talk: Conversation) -> None:
    say(talk)
    written = Completion.objects.order_by("pk")
    assert {row.checkpoint.name for row in written} == {
        talk.campaign.first_policy.name,
        "trained",
    }
    assert Comparison.objects.get().prompt == Prompt.objects.get()


def test_one_model_is_no_arena(db: Any) -> None:
    with pytest.raises(NotNow):
        begun(make_cast(parts=ARENA))


def test_each_model_sees_its_own_thread_alone(talk: Conversation) -> None:
    say(talk, "Hello")
    answer(talk, "I am the first.", "I am the second.")
    say(talk, "Go on")
    second = Prompt.objects.filter(completions__reply__turn__number=1)
    for position, reply in enumerate(("I am the first.", "I am the second.")):
        prompt = second.get(completions__reply__position=position)
        assert [m["content"] for m in prompt.messages] == ["Hello", reply, "Go on"]
    assert Comparison.objects.count() == 1


def test_threads_that_begin_alike_stay_two(talk: Conversation) -> None:
    say(talk, "Hello")
    answer(talk, "Hello!", "Hello!")
    say(talk, "Go on")
    answer(talk, "One.", "Two.")
    assert Prompt.objects.count() == 3
    assert stage(talk) == "talking"


def test_a_vote_needs_an_answer_and_ends_the_talk(talk: Conversation) -> None:
    with pytest.raises(NotNow):
        judge(talk, "0")
    say(talk)
    with pytest.raises(NotNow):
        judge(talk, "0")
    answer(talk, "One.", "Two.")
    judge(talk, "0")
    talk.refresh_from_db()
    assert talk.revealed_at is not None
    assert stage(talk) == "over"
    with pytest.raises(NotNow):
        say(talk, "Too late")


def test_a_revealed_vote_cannot_be_taken_back(talk: Conversation, cast: Cast) -> None:
    say(talk)
    answer(talk, "One.", "Two.")
    label = judge(talk, "0")
    with pytest.raises(NotNow):
        turns.take_back(talk=talk)
    assert labels.undo(rater=cast.rater, campaign=cast.campaign) is None
    assert not hasattr(label, "superseded_by")
    assert Assignment.objects.get().state == "submitted"


def test_leaving_without_a_vote_shows_no_name(talk: Conversation) -> None:
    say(talk)
    answer(talk, "One.", "Two.")
    conversations.finish(talk=talk)
    talk.refresh_from_db()
    assert (talk.revealed_at, stage(talk)) == (None, "over")
    assert Comparison.objects.get().state == "discarded"


def test_the_export_of_a_vote_has_the_shared_message_and_both_threads(
    talk: Conversation, cast: Cast
) -> None:
    say(talk, "Hello")
    answer(talk, "First one.", "Second one.")
    say(talk, "Go on")
    answer(talk, "First two.", "Second two.")
    first = Completion.objects.get(text="First one.")
    judge(talk, str(Assignment.objects.get().order.index(first.pk)))
    (row,) = rows_of(cast)
    assert row["prompt"] == [{"role": "user", "content": "Hello"}]
    assert row["chosen"] == [
        {"role": "assistant", "content": "First one."},
        {"role": "user", "content": "Go on"},
        {"role": "assistant", "content": "First two."},
    ]
    assert [m["content"] for m in row["rejected"]] == ["Second one.", "Go on", "Second two."]
    assert row["chosen_checkpoint"] == first.checkpoint.name


def test_a_snapshot_trains_on_votes_of_one_turn_alone(talk: Conversation, cast: Cast) -> None:
    say(talk, "Hello")
    answer(talk, "First one.", "Second one.")
    judge(talk, "0")
    longer = begun(cast)
    for number in range(2):
        say(longer, f"Message {number}")
        answer(longer, f"A{number}", f"B{number}")
    judge(longer, "1")
    manifest = snapshots.read_manifest(snapshots.freeze(campaign=cast.campaign))
    assert manifest["rows"] == {"labels.jsonl": 2, "preferences.jsonl": 1}
    assert manifest["counts"]["comparisons"]["kept"] == 1
    assert manifest["counts"]["comparisons"]["several turns"] == 1


def test_a_tie_and_both_bad_are_votes(talk: Conversation, cast: Cast) -> None:
    for choice in ("tie", "both_bad"):
        held = begun(cast)
        say(held)
        answer(held, "One.", "Two.")
        label = judge(held, choice)
        assert label.answer["parts"]["vote"]["outcome"] == choice


def test_the_models_that_a_campaign_names_are_the_ones(db: Any) -> None:
    parts = {**ARENA, "talk": {"type": "arena", "models": ["left", "right"]}}
    cast = cast_of(parts)
    named = {CheckpointFactory(project=cast.project, name=name).pk for name in ("left", "right")}
    assert {one["checkpoint"] for one in begun(cast).speakers} == named
