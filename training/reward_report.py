"""What is said of a reward model: accuracy, calibration, and how much of it is length.

judge    a row for every ordered held-out pair: what the model makes of it
measure  rows -> the figures of a run's result
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import torch

from models_runtime.chat import Encoded
from models_runtime.records import STRENGTHS
from training.data import Group, Pair
from training.length import share_of_gain
from training.reward_models import head_scores

Row = dict[str, Any]
BINS = 10  # of the predicted probability, from .5 to 1
LARGEST = 500.0  # log-odds whose exponential is still a number
COLDEST, HOTTEST = 0.02, 50.0  # temperatures: separable pairs have none that fits best


def judge(model: torch.nn.Module, groups: Sequence[Group]) -> list[Row]:
    """A row for every ordered held-out pair: strength, delta = r_w - r_l, correct (a tie ½),
    by_length, whether the longer answer (tokens) was the chosen one; rewards and tokens of both,
    the chosen one first. Of an ensemble, agree: whether all heads order the pair alike."""
    rows = [row for group in groups for row in group.completions]
    scores = head_scores(model, rows)
    judged, offset = [], 0
    for group in groups:
        for pair in group.pairs:
            if not pair.tie:
                chosen, rejected = scores[offset + pair.chosen], scores[offset + pair.rejected]
                judged.append(_judged(group, pair, chosen, rejected))
        offset += len(group.completions)
    return judged


def _judged(group: Group, pair: Pair, chosen: Sequence[float], rejected: Sequence[float]) -> Row:
    tokens = [_tokens(group.completions[end]) for end in (pair.chosen, pair.rejected)]
    means = fmean(chosen), fmean(rejected)
    delta = means[0] - means[1]
    row = {
        "comparison_id": pair.comparison_id,
        "iteration": pair.iteration,
        "prompt_id": group.prompt_id,
        "strength": pair.strength,
        "delta": delta,
        "correct": _correct(delta),
        "by_length": _correct(tokens[0] - tokens[1]),
        "rewards": list(means),
        "tokens": tokens,
    }
    if len(chosen) > 1:
        signs = {_correct(one - other) for one, other in zip(chosen, rejected, strict=True)}
        row["agree"] = len(signs) == 1
    return row


def _tokens(row: Encoded) -> int:
    return sum(row.completion_mask)


def _correct(delta: float) -> float:
    """1 right, 0 wrong, one half for a tie."""
    return 0.5 if delta == 0 else float(delta > 0)


def measure(rows: Sequence[Row], iteration: int, *, margins: bool = False) -> dict[str, Any]:
    """Held-out figures: accuracy, by rated strength, of this iteration alone, what always
    choosing the longer answer would reach, calibration, and the share of the reward gain that
    length explains. ``margins`` says that the loss had some. Null where there is no pair."""
    current = [row for row in rows if row["iteration"] == iteration]
    by_strength = {name: [row for row in rows if row["strength"] == name] for name in STRENGTHS}
    return {
        "n": len(rows),
        "accuracy": _mean(rows, "correct"),
        "accuracy_by_strength": {
            name: {"n": len(found), "accuracy": _mean(found, "correct")}
            for name, found in by_strength.items()
        },
        "this_iteration": {"n": len(current), "accuracy": _mean(current, "correct")},
        "length_baseline": _mean(rows, "by_length"),
        "margin": _mean(rows, "delta"),
        "calibration": calibration(rows, margins=margins),
        "length": _length(rows),
        **_agreement(rows),
    }


def _mean(rows: Sequence[Row], name: str) -> float | None:
    return sum(row[name] for row in rows) / len(rows) if rows else None


def _length(rows: Sequence[Row]) -> dict[str, Any]:
    """From rejected to chosen answers."""
    ends = [[(row["tokens"][end], row["rewards"][end]) for row in rows] for end in (1, 0)]
    return share_of_gain(*ends)


def _agreement(rows: Sequence[Row]) -> dict[str, Any]:
    """Of an ensemble: accuracy where its heads agree and where they do not."""
    if not any("agree" in row for row in rows):
        return {}
    parts = {said: [row for row in rows if row["agree"] is said] for said in (True, False)}
    return {
        "heads_agree": {"n": len(parts[True]), "accuracy": _mean(parts[True], "correct")},
        "heads_differ": {"n": len(parts[False]), "accuracy": _mean(parts[False], "correct")},
    }


def calibration(rows: Sequence[Row], *, margins: bool) -> dict[str, Any]:
    """How often the answer that is scored higher is the preferred one, beside the probability
    1 / (1 + e^-|delta|) that the model gives it; before and after one temperature.

    The probability is what a loss without margins fits; after one with margins ``margins`` is
    true, and only the figures after the temperature say something. For those, each half of the
    prompts is scored at the temperature of the other half; ``temperature`` itself is that of all.
    """
    if not rows:
        return {"n": 0, "margins": margins}
    halves = _halves(rows)
    fitted = [temperature(half or rows) for half in halves]
    cooled = [
        (row["delta"] / heat, row["correct"])
        for half, heat in zip(halves, reversed(fitted), strict=True)
        for row in half
    ]
    found = [(row["delta"], row["correct"]) for row in rows]
    return {
        "n": len(rows),
        "margins": margins,
        "temperature": temperature(rows),
        "before": _calibrated(found),
        "after": _calibrated(cooled),
    }


def _halves(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """By prompt, every other one in the order of their ids: pairs of a prompt stay together."""
    place = {pk: number for number, pk in enumerate(sorted({row["prompt_id"] for row in rows}))}
    halves: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        halves[place[row["prompt_id"]] % 2].append(row)
    return halves


def temperature(rows: Iterable[Row]) -> float:
    """The T that makes -mean log sigmoid(delta / T) least, within COLDEST and HOTTEST.

    The loss is convex in 1 / T, so its slope there, -mean delta * sigmoid(-delta / T), changes
    sign once: bisection finds where. Deltas 2, 2, 2 and -2, three of four right, are calibrated
    at sigmoid(2 / T) = 3/4: T = 2 / log 3 = 1.820478.
    """
    deltas = np.array([row["delta"] for row in rows])

    def slope(inverse: float) -> float:
        odds = np.clip(deltas * inverse, -LARGEST, LARGEST)
        return -float(np.sum(deltas / (1 + np.exp(odds))))

    return 1 / _sign_change(slope, 1 / HOTTEST, 1 / COLDEST)


def _sign_change(slope: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is 0; an end where it is not."""
    for _ in range(60):
        middle = (low + high) / 2
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _calibrated(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """nll, and ece: the mean over pairs of |predicted - observed| of the pair's bin."""
    bins: list[list[tuple[float, float]]] = [[] for _ in range(BINS)]
    for delta, correct in pairs:
        predicted = _sigmoid(abs(delta))
        place = min(BINS - 1, int((predicted - 0.5) * 2 * BINS))
        bins[place].append((predicted, correct))
    table = [_bin(number, found) for number, found in enumerate(bins) if found]
    gap = sum(row["n"] * abs(row["predicted"] - row["observed"]) for row in table)
    nll = fmean(-_log_sigmoid(delta) for delta, _ in pairs)
    return {"nll": nll, "ece": gap / len(pairs), "bins": table}


def _bin(number: int, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    width = 0.5 / BINS
    return {
        "low": round(0.5 + number * width, 4),
        "high": round(0.5 + (number + 1) * width, 4),
        "n": len(pairs),
        "predicted": fmean(predicted for predicted, _ in pairs),
        "observed": fmean(correct for _, correct in pairs),
    }


def _sigmoid(value: float) -> float:
    return math.exp(_log_sigmoid(value))


def _log_sigmoid(value: float) -> float:
    """Without overflow at either end."""
    return min(value, 0.0) - math.log1p(math.exp(-abs(value)))
