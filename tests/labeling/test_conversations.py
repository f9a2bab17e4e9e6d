"""A conversation: two replies a turn, judged, and the better one goes on."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import conversations, labels, leases, snapshots, turns
from labeling.conversations import NotNow
from labeling.labels import IdempotencyConflict
from labeling.models import Assignment, Comparison, Completion, Conversation, Label, Prompt
from labeling.questions import InvalidAnswer
from tests.factories import (
    CampaignFactory,
    Cast,
    IterationFactory,
    make_cast,
    open_comparisons,
)
from tests.talks import CONVERSATION, answer, begun, cast_of, judge, say, stage

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def cast(db: Any) -> Cast:
    return cast_of(CONVERSATION)


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    return begun(cast)


def test_a_turn_is_one_prompt_with_two_completions_in_the_raters_hands(
    talk: Conversation, cast: Cast
) -> None:
    say(talk)
    prompt = Prompt.objects.get()
    assert prompt.messages == [{"role": "user", "content": "Why is the sky blue?"}]
    assert prompt.item == f"talk-{talk.public_id}"
    assert prompt.author == snapshots.pseudonym(cast.project.pseudonym_key, cast.rater)
    assert [row.state for row in prompt.completions.all()] == ["pending", "pending"]
    assignment = Assignment.objects.get()
    assert sorted(assignment.order) == sorted(prompt.completions.values_list("pk", flat=True))
    assert (assignment.rater, assignment.state) == (cast.rater, "leased")
    comparison = assignment.comparison
    assert (comparison.slots_left, comparison.counted, comparison.overlap) == (0, 0, 1)
    assert stage(talk) == "waiting"


def test_the_better_reply_continues(talk: Conversation) -> None:
    say(talk)
    answer(talk, "Because of scattering.", "Who knows.")
    assert stage(talk) == "judging"
    order = Assignment.objects.get().order
    good = Completion.objects.get(text="Because of scattering.")
    label = judge(talk, f"{order.index(good.pk)}:better")
    assert label.answer["parts"]["preference"]["chosen"] == good.pk
    assert set(label.answer["parts"]) == {"preference"}
    say(talk, "And at sunset?")
    second = Prompt.objects.order_by("-pk")[0]
    assert second.parent_completion == good
    assert [m["content"] for m in second.messages] == [
        "Why is the sky blue?",
        "Because of scattering.",
        "And at sunset?",
    ]
    assert {prompt.split for prompt in Prompt.objects.all()} == {second.split}
    assert list(Comparison.objects.order_by("turn").values_list("turn", flat=True)) == [0, 1]


def test_of_equals_one_is_drawn_and_recorded() -> None:
    pair = {"type": "pairwise", "scale": "ab"}
    talk = begun(cast_of({**CONVERSATION, "preference": pair}))
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "tie")
    say(talk, "Go on.")
    followed = Prompt.objects.order_by("-pk")[0].parent_completion
    assert followed is not None
    assert followed.text in ("One.", "Two.")


def test_labels_count_for_the_iteration_that_collects(cast: Cast) -> None:
    iteration = IterationFactory(campaign=cast.campaign)
    talk = begun(cast)
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    iteration.refresh_from_db()
    assert iteration.labels_people == 1
    assert Comparison.objects.get().state == "complete"


def test_nothing_can_be_said_while_the_models_write_or_before_the_judgement(
    talk: Conversation,
) -> None:
    say(talk)
    with pytest.raises(NotNow):
        say(talk, "Hello?")
    answer(talk, "One.", "Two.")
    with pytest.raises(NotNow):
        say(talk, "Hello?")
    assert Prompt.objects.count() == 1


def test_a_repeated_message_is_the_same_turn(talk: Conversation) -> None:
    key = uuid.uuid4()
    first = turns.say(talk=talk, text="Hi", idempotency_key=key)
    assert turns.say(talk=talk, text=" Hi ", idempotency_key=key) == first
    with pytest.raises(IdempotencyConflict):
        turns.say(talk=talk, text="Something else", idempotency_key=key)
    assert Completion.objects.count() == 2


def test_a_repeated_judgement_is_the_same_label(talk: Conversation) -> None:
    say(talk)
    answer(talk, "One.", "Two.")
    key = uuid.uuid4()
    assert judge(talk, "0:better", key) == judge(talk, "0:better", key)
    with pytest.raises(IdempotencyConflict):
        judge(talk, "1:better", key)
    assert Label.objects.count() == 1


def test_a_message_has_words_and_is_not_endless(talk: Conversation) -> None:
    for text in ("", " \n ", "x" * 20_001):
        with pytest.raises(InvalidAnswer):
            say(talk, text)
    assert Prompt.objects.count() == 0


def test_the_last_choice_can_be_taken_back_until_more_is_said(talk: Conversation) -> None:
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    turns.take_back(talk=talk)
    assert stage(talk) == "judging"
    judge(talk, "1:slightly")
    assert [row.kind for row in Label.objects.order_by("pk")] == ["answer", "withdrawn", "answer"]
    say(talk, "Go on.")
    with pytest.raises(NotNow):
        turns.take_back(talk=talk)
    assert Label.objects.count() == 3


def test_after_the_last_turn_it_can_only_end(talk: Conversation) -> None:
    for number in range(3):
        say(talk, f"Message {number}")
        answer(talk, f"A{number}", f"B{number}")
        judge(talk, "0:better")
    assert stage(talk) == "full"
    with pytest.raises(NotNow):
        say(talk)
    conversations.finish(talk=talk)
    assert stage(talk) == "over"
    assert Label.objects.count() == 3


def test_ending_in_the_middle_discards_what_nobody_will_judge(
    talk: Conversation, cast: Cast
) -> None:
    say(talk)
    conversations.finish(talk=talk)
    conversations.finish(talk=talk)
    comparison = Comparison.objects.get()
    assert (comparison.state, comparison.slots_left) == ("discarded", 1)
    assert {row.state for row in Completion.objects.all()} == {"failed"}
    assert begun(cast) != talk


def test_a_rater_has_one_talk_at_a_time(talk: Conversation, cast: Cast) -> None:
    assert begun(cast) == talk


def test_a_talk_is_no_card_for_anybody(talk: Conversation, cast: Cast) -> None:
    say(talk)
    answer(talk, "One.", "Two.")
    open_comparisons(cast.campaign, 2)
    for rater in (cast.rater, cast.other_rater):
        with pytest.raises(leases.NoCards, match="its raters talk with models"):
            leases.claim_next(rater=rater, campaign=cast.campaign)
    assert Assignment.objects.count() == 1


def test_a_card_from_before_a_campaign_became_a_talk_is_answered_and_is_the_last() -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 3)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    asked = cast.campaign.question
    cast.campaign.question = CampaignFactory(parts=CONVERSATION).question
    cast.campaign.save()
    card.comparison.campaign = cast.campaign
    hand = labels.record_and_claim(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        question=asked,
    )
    assert (hand.card, hand.work.answered) == (None, 1)
    assert Label.objects.get().counted


def test_two_replies_that_say_the_same_are_drawn_again_and_then_go_on(talk: Conversation) -> None:
    from labeling import replies
    from labeling.models import Reply
    from models_runtime.serving import Piece

    say(talk)
    first, second = Reply.objects.order_by("position")
    assert replies.take(first)
    assert replies.settle(first, Piece("Same.", "eos", 3))
    assert replies.take(second)
    seeds = {second.completion.seed}
    for _ in range(2):
        assert not replies.settle(second, Piece("Same.", "eos", 3))
        seeds.add(second.completion.seed)
    assert len(seeds) == 3
    assert replies.settle(second, Piece("Same.", "eos", 3))
    second.completion.refresh_from_db()
    assert second.completion.duplicate_of == first.completion
    assert Comparison.objects.get().state == "discarded"
    assert stage(talk) == "talking"
    say(talk, "Go on.")
    assert Prompt.objects.order_by("-pk")[0].parent_completion == first.completion


def test_a_paused_campaign_begins_and_continues_no_talk(talk: Conversation, cast: Cast) -> None:
    cast.campaign.state = "paused"
    cast.campaign.save()
    with pytest.raises(NotNow):
        say(talk)
    with pytest.raises(NotNow):
        conversations.begin(rater=cast.other_rater, campaign=cast.campaign)


def test_a_named_model_that_is_not_there_begins_no_talk(db: Any) -> None:
    parts = {**CONVERSATION, "talk": {"type": "conversation", "models": ["nobody"]}}
    with pytest.raises(NotNow):
        begun(cast_of(parts))
    assert Conversation.objects.count() == 0


def test_exports_have_a_row_for_each_turn(talk: Conversation, cast: Cast) -> None:
    for number in range(2):
        say(talk, f"Message {number}")
        answer(talk, f"A{number}", f"B{number}")
        judge(talk, "0:better")
    rows = list(snapshots.judged(cast.campaign))
    assert [len(row.messages) for row in rows] == [1, 3]
    assert {row.item for row in rows} == {f"talk-{talk.public_id}"}
