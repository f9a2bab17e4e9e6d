"""Best-of-K fine-tuning: RAFT (Dong et al., 2023), Llama 2's rejection sampling.

Samples K answers a prompt from the policy, scores them by the option ``reward``, the reward model
at first, and fine-tunes the policy on the best: of every prompt, or the top share of all, whatever
their prompts. The best of earlier iterations compete under the
newest reward, so that nothing good is forgotten (Llama 2 lost rhyming poems until it did so).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput, sha256_of
from models_runtime.records import Demonstration, Message, PromptRecord, Sampler, read_jsonl
from training.configs import RAFTConfig
from training.data import Encoder
from training.demonstrations import demonstrations_of
from training.imitation import FineTuning, files_of, made_once
from training.long_prompts import prompts_of
from training.loop import Loop
from training.reward_models import RewardModel
from training.reward_sources import (
    Answer,
    RewardSource,
    refuse_other_than_numbers,
    rewardable,
    source_of,
)
from training.run_guards import SPREAD, spread_of
from training.sampling import Sample, sample
from training.task import Task

BEST = "best.jsonl"


@dataclass(frozen=True)
class Candidate:
    """An answer that may be trained on. ``best.jsonl`` of the output holds those that were."""

    prompt_id: int
    item: str
    messages: list[Message] = field(default_factory=list)
    completion: str = ""
    reward: float = 0.0
    earlier: bool = False
    tags: list[str] = field(default_factory=list)


def train(task: Task) -> None:
    """Inputs policy, prompts, by the option ``reward`` reward_model, safety_model and snapshot,
    optionally earlier (best.jsonl, or the folder that holds it) -> a policy, with best.jsonl
    beside it."""
    policy = task.job.input_path("policy")
    encoder = Encoder.of(policy, task.config)
    best, figures = made_once(
        task, encoder, BEST, Candidate, lambda: _choose(task, policy, encoder)
    )
    rows = _rows(best, encoder)
    model = task.policy_to_train().eval()  # dropout stays off
    files = files_of(BEST, best, figures)
    loop = Loop(task, model, rows, FineTuning(), files)
    loop.probe.before = figures["metrics"]
    last = loop.run()
    task.publish_model(model, encoder.tokenizer, {BEST: files[BEST]})
    task.finish({**figures["metrics"], "train": last}, len(rows), figures["prompts_cut"])


def _choose(
    task: Task, policy: Path, encoder: Encoder
) -> tuple[list[Candidate], dict[str, float]]:
    config: RAFTConfig = task.config
    source = None if config.reward == "model" else source_of(task, _references(task))
    prompts = _prompts(task)
    if source is not None:
        prompts = rewardable(source, prompts, task.dropped)
    sampler = Sampler(
        "policy", config.k, config.temperature, config.top_p, config.max_new_tokens, task.seed
    )
    name, unit = "sampled prompts", "prompts sampled"
    samples = sample(task.job, name, policy, prompts, sampler, config.sampling_batch, unit)
    candidates = _candidates(task, prompts, samples)
    if source is None:
        scored, spread = _scored(task, candidates, encoder)
    else:
        scored = _rewarded(task, candidates, encoder, source)
        spread = spread_of(source)
    if config.select == "global":
        best = keep_top(scored, config.share)
    else:
        best = keep_best(scored, config.keep)
    drawn = [one.reward for one in scored if not one.earlier]
    return best, {
        "prompts": float(len(prompts)),
        "reward/sampled": sum(drawn) / max(1, len(drawn)),
        "reward/kept": sum(one.reward for one in best) / max(1, len(best)),
        "kept_from_earlier": float(sum(one.earlier for one in best)),
        **spread,
    }


def _prompts(task: Task) -> list[PromptRecord]:
    """All prompts, or as many as the option asks for, drawn by the job's seed."""
    prompts = prompts_of(task)
    wanted = task.config.prompts
    if not wanted or wanted >= len(prompts):
        return prompts
    return random.Random(task.seed).sample(prompts, wanted)


def _candidates(
    task: Task, prompts: Sequence[PromptRecord], samples: Sequence[Sample]
) -> list[Candidate]:
    """Distinct answers that ended by themselves, and the best of earlier iterations."""
    by_id = {prompt.id: prompt for prompt in prompts}
    found: dict[tuple[int, str], Candidate] = {}
    for one in samples:
        if one.finish_reason == "length":
            task.dropped["cut off"] += 1
        elif not one.text.strip():
            task.dropped["empty"] += 1
        else:
            prompt = by_id[one.prompt_id]
            candidate = Candidate(
                prompt.id, prompt.item, prompt.messages, one.text, tags=prompt.tags
            )
            found.setdefault((prompt.id, one.text), candidate)
    for candidate in _earlier(task):
        if candidate.prompt_id in by_id:
            key = (candidate.prompt_id, candidate.completion)
            tags = by_id[candidate.prompt_id].tags
            found.setdefault(key, replace(candidate, earlier=True, tags=tags))
    return list(found.values())


def _earlier(task: Task) -> list[Candidate]:
    if "earlier" not in task.job.inputs():
        return []
    path = task.job.input_path("earlier")
    path = path / BEST if path.is_dir() else path
    try:
        return list(read_jsonl(path, Candidate)) if path.is_file() else []
    except (ValueError, TypeError) as error:
        raise BadInput(f"{BEST} of an earlier iteration is malformed ({error}).") from error


def _scored(
    task: Task, candidates: Sequence[Candidate], encoder: Encoder
) -> tuple[list[Candidate], dict[str, float]]:
    """The candidates that fit, each with the reward model's score of its own encoding; and how
    far an ensemble's heads differ on them."""
    folder = task.job.input_path("reward_model")
    judge = _encoder_of(folder, encoder, task)
    fitting, rows = [], []
    for candidate in candidates:
        row = judge.encode(candidate.messages, candidate.completion)
        if row is None or not _fits(candidate, encoder, judge):
            task.dropped["too long"] += 1
            continue
        fitting.append(candidate)
        rows.append(row)
    model = RewardModel(folder)
    found = model.score(rows)
    differing = {SPREAD: fmean(found.spread)} if model.heads > 1 and rows else {}
    rewarded = zip(fitting, found.rewards, strict=True)
    return [replace(one, reward=score) for one, score in rewarded], differing


def _references(task: Task) -> list[Demonstration]:
    """What BLEU compares with; the other rewards read no snapshot."""
    return demonstrations_of(task) if task.config.reward == "bleu" else []


def _rewarded(
    task: Task, candidates: Sequence[Candidate], encoder: Encoder, source: RewardSource
) -> list[Candidate]:
    """The candidates that fit the policy, each with its reward by another source."""
    fitting, answers = [], []
    for candidate in candidates:
        row = encoder.encode(candidate.messages, candidate.completion)
        if row is None:
            task.dropped["too long"] += 1
            continue
        fitting.append(candidate)
        tokens = sum(row.completion_mask)
        answers.append(
            Answer(
                candidate.prompt_id,
                candidate.messages,
                candidate.completion,
                True,
                tokens,
                candidate.tags,
            )
        )
    scores = source.scores(answers) if answers else []
    refuse_other_than_numbers(scores)
    return [replace(one, reward=score) for one, score in zip(fitting, scores, strict=True)]


def _encoder_of(folder: Path, encoder: Encoder, task: Task) -> Encoder:
    """The reward model's encoder: the policy's own where both tokenizers are the same (encoding
    thousands of answers twice would cost as much as scoring them)."""
    judge = Encoder.of(folder, task.config)
    files = [path / "tokenizer.json" for path in (folder, task.job.input_path("policy"))]
    same_rules = all(path.is_file() for path in files) and len(set(map(sha256_of, files))) == 1
    return encoder if same_rules and _frame(judge) == _frame(encoder) else judge


def _frame(encoder: Encoder) -> tuple[Any, Any, int]:
    """What else decides over an answer's ids, beside the tokenizer's rules."""
    return encoder.tokenizer.chat_template, encoder.tokenizer.eos_token, encoder.context


def _fits(candidate: Candidate, encoder: Encoder, judge: Encoder) -> bool:
    if judge is encoder:
        return True
    return encoder.encode(candidate.messages, candidate.completion) is not None


def keep_best(candidates: Sequence[Candidate], keep: int) -> list[Candidate]:
    """The ``keep`` highest rewards of every prompt, best first; equal ones in their order."""
    by_prompt: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        by_prompt.setdefault(candidate.prompt_id, []).append(candidate)
    best = []
    for rivals in by_prompt.values():
        best += sorted(rivals, key=lambda one: -one.reward)[:keep]
    return best


def keep_top(candidates: Sequence[Candidate], share: float) -> list[Candidate]:
    """The share of all candidates with the highest rewards, whatever their prompts, best first,
    and one at least (RAFT, algorithm 1: the top of a batch); equal ones in their order."""
    ranked = sorted(candidates, key=lambda one: -one.reward)
    return ranked[: max(1, round(share * len(ranked)))]


def _rows(best: Sequence[Candidate], encoder: Encoder) -> list[Encoded]:
    rows = [encoder.encode(one.messages, one.completion) for one in best]
    return [row for row in rows if row is not None]
