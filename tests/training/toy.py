"""Sixteen outcomes and their rewards, one token each: small enough that every optimum is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from models_runtime.backends import LocalBackend
from models_runtime.chat import Encoded, encode_prompt
from models_runtime.loading import load_policy, load_tokenizer, save_policy
from models_runtime.records import PromptRecord, Sampler
from tests.training import tiny
from training.configs import Selection, parse
from training.reward_sources import Answer
from training.rollouts import Prompts
from training.task import Task

BETA = 0.5
OUTCOMES = tiny.WORDS.split()[:16]
REWARDS = dict(zip(OUTCOMES, torch.linspace(-1.0, 1.0, 16).tolist(), strict=True))
ELSEWHERE = -1.0  # of a token that is no outcome
UNGUARDED = {"guard_kl": -1.0, "guard_valid_text": -1.0, "guard_length_growth": -1.0}
ONE_TOKEN = {"max_new_tokens": 1, "missing_eos_penalty": 0.0, **UNGUARDED}


class Planted:
    """Rewards a word by the table above."""

    def knows(self, prompt: PromptRecord) -> bool:
        return True

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        return [REWARDS.get(answer.text.strip(), ELSEWHERE) for answer in answers]


def make_policy(folder: Path) -> Path:
    """One layer; far from uniform, so that forgetting the reference would show."""
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.normal_(std=0.2)
    save_policy(model, tokenizer, folder)
    return folder


def support_ids(folder: Path) -> list[int]:
    ids: list[int] = load_tokenizer(folder).convert_tokens_to_ids(OUTCOMES)
    return ids


def prompt_ids(folder: Path) -> list[int]:
    return encode_prompt(load_tokenizer(folder), tiny.asked("say"))


def outcome_logits(model: torch.nn.Module, folder: Path) -> torch.Tensor:
    """[16]: the next token's logits after the prompt, of the outcomes alone."""
    logits = model(input_ids=torch.tensor([prompt_ids(folder)])).logits[0, -1]
    return logits[support_ids(folder)]


def policy_in(folder: Path) -> torch.Tensor:
    """[16]: how likely each outcome is, given that it is one."""
    with torch.no_grad():
        return outcome_logits(load_policy(folder), folder).double().softmax(-1)


def optimum(reference: torch.Tensor, beta: float = BETA) -> torch.Tensor:
    """pi* proportional to pi_ref exp(r / beta)."""
    rewards = torch.tensor([REWARDS[word] for word in OUTCOMES], dtype=torch.float64)
    weights = reference * torch.exp(rewards / beta)
    return weights / weights.sum()


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Total variation."""
    return (one - other).abs().sum().item() / 2


def task(folder: Path, method: str, prompts: int = 1, **options: Any) -> Task:
    """A job of the toy: so many times the same question, answered by one token."""
    policy = make_policy(folder / "policy")
    inputs = {
        "policy": policy,
        "reference": policy,
        "snapshot": tiny.write_snapshot(folder / "snapshot", tiny.preference_records()),
        "prompts": tiny.write_lines(
            folder / "prompts.jsonl",
            [PromptRecord(n, tiny.asked("say"), f"item {n}") for n in range(prompts)],
        ),
    }
    config = {"method": method, "options": {**ONE_TOKEN, **options}}
    root = tiny.write_job(folder / "job", "train", config, inputs)
    checked = parse(method, config["options"])
    return Task(tiny.open_job(root), method, checked, Selection(), 7)


def drawn_evenly(
    _: Callable[[], None],
    backend: LocalBackend,
    prompts: Prompts,
    places: Sequence[int],
    sampler: Sampler,
    number: int,
) -> tuple[list[Encoded], list[Answer]]:
    """rollouts.draw for answers of one token, all to one prompt: each token as often as it is
    likely, but for less than one answer. Marks at equal distances, from a random start, on the
    line of probabilities: no token is drawn more or less often than it should be on average, and
    next to no luck is left."""
    asked = prompts.ids[places[0]]
    with torch.no_grad():
        logits = backend.model(input_ids=torch.tensor([asked])).logits[0, -1]
    line = (logits.double() / sampler.temperature).softmax(-1).cumsum(-1)
    start = random.Random(f"{sampler.seed}/{number}").random()
    marks = (torch.arange(len(places), dtype=torch.float64) + start) / len(places)
    tokens = torch.searchsorted(line, marks).clamp(max=len(line) - 1).tolist()
    words = backend.tokenizer.convert_ids_to_tokens(tokens)
    mask = [0] * len(asked) + [1]
    record = prompts.records[places[0]]
    rows = [Encoded([*asked, token], mask) for token in tokens]
    return rows, [Answer(record.id, record.messages, word, True, 1) for word in words]
