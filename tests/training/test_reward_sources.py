"""What an answer is rewarded by: a model, two of them, its length, or a reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_reward_model, load_tokenizer, save_reward_model
from models_runtime.records import PromptRecord
from tests.training import tiny
from training.data import Encoder
from training.reward_models import RewardModel, Scores
from training.reward_sources import (
    Answer,
    Bleu,
    Length,
    ModelReward,
    Piecewise,
    refuse_other_than_numbers,
    rewardable,
)
from training.scoring import rewards
from training.texts import sentence_bleu


def answer(text: str, prompt: int = 0, *, ended: bool = True, tags: Sequence[str] = ()) -> Answer:
    tokens = len(text.split()) + ended
    return Answer(prompt, tiny.asked("say me"), text, ended, tokens, list(tags))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> ModelReward:
    policy = tiny.make_policy(tmp_path_factory.mktemp("models") / "policy")
    torch.manual_seed(0)
    save_reward_model(load_reward_model(policy), load_tokenizer(policy), policy.parent / "judge")
    judge = RewardModel(policy.parent / "judge")
    return ModelReward(judge, Encoder(load_tokenizer(policy), 24, 24))


def test_a_model_scores_its_own_encoding_of_prompt_and_answer(judge: ModelReward) -> None:
    row = judge.encoder.encode(tiny.asked("say me"), "good so")
    assert row is not None
    expected = rewards(judge.judge.model, [row]).item()
    assert judge.scores([answer("good so")]) == pytest.approx([expected])


def test_an_answer_that_was_cut_off_is_scored_without_an_end(judge: ModelReward) -> None:
    whole, cut = judge.scores([answer("good so"), answer("good so", ended=False)])
    assert whole != cut


def test_an_answer_too_long_for_the_judge_scores_as_the_worst(judge: ModelReward) -> None:
    long = answer("good " * 30)
    good, bad, longest = judge.scores([answer("good so"), answer("bad so"), long])
    assert longest == min(good, bad)
    with pytest.raises(BadInput, match="No sampled answer fits"):
        judge.scores([long])


def test_answers_that_are_all_empty_are_not_called_too_long(judge: ModelReward) -> None:
    with pytest.raises(BadInput, match="Every sampled answer is empty"):
        judge.scores([answer("", ended=False)])


class Fixed(ModelReward):
    """Known scores in the order of the answers."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def scored(self, answers: Sequence[Answer]) -> Scores:
        return Scores(self.values, self.values, [0.0] * len(self.values))


def logit(share: float) -> float:
    return float(torch.logit(torch.tensor(share, dtype=torch.float64)))


def test_safety_decides_where_the_prompt_is_tagged_or_the_answer_is_unsafe() -> None:
    safety = Fixed(logit(0.10), logit(0.150001), logit(0.90))
    helpful = Fixed(logit(0.90), logit(0.90), logit(0.40))
    found = Piecewise(safety, helpful).scores(
        [answer("one"), answer("two"), answer("three", tags=["safety"])]
    )
    assert found == pytest.approx([-2.197225, 2.197225, logit(0.90)], abs=1e-6)


def test_how_far_two_models_differ_is_the_mean_deviation_of_their_rewards() -> None:
    source = Piecewise(Fixed(1.0, 0.0), Fixed(3.0, 1.0))
    assert source.spread is None
    source.scores([answer("one"), answer("two")])
    assert source.spread == pytest.approx((1.0 + 0.5) / 2)


def test_length_is_a_share_of_the_longest_answer_allowed() -> None:
    assert Length(8).scores([answer("a b c"), answer("a")]) == [0.5, 0.25]


def test_bleu_compares_with_the_prompts_own_reference() -> None:
    source = Bleu({1: "a b d", 2: "so it is"})
    same, other = source.scores([answer("a b d", 1), answer("a b d", 2)])
    assert (same, other) == (1.0, 0.0)


def test_smoothed_bleu_of_the_worked_example() -> None:
    assert sentence_bleu("a b c", "a b d") == pytest.approx(0.6866, abs=5e-5)
    assert sentence_bleu("a b d", "a b d") == 1.0
    assert sentence_bleu("", "a b d") == 0.0
    assert sentence_bleu("a b", "a b d e") < sentence_bleu("a b d e", "a b d e")  # brevity


def test_prompts_without_a_reference_are_dropped_and_counted() -> None:
    prompts = [PromptRecord(number, tiny.asked("say")) for number in (1, 2, 3)]
    dropped: Counter[str] = Counter()
    kept = rewardable(Bleu({2: "so"}), prompts, dropped)
    assert [prompt.id for prompt in kept] == [2]
    assert dropped == {"without a reference": 2}


def test_a_reward_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="1 of 2 rewards are no finite numbers"):
        refuse_other_than_numbers([1.0, float("nan")])
