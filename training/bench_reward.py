"""CPU seconds of training a reward model, K-wise against TRL's RewardTrainer and exploded pairs.

    python -m training.bench_reward FOLDER

K-wise, every answer of a prompt goes forward once; exploded, once for each of its K - 1 pairs,
which is what TRL's trainer does with rankings. Both see the same comparisons in one run, with
as many optimiser steps. ``reward_model.shared_prefix`` reads a long prompt once for all answers.
Prints {"name", "value", "unit", "baseline"} as JSON lines. FOLDER holds a policy.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from models_runtime import loading, world
from models_runtime.chat import Encoded
from models_runtime.interleaving import medians
from models_runtime.jobdir import JobDir
from training.configs import Selection, parse
from training.data import Encoder, Group, Pair
from training.loop import Loop
from training.methods.reward import RewardObjective
from training.task import Task
from training.trl_adapter.peer import reward_epoch

PROMPTS = 8  # the demo's batch
STEPS = 2  # of an epoch: what a trainer does once an epoch is then no large part of it
MOST_ROWS = 64  # of one forward pass: exploded pairs of nine would not fit a common memory
ROUNDS = 2
LONG_PROMPT, ANSWER = 256, 32  # tokens
LONG_PROMPTS = 4  # exploded, 288 rows of 288 tokens


def main(folder: Path) -> None:
    """Measure a reward model on the policy in folder and print the results."""
    loading.use_one_thread_when_asked()
    torch.manual_seed(0)
    encoder = Encoder(loading.load_tokenizer(folder), 512)
    for k in (4, 9):
        groups = answered(encoder, k)
        say(f"reward_model.step.k{k}", against_exploded(folder, groups[:PROMPTS]))
        say(f"reward_model.trl.k{k}", against_trl(folder, encoder, groups, PROMPTS))
    long = long_prompts(9)
    found = against_trl(folder, encoder, long, LONG_PROMPTS, rounds=1, shared_prefix="on")
    say("reward_model.shared_prefix.k9", found)


def say(name: str, found: dict[str, float], unit: str = "CPU s") -> None:
    line = {
        "name": name,
        "value": found["ours"],
        "unit": unit,
        "baseline": found["theirs"],
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def against_exploded(folder: Path, groups: list[Group]) -> dict[str, float]:
    """One forward and backward pass over the groups, both by our own objective."""
    model = loading.load_reward_model(folder, for_training=True)
    pairs = [pair for group in groups for pair in exploded(group)]
    acts = {"ours": seconds(model, groups), "theirs": seconds(model, pairs)}
    return medians(acts, rounds=ROUNDS)


def against_trl(
    folder: Path,
    encoder: Encoder,
    groups: list[Group],
    batch: int,
    *,
    rounds: int = ROUNDS,
    **options: Any,
) -> dict[str, float]:
    """An epoch by each trainer, its own model, optimiser and data loading included."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = [
            (group.completions[p.chosen].ids, group.completions[p.rejected].ids)
            for group in groups
            for p in group.pairs
        ]
        step = batch * len(groups[0].pairs)
        forward = next(n for n in range(MOST_ROWS // 2, 0, -1) if step % n == 0)
        theirs = reward_epoch(
            loading.load_reward_model(folder, for_training=True),
            encoder.tokenizer, rows, Path(scratch), forward=forward, step=step,
        )  # fmt: skip
        ours = epoch(folder, groups, batch, Path(scratch) / "job", options)
        return medians({"ours": timed(ours), "theirs": timed(theirs)}, rounds=rounds)


def epoch(
    folder: Path, groups: list[Group], batch: int, scratch: Path, options: dict[str, Any]
) -> Callable[[], None]:
    """An epoch by our loop, as a job runs it, its metrics written."""
    job = JobDir(scratch, 1, "")
    job.folder.mkdir(parents=True)
    config = parse("reward", {"batch_size": batch, "save_every": 1000, **options})
    task = Task(job, "reward", config, Selection(), 0)
    model = loading.load_reward_model(folder, for_training=True)
    objective = RewardObjective(config, shared=config.shared_prefix == "on")
    return lambda: _run(Loop(task, model, groups, objective))


def _run(loop: Loop[Group]) -> None:
    loop.run()


def answered(encoder: Encoder, k: int) -> list[Group]:
    """Prompts with k answers of the demo world each and every pair ordered."""
    draw = random.Random(0)
    return [_group(encoder, row, k, draw) for row in world.corpus(0, PROMPTS * STEPS)]


def _group(encoder: Encoder, row: world.CorpusRow, k: int, draw: random.Random) -> Group:
    words = row.completion.split()
    texts = [" ".join(draw.sample(words, len(words))) for _ in range(k)]
    rows = [encoder.encode(row.messages, text) for text in texts]
    return Group(0, [encoded for encoded in rows if encoded is not None], every_pair(k))


def long_prompts(k: int) -> list[Group]:
    """Prompts of 256 tokens with answers of 32."""
    draw = random.Random(0)

    def tokens(count: int) -> list[int]:
        return [draw.randrange(10, 500) for _ in range(count)]

    groups = []
    for number in range(LONG_PROMPTS):
        prompt = tokens(LONG_PROMPT)
        mask = [0] * LONG_PROMPT + [1] * ANSWER
        rows = [Encoded(prompt + tokens(ANSWER), mask) for _ in range(k)]
        groups.append(Group(number, rows, every_pair(k)))
    return groups


def every_pair(k: int) -> list[Pair]:
    return [Pair(won, lost, "better", 1.0, 0, 1) for won, lost in combinations(range(k), 2)]


def exploded(group: Group) -> list[Group]:
    """The group as one of two answers for each of its pairs."""
    return [
        Group(0, [group.completions[p.chosen], group.completions[p.rejected]], [_alone(p)])
        for p in group.pairs
    ]


def _alone(pair: Pair) -> Pair:
    return Pair(0, 1, pair.strength, pair.weight, pair.comparison_id, pair.iteration)


def seconds(model: torch.nn.Module, groups: list[Group]) -> Callable[[], float]:
    """CPU seconds of this process for one forward and backward pass over the groups."""
    objective = RewardObjective(parse("reward", {}))
    size = max(1, MOST_ROWS // len(groups[0].completions))

    def passed() -> None:
        for start in range(0, len(groups), size):
            objective.sums(model, groups[start : start + size]).loss.backward()
        model.zero_grad()

    return timed(passed)


def timed(act: Callable[[], None]) -> Callable[[], float]:
    """The act as one that returns the CPU seconds of this process that it took."""

    def measured() -> float:
        begun = time.process_time()
        act()
        return time.process_time() - begun

    return measured


if __name__ == "__main__":
    main(Path(sys.argv[1]))
