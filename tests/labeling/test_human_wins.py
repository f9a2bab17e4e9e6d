"""One checkpoint against another, by people who do not know which is which."""

from __future__ import annotations

import itertools
import math
import random
import uuid
from collections import Counter
from typing import Any

import pytest

from labeling import human_wins, labels, leases
from labeling.human_wins import Vote
from labeling.models import (
    Comparison,
    Completion,
    Flag,
    Iteration,
    Label,
    QuestionVersion,
    SamplingBatch,
    User,
)
from labeling.questions import Shown, pairwise
from models_runtime import pairing
from models_runtime.models import Checkpoint, Job
from models_runtime.pairing import Candidate
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
            samplers=[{"checkpoint": one.pk, "temperature": 0.8} for one in (self.new, self.old)],
        )

    def pair(self, first: str = "new", second: str = "old", **fields: Any) -> Comparison:
        """A comparison whose completions came from the named checkpoints, in canonical order."""
        made = factories.ComparisonFactory(
            campaign=self.campaign, iteration=self.iteration, **fields
        )
        for item, (index, maker) in zip(made.items.all(), enumerate((first, second)), strict=True):
            Completion.objects.filter(pk=item.completion_id).update(
                batch=self.batch,
                sample_index=2 * made.pk + index,
                checkpoint=getattr(self, maker),
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
            sample_index=1005 + index,
            text=text,
        )
    turn.answer("new")
    found = human_wins.of_iteration(turn.iteration)
    assert found is not None
    # 2 new completions against 3 old ones: one of the new ones equals two of the old ones.
    assert (found.identical, found.pairs) == (2, 6)
    assert (found.win_rate, found.ties) == (1.0, 0)
    assert found.with_identical == pytest.approx(1 / 6 + 2 / 3)


def test_a_text_that_a_collapsed_policy_repeats_counts_as_often_as_it_says_it() -> None:
    """The new policy says "good" three times in four; the old one's "fair" loses to that alone.
    Raters see each text once: one win and one loss, for a true rate of three quarters."""
    turn = Round()
    first = turn.pair(texts=("good", "fair"))
    turn.answer("new")
    turn.pair(texts=("bad", "fair"), prompt=first.prompt)
    turn.answer("old")
    for index in (1007, 1008):
        factories.CompletionFactory(
            prompt=first.prompt,
            batch=turn.batch,
            checkpoint=turn.new,
            sample_index=index,
            text="good",
        )
    found = human_wins.of_iteration(turn.iteration)
    assert found is not None
    assert (found.wins, found.losses, found.win_rate) == (1, 1, 0.75)


def test_the_rate_is_that_of_samples_however_the_pairs_were_drawn() -> None:
    """Two policies over the same four texts, one all but collapsed: the mean of many draws."""
    quality = {"a": 0.9, "b": 0.6, "c": 0.3, "d": 0.0}
    draw = random.Random(0)
    truth = [0.0, 0.0]
    given: list[Vote] = []
    for prompt in range(1500):
        ours = draw.choices("abcd", weights=(8, 1, 1, 2), k=6)
        theirs = draw.choices("abcd", weights=(1, 5, 5, 1), k=6)
        for one, other in itertools.product(ours, theirs):
            if one != other:
                truth[0] += quality[one] > quality[other]
                truth[1] += 1
        given += _labelled(prompt, ours, theirs, quality, draw)
    new, old = Checkpoint(name="new"), Checkpoint(name="old")
    found = human_wins.summarise(new, old, given, 0, 0)
    assert found.win_rate == pytest.approx(truth[0] / truth[1], abs=0.03)
    plain = sum(vote.value for vote in given) / len(given)
    assert abs(plain - truth[0] / truth[1]) > 0.08


def test_held_out_prompts_are_reported_apart() -> None:
    turn = Round()
    for split, winner in (("train", "new"), ("train", "new"), ("heldout", "old")):
        turn.pair(prompt__split=split)
        turn.answer(winner)
    found = human_wins.of_iteration(turn.iteration, split="heldout")
    assert found is not None
    assert (found.wins, found.losses, found.pairs) == (0, 1, 1)


def test_answers_about_one_prompt_count_as_one_cluster() -> None:
    new, old = Checkpoint(name="new"), Checkpoint(name="old")
    apart = [Vote(prompt, float(prompt % 2)) for prompt in range(40)]
    together = [Vote(prompt % 4, float(prompt % 2)) for prompt in range(40)]
    narrow = human_wins.summarise(new, old, apart, 0, 0)
    wide = human_wins.summarise(new, old, together, 0, 0)
    assert narrow.win_rate == wide.win_rate == 0.5
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def _labelled(
    prompt: int, ours: list[str], theirs: list[str], quality: dict[str, float], draw: random.Random
) -> list[Vote]:
    """The votes about one pair of the arm "across", as comparisons.build draws it."""
    rows = [(text, 1) for text in ours] + [(text, 2) for text in theirs]
    candidates = [Candidate(pk, text, group=group) for pk, (text, group) in enumerate(rows)]
    chosen = pairing.choose({prompt: candidates}, "across", seed=draw.getrandbits(30), count=1)
    labels = []
    for pair in chosen[prompt]:
        said = [rows[pk][0] for pk in pair.ids]
        best = max(pair.ids, key=lambda pk: quality[rows[pk][0]])
        assert said[0] != said[1]
        labels.append(
            Label(
                comparison=Comparison(
                    prompt_id=prompt, strategy="across", propensity=pair.propensity
                ),
                question_version=QuestionVersion(parts=factories.AB, trains_on="chosen"),
                answer={"parts": {"preference": _preference(best, pair.ids)}},
            )
        )
    counts = [Counter((prompt, text) for text in texts) for texts in (ours, theirs)]
    return human_wins.votes(labels, *counts, {pk: text for pk, (text, _) in enumerate(rows)})


def _preference(best: int, ids: tuple[int, int]) -> dict[str, Any]:
    part = factories.AB["preference"]
    return pairwise.clean(part, {"choice": str(ids.index(best))}, Shown(list(ids)))


def test_an_iteration_with_one_checkpoint_has_nothing_to_compare() -> None:
    assert human_wins.of_iteration(factories.IterationFactory()) is None
