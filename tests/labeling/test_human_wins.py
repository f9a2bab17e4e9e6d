"""One checkpoint against another, by people who do not know which is which."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest

from labeling import human_wins, labels, leases
from labeling.human_wins import Vote
from labeling.models import Comparison, Completion, Flag, Iteration, SamplingBatch, User
from models_runtime.models import Checkpoint, Job
from tests import factories

pytestmark = pytest.mark.django_db


class Round:
    """An iteration that sampled two checkpoints, and people who answer about pairs of them."""

    def __init__(self, trains_on: str = "chosen") -> None:
        self.campaign = factories.CampaignFactory(parts=factories.AB, trains_on=trains_on)
        self.iteration: Iteration = factories.IterationFactory(campaign=self.campaign)
        self.new: Checkpoint = self.iteration.policy
        self.old: Checkpoint = factories.CheckpointFactory(project=self.campaign.project)
        self.batch = SamplingBatch.objects.create(
            iteration=self.iteration,
            job=Job.objects.create(project=self.campaign.project, kind="sample"),
            samplers=[{"checkpoint": self.new.pk}, {"checkpoint": self.old.pk}],
        )

    def pair(self, first: str = "new", second: str = "old", **fields: Any) -> Comparison:
        """A comparison whose completions came from the named checkpoints, in canonical order."""
        made = factories.ComparisonFactory(
            campaign=self.campaign, iteration=self.iteration, **fields
        )
        for item, (index, maker) in zip(made.items.all(), enumerate((first, second)), strict=True):
            Completion.objects.filter(pk=item.completion_id).update(
                batch=self.batch, sample_index=index, checkpoint=getattr(self, maker)
            )
        return made

    def answer(self, winner: str, rater: User | None = None) -> None:
        """Somebody new judges the next pair: the named checkpoint's text wins, or "tie"."""
        card = leases.claim_next(rater=rater or factories.UserFactory(), campaign=self.campaign)
        assert card is not None
        choice = winner
        if winner != "tie":
            makers = dict(Completion.objects.values_list("pk", "checkpoint"))
            choice = str([makers[pk] for pk in card.order].index(getattr(self, winner).pk))
        labels.record_label(
            assignment=card,
            parts={"preference": {"choice": choice}},
            idempotency_key=uuid.uuid4(),
        )


def test_wins_ties_and_losses_are_the_new_checkpoints() -> None:
    turn = Round()
    for winner in ("new", "new", "old", "tie"):
        turn.pair()
        turn.answer(winner)
    found = human_wins.of_iteration(turn.iteration)
    assert found is not None
    assert (found.new, found.old) == (turn.new, turn.old)
    assert (found.wins, found.ties, found.losses, found.labels) == (2, 1, 1, 4)
    assert (found.prompts, found.win_rate) == (4, 0.625)
    assert found.low < 0.625 < found.high


def test_only_random_pairs_of_the_two_count() -> None:
    turn = Round()
    for fields in ({"strategy": "easy"}, {"first": "old"}, {"second": "new"}):
        turn.pair(**fields)
        turn.answer("tie")
    found = human_wins.of_iteration(turn.iteration)
    assert found is not None
    assert found.labels == 0
    assert math.isnan(found.win_rate)


def test_withdrawn_flagged_and_simulated_answers_do_not_count() -> None:
    turn = Round()
    first, _, _ = turn.pair(), turn.pair(), turn.pair()
    rater = factories.UserFactory()
    turn.answer("new", rater)
    turn.answer("old", rater)
    labels.undo(rater=rater, campaign=turn.campaign)
    Flag.objects.create(
        comparison=first, assignment=first.assignments.get(), rater=rater, code="broken"
    )
    turn.answer("new", factories.UserFactory(kind="simulated"))
    people = human_wins.of_iteration(turn.iteration)
    simulated = human_wins.of_iteration(turn.iteration, "simulated")
    assert people is not None
    assert simulated is not None
    assert (people.labels, simulated.wins) == (0, 1)


def test_a_red_teams_pick_is_a_loss() -> None:
    turn = Round(trains_on="rejected")
    turn.pair()
    turn.answer("new")
    found = human_wins.of_iteration(turn.iteration)
    assert found is not None
    assert (found.wins, found.losses) == (0, 1)


def test_identical_texts_are_automatic_ties_reported_apart() -> None:
    turn = Round()
    shown = turn.pair(texts=("good", "bad"))
    for index, (maker, text) in enumerate((("new", "same"), ("old", "same"), ("old", "same"))):
        factories.CompletionFactory(
            prompt=shown.prompt,
            batch=turn.batch,
            checkpoint=getattr(turn, maker),
            sample_index=5 + index,
            text=text,
        )
    turn.answer("new")
    found = human_wins.of_iteration(turn.iteration)
    assert found is not None
    # 2 new completions against 3 old ones: one of the new ones equals two of the old ones.
    assert (found.identical, found.pairs) == (2, 6)
    assert (found.win_rate, found.ties) == (1.0, 0)
    assert found.with_identical == pytest.approx(1 / 6 + 2 / 3)


def test_answers_about_one_prompt_count_as_one_cluster() -> None:
    new, old = Checkpoint(name="new"), Checkpoint(name="old")
    apart = [Vote(prompt, float(prompt % 2)) for prompt in range(40)]
    together = [Vote(prompt % 4, float(prompt % 2)) for prompt in range(40)]
    narrow = human_wins.summarise(new, old, apart, 0, 0)
    wide = human_wins.summarise(new, old, together, 0, 0)
    assert narrow.win_rate == wide.win_rate == 0.5
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_an_iteration_with_one_checkpoint_has_nothing_to_compare() -> None:
    assert human_wins.of_iteration(factories.IterationFactory()) is None
