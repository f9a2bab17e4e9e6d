"""A prompt read once for all its answers gives the rewards and gradients of exploded pairs."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BloomConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OpenAIGPTConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from tests.training import tiny
from training import scoring, shared_prefix
from training.configs import parse
from training.data import Group, Pair
from training.losses import bradley_terry
from training.methods.reward import RewardObjective, reads_once

VOCABULARY = 60
# Weights so large that every token's place and every earlier token tell in a reward.
SIZES = {
    "vocab_size": VOCABULARY,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.5,
}
WIDE = {**SIZES, "hidden_size": 16, "intermediate_size": 32}
KNOWN: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**WIDE, num_key_value_heads=2),
    "qwen2": Qwen2Config(**WIDE, num_key_value_heads=1),
    "gpt-neox": GPTNeoXConfig(**WIDE),
    "gpt2, absolute positions": GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=64,
        initializer_range=0.5,
    ),
    "bloom, ALiBi": BloomConfig(
        vocab_size=VOCABULARY, hidden_size=16, n_layer=2, n_head=2, initializer_range=0.5
    ),
}


def model_of(config: PreTrainedConfig, attention: str = "sdpa", **more: Any) -> torch.nn.Module:
    """Random weights; dropout off, so that two ways to read can be compared."""
    torch.manual_seed(0)
    config.pad_token_id, config.num_labels = 0, more.get("heads", 1)
    attention = "eager" if isinstance(config, BloomConfig | OpenAIGPTConfig) else attention
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    return model.double().eval()


def groups_of(sizes: list[int], answers: int = 3, prompt: int = 6) -> list[Group]:
    """A group for each size, with answers of different lengths and all of their pairs."""
    draw = torch.Generator().manual_seed(1)

    def tokens(count: int) -> list[int]:
        return torch.randint(1, VOCABULARY, (count,), generator=draw).tolist()

    groups = []
    for number, size in enumerate(sizes):
        start = tokens(prompt + number)
        rows = [start + tokens(size + n) for n in range(answers)]
        completions = [
            Encoded(row, [0] * len(start) + [1] * (len(row) - len(start))) for row in rows
        ]
        pairs = [Pair(i, j, "better", 1.0, number, 1) for i, j in combinations(range(answers), 2)]
        groups.append(Group(number, completions, pairs))
    return groups


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def exploded_loss(model: torch.nn.Module, groups: list[Group]) -> torch.Tensor:
    """Every pair forward by itself: the mean of a prompt's pairs, then of prompts."""
    means = []
    for group in groups:
        losses = []
        for pair in group.pairs:
            ends = [group.completions[pair.chosen], group.completions[pair.rejected]]
            won, lost = scoring.rewards(model, ends)
            losses.append(bradley_terry(won, lost))
        means.append(torch.stack(losses).mean())
    return torch.stack(means).mean()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_loss_and_gradients_are_those_of_exploded_pairs(name: str, attention: str) -> None:
    model, groups = model_of(KNOWN[name], attention), groups_of([3, 7])
    assert shared_prefix.refusal(model, groups) == ""
    apart = exploded_loss(model, groups)
    expected = gradients(model, apart)
    objective = RewardObjective(parse("reward", {}), shared=True)
    shared = objective.sums(model, groups).loss / len(groups)
    found = gradients(model, shared)
    assert shared.item() == pytest.approx(apart.item(), abs=1e-6)
    assert set(found) == set(expected)
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, atol=1e-6, rtol=1e-5, msg=key)


def test_a_reward_does_not_depend_on_the_answers_beside_it() -> None:
    model = model_of(KNOWN["llama"])
    [group] = groups_of([4], answers=4)
    together = shared_prefix.rewards(model, [group])
    for number, row in enumerate(group.completions):
        alone = shared_prefix.rewards(model, [Group(0, [row])])
        torch.testing.assert_close(together[number : number + 1], alone)
    turned = shared_prefix.rewards(model, [Group(0, group.completions[::-1])])
    torch.testing.assert_close(turned.flip(0), together)


def test_nor_on_the_prompts_in_its_batch() -> None:
    model, groups = model_of(KNOWN["llama"]), groups_of([2, 9, 5])
    alone = torch.cat([shared_prefix.rewards(model, [group]) for group in groups])
    torch.testing.assert_close(shared_prefix.rewards(model, groups), alone)


def test_an_ensemble_has_a_reward_for_each_head() -> None:
    model, groups = model_of(LlamaConfig(**WIDE), heads=3), groups_of([3, 7])
    rows = [row for group in groups for row in group.completions]
    found = shared_prefix.rewards(model, groups)
    assert found.shape == (6, 3)
    torch.testing.assert_close(found, scoring.rewards(model, rows))


def test_the_tokens_saved_are_counted() -> None:
    """Two groups: 3 answers of 3, 4, 5 after 6, and of 7, 8, 9 after 7: 30 + 45 tokens, of which
    12 + 14 are read again."""
    assert shared_prefix.saving(groups_of([3, 7])) == pytest.approx(75 / 49)


WINDOW = MistralConfig(**WIDE, num_key_value_heads=2, sliding_window=8)
NO_CACHE = OpenAIGPTConfig(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=64)


@pytest.mark.parametrize(
    ("config", "words"),
    [(NO_CACHE, "OpenAIGPT.* cannot read on from a prompt"), (WINDOW, "looks back 8 tokens only")],
)
def test_a_model_that_cannot_says_so(config: PreTrainedConfig, words: str) -> None:
    model, groups = model_of(config), groups_of([3, 7])
    with pytest.raises(BadInput, match=f"shared_prefix cannot be on: .*{words}"):
        reads_once(model, groups, "on")
    assert reads_once(model, groups, "off") == (False, "")


def test_a_model_that_reads_on_otherwise_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes every answer for the prompt's first words."""
    model, groups = model_of(KNOWN["llama"]), groups_of([3, 7])
    forward = shared_prefix._forward
    monkeypatch.setattr(
        shared_prefix,
        "_forward",
        lambda model, ids, mask, places, cache: forward(model, ids, mask, places * 0, cache),
    )
    assert "scores answers otherwise" in shared_prefix.refusal(model, groups)


def test_auto_falls_back_and_says_why() -> None:
    long = groups_of([2, 3], answers=4, prompt=40)
    assert reads_once(model_of(KNOWN["llama"]), long, "auto") == (True, "")
    on, why = reads_once(model_of(NO_CACHE), long, "auto")
    assert (on, "OpenAIGPT" in why) == (False, True)


def test_auto_leaves_short_prompts_as_they_were() -> None:
    assert reads_once(model_of(KNOWN["llama"]), groups_of([20]), "auto") == (False, "")


def test_asking_draws_no_random_number_and_leaves_the_mode() -> None:
    model, groups = (
        model_of(
            GPT2Config(**{**KNOWN["gpt2, absolute positions"].to_dict(), "resid_pdrop": 0.5})
        ),
        groups_of([3]),
    )
    model.train()
    state = torch.get_rng_state()
    shared_prefix.refusal(model, groups)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.training
def test_a_run_with_it_ends_where_one_without_it_does(tmp_path: Path) -> None:
    """The loss of every step to 1e-5, on the same pairs."""
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records(24, 4))
    options = {"learning_rate": 1e-3, "epochs": 2, "batch_size": 4}
    runs = {
        choice: tiny.train(
            tmp_path / choice, "reward", {**options, "shared_prefix": choice}, snapshot=snapshot
        )
        for choice in ("on", "off")
    }
    losses = [[row["loss"] for row in tiny.metrics_of(folder)] for folder in runs.values()]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert tiny.result_of(runs["on"])["metrics"]["shared_prefix"]["on"] is True
    assert tiny.result_of(runs["off"])["metrics"]["shared_prefix"]["on"] is False
