"""A prompt that a rater wrote: the campaign's, by its author, asked until it is taken back."""

from __future__ import annotations

import dataclasses
import uuid

import pytest

from labeling import comparisons, labels, leases, written
from labeling.imports.shapes import messages_sha256, split_of
from labeling.iterations import Plan
from labeling.models import Comparison, Label, Prompt, User
from labeling.pseudonyms import pseudonym
from labeling.questions import InvalidAnswer
from tests.factories import Cast, ComparisonFactory, IterationFactory, PromptFactory, make_cast
from training.runs import prompts_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def cards(db: None) -> Cast:
    made = make_cast(parts={"prompt": {"type": "prompt_writing"}})
    iteration = IterationFactory(campaign=made.campaign)
    seeds = PromptFactory(prompt_set__campaign=made.campaign)
    for _ in range(3):
        ComparisonFactory(campaign=made.campaign, iteration=iteration, prompt=seeds, texts=())
    return made


def test_it_joins_the_campaigns_prompts_under_its_authors_pseudonym(cards: Cast) -> None:
    label = _write(cards, cards.rater, "Why is the sky blue?")
    made = Prompt.objects.get(source="written")
    author = pseudonym(cards.project.pseudonym_key, cards.rater)
    assert label.answer["parts"]["prompt"]["prompt"] == made.pk
    assert made.messages == [{"role": "user", "content": "Why is the sky blue?"}]
    assert (made.prompt_set.name, made.prompt_set.campaign) == (
        "Written by raters",
        cards.campaign,
    )
    assert (made.author, made.item, made.category) == (author, author, "open_qa")
    assert made.split == split_of(author)
    assert written.counts(cards.campaign) == {"open_qa": 1}


def test_the_same_words_twice_are_one_prompt(cards: Cast) -> None:
    first = _write(cards, cards.rater, "Why?")
    second = _write(cards, cards.other_rater, "Why?")
    assert first.answer["parts"]["prompt"] == second.answer["parts"]["prompt"]
    assert Prompt.objects.filter(source="written").count() == 1


def test_what_is_taken_back_is_asked_no_more_until_it_is_written_again(cards: Cast) -> None:
    _write(cards, cards.rater, "Why?")
    assert _asked(cards) == {"Why?"}
    labels.undo(rater=cards.rater, campaign=cards.campaign)
    assert (_asked(cards), written.counts(cards.campaign)) == (set(), {})
    _write(cards, cards.rater, "Why?")
    assert _asked(cards) == {"Why?"}


def test_it_stays_while_another_answer_in_force_wrote_the_same(cards: Cast) -> None:
    _write(cards, cards.rater, "Why?")
    _write(cards, cards.other_rater, "Why?")
    labels.undo(rater=cards.rater, campaign=cards.campaign)
    assert _asked(cards) == {"Why?"}
    labels.undo(rater=cards.other_rater, campaign=cards.campaign)
    assert _asked(cards) == set()


def test_nobody_is_asked_to_write_after_what_was_written(cards: Cast) -> None:
    _write(cards, cards.rater, "Why?")
    plan = dataclasses.asdict(Plan(completions_per_comparison=0, comparisons=9))
    later = IterationFactory(campaign=cards.campaign, state="sampling", plan=plan)
    assert comparisons.build(later, None) == 1
    assert later.comparisons.get().prompt.source != "written"


def test_an_imported_prompt_of_the_same_words_is_not_taken_back(cards: Cast) -> None:
    seed = Prompt.objects.get()
    Prompt.objects.update(messages_sha256=messages_sha256(seed.messages))
    _write(cards, cards.rater, seed.messages[0]["content"])
    labels.undo(rater=cards.rater, campaign=cards.campaign)
    assert Prompt.objects.get().withdrawn_at is None


def test_a_prompt_that_no_import_would_take_is_a_sentence(cards: Cast) -> None:
    with pytest.raises(InvalidAnswer, match="100,000 characters"):
        _write(cards, cards.rater, "x" * 100_001)
    assert not Label.objects.exists()
    assert Comparison.objects.filter(counted=0).count() == 3


def test_erasing_empties_what_the_rater_was_the_first_to_write(cards: Cast) -> None:
    own = _write(cards, cards.rater, "My address is 3 Elm Street.")
    theirs = _write(cards, cards.other_rater, "Why?")
    _write(cards, cards.rater, "Why?")
    assert [written.erase(cards.rater) for _ in range(2)] == [2, 0]
    gone = Prompt.objects.get(pk=own.answer["parts"]["prompt"]["prompt"])
    assert gone.messages == [{"role": "user", "content": ""}]
    assert gone.withdrawn_at is not None
    kept = Prompt.objects.get(pk=theirs.answer["parts"]["prompt"]["prompt"])
    assert kept.messages[0]["content"] == "Why?"
    assert _asked(cards) == {"Why?"}


def _write(cards: Cast, rater: User, text: str) -> Label:
    card = leases.claim_next(rater=rater, campaign=cards.campaign)
    assert card is not None
    assert card.order == []
    return labels.record_label(
        assignment=card,
        parts={"prompt": {"category": "open_qa", "text": text}},
        idempotency_key=uuid.uuid4(),
    )


def _asked(cards: Cast) -> set[str]:
    """The written prompts that the next iteration samples."""
    rows = prompts_of(cards.campaign.iterations.get()).filter(source="written")
    return {prompt.messages[-1]["content"] for prompt in rows}
