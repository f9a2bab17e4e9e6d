"""CPU seconds of a reward model's step, K-wise against exploded pairs.

    python -m training.bench_reward FOLDER

K-wise, every answer of a prompt goes forward once; exploded, once for each of its K - 1 pairs.
Prints {"name", "value", "unit", "baseline"} as JSON lines. FOLDER holds a policy.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import torch

from models_runtime import loading, world
from models_runtime.interleaving import medians
from training.configs import parse
from training.data import Encoder, Group, Pair
from training.methods.reward import RewardObjective

PROMPTS = 8  # the demo's batch
MOST_ROWS = 64  # of one forward pass: exploded pairs of nine would not fit a common memory
ROUNDS = 2


def main(folder: Path) -> None:
    """Measure a reward model on the policy in folder and print the results."""
    loading.use_one_thread_when_asked()
    torch.manual_seed(0)
    model = loading.load_reward_model(folder, for_training=True)
    encoder = Encoder(loading.load_tokenizer(folder), 512)
    for k in (4, 9):
        groups = answered(encoder, k)
        pairs = [pair for group in groups for pair in exploded(group)]
        found = medians(
            {"k_wise": seconds(model, groups), "exploded": seconds(model, pairs)}, rounds=ROUNDS
        )
        line = {
            "name": f"reward_model.step.k{k}",
            "value": found["k_wise"],
            "unit": "CPU s",
            "baseline": found["exploded"],
        }
        sys.stdout.write(json.dumps(line) + "\n")


def answered(encoder: Encoder, k: int) -> list[Group]:
    """Prompts with k answers of the demo world each and every pair ordered."""
    draw = random.Random(0)
    return [_group(encoder, row, k, draw) for row in world.corpus(0, PROMPTS)]


def _group(encoder: Encoder, row: world.CorpusRow, k: int, draw: random.Random) -> Group:
    words = row.completion.split()
    texts = [" ".join(draw.sample(words, len(words))) for _ in range(k)]
    rows = [encoder.encode(row.messages, text) for text in texts]
    pairs = [Pair(won, lost, "better", 1.0, 0, 1) for won, lost in combinations(range(k), 2)]
    return Group(0, [encoded for encoded in rows if encoded is not None], pairs)


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

    def timed() -> float:
        begun = time.process_time()
        for start in range(0, len(groups), size):
            objective.sums(model, groups[start : start + size]).loss.backward()
        model.zero_grad()
        return time.process_time() - begun

    return timed


if __name__ == "__main__":
    main(Path(sys.argv[1]))
