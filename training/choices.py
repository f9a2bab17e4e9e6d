"""What pairs say as choices: one answer among all that the same comparison puts below it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models_runtime.records import Strength
from training.data import Group, Pair

Margins = Mapping[Strength | None, float]


@dataclass(frozen=True)
class Choices:
    """S choices with at most L losers each; indices run over the completions of all groups.

    winner, prompt: [S]; losers, margin, present: [S, L]; weight: [S], the mean of its pairs'.
    """

    winner: Tensor
    losers: Tensor
    margin: Tensor
    present: Tensor
    weight: Tensor
    prompt: Tensor

    @classmethod
    def of(
        cls, groups: Sequence[Group], margins: Margins, like: Tensor, *, best_only: bool
    ) -> Choices:
        """Of several groups; ``like`` says where the tensors go, and of what type they are."""
        found = list(_choices(groups, best_only))
        longest = max(len(below) for _, _, below in found)
        losers = torch.zeros(len(found), longest, dtype=torch.long)
        margin, present = torch.zeros(len(found), longest), torch.zeros(len(found), longest)
        for row, (_, _, below) in enumerate(found):
            for place, (loser, pair) in enumerate(below.items()):
                losers[row, place], present[row, place] = loser, 1
                margin[row, place] = margins[pair.strength]
        weights = [sum(pair.weight for pair in below.values()) / len(below) for *_, below in found]
        return cls(
            torch.tensor([winner for _, winner, _ in found], device=like.device),
            losers.to(like.device),
            margin.to(like),
            present.to(like.device).bool(),
            like.new_tensor(weights),
            torch.tensor([prompt for prompt, _, _ in found], device=like.device),
        )


def _choices(
    groups: Sequence[Group], best_only: bool
) -> Iterator[tuple[int, int, dict[int, Pair]]]:
    """(which group, the winner, its losers with the pair that says so)."""
    offset = 0
    for number, group in enumerate(groups):
        for compared in _by_comparison(group.pairs):
            best = best_of(compared)
            for winner, below in _below(compared).items():
                if not best_only or winner == best:
                    shifted = {offset + loser: pair for loser, pair in below.items()}
                    yield number, offset + winner, shifted
        offset += len(group.completions)


def with_a_best(groups: Sequence[Group], dropped: Counter[str]) -> list[Group]:
    """The groups with those comparisons alone in which one answer is above all others."""
    kept = []
    for group in groups:
        pairs: list[Pair] = []
        for compared in _by_comparison(group.pairs):
            if best_of(compared) is None:
                dropped["no single best"] += len(compared)
            else:
                pairs += compared
        if pairs:
            kept.append(replace(group, pairs=pairs))
    return kept


def best_of(pairs: Sequence[Pair]) -> int | None:
    """The answer of a comparison that is stated to be above every other one in it."""
    answers = {end for pair in pairs for end in (pair.chosen, pair.rejected)}
    for winner, below in _below(pairs).items():
        if set(below) == answers - {winner}:
            return winner
    return None


def _below(pairs: Sequence[Pair]) -> dict[int, dict[int, Pair]]:
    """By answer, what is stated to lie below it."""
    found: dict[int, dict[int, Pair]] = defaultdict(dict)
    for pair in pairs:
        if not pair.tie:
            found[pair.chosen][pair.rejected] = pair
    return found


def _by_comparison(pairs: Sequence[Pair]) -> list[list[Pair]]:
    found: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        found[pair.comparison_id].append(pair)
    return list(found.values())
