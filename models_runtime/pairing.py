"""Which completions of a prompt are shown together: strategies that choose before labelling.

A strategy sees the distinct texts of one prompt and gives pairs, best first, with the score it
went by and the probability with which it would have chosen that pair. Identical texts are one
candidate: they tell a rater nothing, and they count as ties elsewhere.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models_runtime.phrases import phrase


@dataclass(frozen=True)
class Candidate:
    """A completion: its id, the sha256 of its text, its embedding ([hidden], L2-normalised), and
    the group (sampler or checkpoint) that it came from."""

    id: int
    text_sha: str
    embedding: np.ndarray | None = None
    group: int = 0


@dataclass(frozen=True)
class Pairing:
    """Completion ids to compare. score: cosine similarity of the pair, None without embeddings.
    propensity: the probability that the strategy chooses this pair for this prompt; of a group,
    in how many of the prompt's groups a pair of its completions is expected."""

    ids: tuple[int, ...]
    strategy: str
    score: float | None
    propensity: float


Pair = tuple[Candidate, Candidate]
Choice = tuple[Pair, float]  # with its propensity
Strategy = Callable[[Sequence[Candidate], int, np.random.Generator], list[Choice]]


def choose(
    prompts: Mapping[int, Sequence[Candidate]], strategy: str, *, seed: int, count: int = 1
) -> dict[int, list[Pairing]]:
    """Up to count pairs for every prompt, in the prompts' order; [] where all texts are the same.

    What a prompt gets depends on (seed, strategy, prompt id) and its candidates alone. Raises
    ValueError for an unknown strategy, or one that needs embeddings that are not there.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            phrase(
                "There is no pairing strategy %(strategy)s: use %(strategies)s.",
                strategy=strategy,
                strategies=", ".join(STRATEGIES),
            )
        )
    chosen = {}
    for prompt_id, candidates in prompts.items():
        draw = _generator(f"{seed}/{strategy}/{prompt_id}")
        pairs = STRATEGIES[strategy](distinct(candidates, draw), count, draw)
        chosen[prompt_id] = [_pairing(pair, strategy, chance) for pair, chance in pairs]
    return chosen


def choose_groups(
    prompts: Mapping[int, Sequence[Candidate]], size: int, *, seed: int, count: int = 1
) -> dict[int, list[Pairing]]:
    """Up to count random groups of ``size`` distinct texts for every prompt, no two of them the
    same. A prompt with fewer texts has one group of them all, where a group of several is wanted
    and it has two. Size 1 gives single texts, size 0 the prompt alone, once.

    Disjoint groups come first: no text is in two of them while one is in none. What a prompt gets
    depends on (seed, size, prompt id) and its candidates alone.
    """
    chosen = {}
    for prompt_id, candidates in prompts.items():
        draw = _generator(f"{seed}/groups of {size}/{prompt_id}")
        texts = distinct(candidates, draw)
        chosen[prompt_id] = _groups(texts, size, count, draw)
    return chosen


def distinct(candidates: Sequence[Candidate], draw: np.random.Generator) -> list[Candidate]:
    """One candidate per text, by id; which of several identical ones is drawn, so that no
    checkpoint is favoured by the order of sampling."""
    by_text: dict[str, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda one: one.id):
        by_text.setdefault(candidate.text_sha, []).append(candidate)
    kept = [same[int(draw.integers(len(same)))] for same in by_text.values()]
    return sorted(kept, key=lambda one: one.id)


def similarity(pair: Pair) -> float | None:
    """Cosine of the two embeddings, None when one is missing."""
    first, second = (one.embedding for one in pair)
    if first is None or second is None:
        return None
    return float(np.dot(first, second))


def _random(
    candidates: Sequence[Candidate], count: int, draw: np.random.Generator
) -> list[Choice]:
    """Uniform over pairs, without repetition."""
    return _uniform(list(combinations(candidates, 2)), count, draw)


def _across(
    candidates: Sequence[Candidate], count: int, draw: np.random.Generator
) -> list[Choice]:
    """Uniform over pairs of different groups: one policy against another."""
    pairs = [pair for pair in combinations(candidates, 2) if pair[0].group != pair[1].group]
    return _uniform(pairs, count, draw)


def _uniform(pairs: Sequence[Pair], count: int, draw: np.random.Generator) -> list[Choice]:
    taken = min(count, len(pairs))
    places = draw.permutation(len(pairs))[:taken]
    return [(pairs[int(place)], taken / len(pairs)) for place in places]


def _groups(
    candidates: Sequence[Candidate], size: int, count: int, draw: np.random.Generator
) -> list[Pairing]:
    if size == 0:
        return [Pairing((), "random", None, 1.0)]
    least, size = min(size, 2), min(size, len(candidates))
    if size < least:
        return []
    wanted = min(count, math.comb(len(candidates), size))
    found: dict[tuple[int, ...], None] = {}  # a set that keeps the order
    while len(found) < wanted:
        order = [candidates[int(place)].id for place in draw.permutation(len(candidates))]
        for start in range(0, len(order) - size + 1, size):
            found.setdefault(tuple(sorted(order[start : start + size])))
    chance = wanted * _share(size, len(candidates))
    return [Pairing(ids, "random", None, chance) for ids in list(found)[:wanted]]


def _share(size: int, texts: int) -> float:
    """Of the pairs among the texts, the share in one group; of the texts for a size of 1."""
    together = min(size, 2)
    return math.comb(size, together) / math.comb(texts, together)


def _easy(candidates: Sequence[Candidate], count: int, draw: np.random.Generator) -> list[Choice]:
    """The least similar pairs: raters agree more on them (REAL)."""
    return [(pair, 1.0) for pair in _by_similarity(candidates)[:count]]


def _hard(candidates: Sequence[Candidate], count: int, draw: np.random.Generator) -> list[Choice]:
    """The most similar pairs."""
    return [(pair, 1.0) for pair in _by_similarity(candidates)[::-1][:count]]


def _by_similarity(candidates: Sequence[Candidate]) -> list[Pair]:
    """All pairs, the least similar first; equal ones by id."""
    _need_embeddings(candidates)
    return sorted(
        combinations(candidates, 2),
        key=lambda pair: (similarity(pair), pair[0].id, pair[1].id),
    )


def _centroid(
    candidates: Sequence[Candidate], count: int, draw: np.random.Generator
) -> list[Choice]:
    """The completions nearest to the two centres of k-means with k = 2; one pair a prompt."""
    if len(candidates) < 3:
        return [((candidates[0], candidates[1]), 1.0)] if len(candidates) == 2 else []
    points = _need_embeddings(candidates)
    near = [int(place) for place in np.argmin(_distances(points, _two_means(points)), axis=0)]
    if near[0] == near[1]:
        return _uniform(list(combinations(candidates, 2)), 1, draw)
    first, second = sorted(near)
    return [((candidates[first], candidates[second]), 1.0)]


def _two_means(points: np.ndarray, steps: int = 20) -> np.ndarray:
    """Centres [2, hidden] by Lloyd's algorithm, started at the two points furthest apart."""
    far = np.unravel_index(np.argmax(_distances(points, points)), (len(points), len(points)))
    centres = points[list(far)]
    for _ in range(steps):
        side = np.argmin(_distances(points, centres), axis=1)
        if len(set(side.tolist())) < 2:
            break
        centres = np.stack([points[side == number].mean(0) for number in (0, 1)])
    return centres


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squared: np.ndarray = ((points[:, None] - centres[None]) ** 2).sum(-1)
    return squared


def _need_embeddings(candidates: Sequence[Candidate]) -> np.ndarray:
    rows = [one.embedding for one in candidates if one.embedding is not None]
    if len(rows) < len(candidates):
        raise ValueError(phrase("This pairing strategy needs embeddings, and some are missing."))
    return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)


def _pairing(pair: Pair, strategy: str, propensity: float) -> Pairing:
    return Pairing((pair[0].id, pair[1].id), strategy, similarity(pair), propensity)


def _generator(key: str) -> np.random.Generator:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=seed))


STRATEGIES: dict[str, Strategy] = {
    "random": _random,
    "easy": _easy,
    "hard": _hard,
    "centroid": _centroid,
    "across": _across,
}
NEEDS_EMBEDDINGS = frozenset({"easy", "hard", "centroid"})
