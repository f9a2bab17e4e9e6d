"""The K-wise reward model: one pass an answer, the loss of exploded pairs, invariant rewards."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
import torch

from models_runtime.chat import Encoded
from models_runtime.loading import load_reward_model, load_tokenizer
from models_runtime.records import MARGINS, PreferenceRecord
from tests.training import tiny
from training.configs import Selection, parse
from training.data import Encoder, Group, Pair, group_by_prompt, training_records, without_ties
from training.losses import bradley_terry
from training.methods.reward import RewardObjective
from training.reward_report import judge, measure
from training.scoring import completion_logps, in_batches, rewards


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_policy(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def model(policy: Path) -> torch.nn.Module:
    torch.manual_seed(0)
    return load_reward_model(policy).double()


@pytest.fixture(scope="module")
def encoder(policy: Path) -> Encoder:
    return Encoder(load_tokenizer(policy), 128)


def groups_of(encoder: Encoder, answers: int) -> list[Group]:
    return group_by_prompt(tiny.preference_records(6, answers), encoder, Counter())


class Counting(torch.nn.Module):
    """A reward model that counts the rows it is given."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.config, self.rows = model, model.config, 0

    def forward(self, input_ids: torch.Tensor, **rest: torch.Tensor) -> object:
        self.rows += len(input_ids)
        return self.inner(input_ids=input_ids, **rest)


@pytest.mark.parametrize("margin", ["none", "small", "large"])
def test_k_wise_equals_exploded_pairs(
    model: torch.nn.Module, encoder: Encoder, margin: str
) -> None:
    groups = groups_of(encoder, 4)
    counting = Counting(model)
    objective = RewardObjective(parse("reward", {"margin": margin}))
    loss = objective.sums(counting, groups).loss.item() / len(groups)
    exploded = []
    for group in groups:
        losses = []
        for pair in group.pairs:
            ends = [group.completions[pair.chosen], group.completions[pair.rejected]]
            won, lost = rewards(model, ends)
            m = MARGINS[margin][pair.strength]
            losses.append(bradley_terry(won, lost, m))
        exploded.append(torch.stack(losses).mean())
    assert loss == pytest.approx(torch.stack(exploded).mean().item(), abs=1e-6)
    assert counting.rows == 6 * 4  # not 6 * 4 * 3


def test_a_prompts_comparisons_share_one_batch_element(encoder: Encoder) -> None:
    one = tiny.preference_records(1, 3)[0]
    split = [
        dataclasses.replace(one, comparison_id=n, preferences=[preference])
        for n, preference in enumerate(one.preferences)
    ]
    (group,) = group_by_prompt(split, encoder, Counter())
    assert (len(group.completions), len(group.pairs)) == (3, 3)


def test_one_text_under_two_ids_goes_forward_once_and_never_against_itself(
    encoder: Encoder,
) -> None:
    one = tiny.preference_records(1, 2)[0]
    twin = dataclasses.replace(one.completions[0], id=99)
    pairs = [*one.preferences, dataclasses.replace(one.preferences[0], rejected=99)]
    record = dataclasses.replace(one, completions=[*one.completions, twin], preferences=pairs)
    dropped: Counter[str] = Counter()
    (group,) = group_by_prompt([record], encoder, dropped)
    assert (len(group.completions), len(group.pairs)) == (2, 1)
    assert dropped == {"identical texts": 1}


def tied_record() -> PreferenceRecord:
    """Ranks 2 and 3 of four tied."""
    one = tiny.preference_records(1, 4)[0]
    second, third = one.completions[1].id, one.completions[2].id
    kept = [p for p in one.preferences if (p.chosen, p.rejected) != (second, third)]
    return dataclasses.replace(one, preferences=kept, ties=[[second, third]])


class Planted(torch.nn.Module):
    """Rewards 1.5, .5, 0, -1 for the four answers in their order."""

    def __init__(self, config: object) -> None:
        super().__init__()
        self.config = config
        self.rewards = torch.nn.Parameter(torch.tensor([[1.5], [0.5], [0.0], [-1.0]]))

    def forward(self, **_: torch.Tensor) -> object:
        return type("Output", (), {"logits": self.rewards})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.221648),
        ({"ties": "half"}, 0.305386),
        ({"ties": "half", "mean_over": "all"}, 0.305386),
    ],
)
def test_ties_are_dropped_or_count_one_half(
    model: torch.nn.Module, encoder: Encoder, options: dict, expected: float
) -> None:
    groups = group_by_prompt([tied_record()], encoder, Counter())
    config = parse("reward", options)
    if config.ties == "drop":
        groups = without_ties(groups, Counter())
    loss = RewardObjective(config).sums(Planted(model.config), groups).loss
    # the answers appear in the order in which the pairs name them, which is rank order here
    assert loss.item() == pytest.approx(expected, abs=5e-7)


def test_the_mean_over_all_pairs_counts_those_of_each_comparison(
    model: torch.nn.Module, encoder: Encoder
) -> None:
    """Rewards 1.5, .5, 0, -1: two comparisons of two answers, 1 > 2 and 3 > 4, differences 1, 1;
    then one of three answers, 1 > 2 and 1 > 3 with 2 and 3 not compared, differences 1, 1.5."""
    answers = groups_of(encoder, 4)[0].completions
    pair = [Pair(0, 1, None, 1.0, 1, 0), Pair(2, 3, None, 1.0, 2, 0)]
    partial = [Pair(0, 1, None, 1.0, 1, 0), Pair(0, 2, None, 1.0, 1, 0)]
    objective = RewardObjective(parse("reward", {"mean_over": "all"}))
    two = objective.sums(Planted(model.config), [Group(0, answers, pair)]).loss
    assert two.item() == pytest.approx((0.313262 + 0.313262) / 2, abs=5e-7)  # not / 6
    one = objective.sums(Planted(model.config), [Group(0, answers, partial)]).loss
    assert one.item() == pytest.approx((0.313262 + 0.201413) / 3, abs=5e-7)


def test_centring_pulls_the_sum_of_rewards_to_zero(
    model: torch.nn.Module, encoder: Encoder
) -> None:
    pair = Group(0, groups_of(encoder, 2)[0].completions, [Pair(0, 1, None, 1.0, 0, 0)])
    plain = RewardObjective(parse("reward", {})).sums(model, [pair]).loss
    centred = RewardObjective(parse("reward", {"centring": 0.5})).sums(model, [pair]).loss
    won, lost = rewards(model, pair.completions)
    assert (centred - plain).item() == pytest.approx(0.5 * (won + lost).item() ** 2)


def rows_of(encoder: Encoder) -> list[Encoded]:
    return [row for group in groups_of(encoder, 3) for row in group.completions]


@pytest.mark.parametrize("score", [rewards, completion_logps])
def test_scores_do_not_depend_on_padding_order_or_batch_size(
    policy: Path, encoder: Encoder, score: object
) -> None:
    from models_runtime.loading import load_policy

    torch.manual_seed(0)
    model = load_reward_model(policy) if score is rewards else load_policy(policy)
    rows = rows_of(encoder)
    alone = [in_batches(score, model, [row])[0] for row in rows]
    for size in (2, 5, 100):
        assert in_batches(score, model, rows, size) == pytest.approx(alone, abs=1e-5)
    backwards = in_batches(score, model, rows[::-1])
    assert backwards[::-1] == pytest.approx(alone, abs=1e-5)
    with torch.inference_mode():
        padded = score(model, [rows[0], Encoded(rows[1].ids * 3, rows[1].completion_mask * 3)])
    assert padded[0].item() == pytest.approx(alone[0], abs=1e-5)


def test_a_cut_off_answer_carries_no_end_and_scores_apart(encoder: Encoder) -> None:
    messages = tiny.asked("tell me")
    ended = encoder.encode(messages, "the answer is")
    cut = encoder.encode(messages, "the answer is", ended=False)
    eos = encoder.tokenizer.eos_token_id
    assert ended is not None
    assert cut is not None
    assert ended.ids == [*cut.ids, eos]


def test_ties_count_half_and_strengths_are_counted_apart(
    model: torch.nn.Module, encoder: Encoder
) -> None:
    rows = judge(model, groups_of(encoder, 3))
    found = measure(rows, 0)
    counts = {name: entry["n"] for name, entry in found["accuracy_by_strength"].items()}
    assert sum(counts.values()) == found["n"] == 18
    assert found["accuracy"] == sum(row["correct"] for row in rows) / 18
    assert found["length_baseline"] == 0.5  # every answer has the same number of words
    with torch.no_grad():
        model.score.weight.zero_()
    assert measure(judge(model, groups_of(encoder, 3)), 0)["accuracy"] == 0.5


def test_records_with_nothing_to_learn_are_refused_in_a_sentence() -> None:
    from models_runtime.jobdir import BadInput

    with pytest.raises(BadInput, match="holds no comparison that this run may train on"):
        training_records([], Selection())
    ties = [dataclasses.replace(r, preferences=[]) for r in tiny.preference_records(6)]
    with pytest.raises(BadInput, match="All 5 comparisons are ties"):
        training_records(ties, Selection())
