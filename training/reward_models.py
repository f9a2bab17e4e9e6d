"""Reward models as they are used: normalised on reference samples, an ensemble's heads as one.

A reward's zero and its unit are free, so that rewards of two models, or a KL coefficient beside
them, mean nothing by themselves. A trained model keeps beside its weights what its scores came to
on reference samples (Ziegler et al., 2019: mean 0 and variance 1 on the policy's samples), and
whoever scores with it reads that.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.loading import load_reward_model
from training.scoring import in_batches, rewards

NORMALISATION = "normalisation.json"


@dataclass(frozen=True)
class Normalisation:
    """reward = (score - mean) / sd. ``on`` says what the ``n`` reference samples were; ``heads``
    holds each head's own mean on them, since every head's zero is free."""

    mean: float = 0.0
    sd: float = 1.0
    n: int = 0
    on: str = "none"
    heads: list[float] = field(default_factory=list)

    @classmethod
    def fitted(cls, scores: Sequence[Sequence[float]], on: str) -> Normalisation:
        """From the scores of reference samples by head; equal ones keep their unit.

        Scores 1, 2 and 3: mean 2, sd .816497 (the sample is the population).
        """
        means = [fmean(by_head) for by_head in scores]
        unit = pstdev(means) if len(means) > 1 else 0.0
        heads = [fmean(column) for column in zip(*scores, strict=True)]
        return cls(fmean(means), unit or 1.0, len(means), on, heads)

    @classmethod
    def of(cls, folder: Path) -> Normalisation:
        """What lies beside the weights; a model without it is used as it is. Raises BadInput."""
        path = folder / NORMALISATION
        if not path.is_file():
            return cls()
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            sound = math.isfinite(found.mean) and math.isfinite(found.sd) and found.sd > 0
        except (ValueError, TypeError) as error:
            raise BadInput(f"{NORMALISATION} of the reward model is malformed.") from error
        if not sound:
            raise BadInput(f"{NORMALISATION} of the reward model holds no mean and no unit.")
        return found

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Scores:
    """What a reward model says of rows, one number each.

    rewards     normalised: 0 is the mean of the reference samples, 1 their standard deviation
    as_trained  the score itself, whose difference is a log-odds: sigmoid(w - l) = P(w over l)
    spread      standard deviation over an ensemble's heads, in the unit of rewards; 0 of one head
    """

    rewards: list[float]
    as_trained: list[float]
    spread: list[float]


class RewardModel:
    """The reward model in a folder, for scoring."""

    def __init__(self, folder: Path) -> None:
        self.model = load_reward_model(folder)
        self.normalisation = Normalisation.of(folder)

    @property
    def heads(self) -> int:
        """How many an ensemble has."""
        return int(self.model.config.num_labels or 1)

    def score(self, rows: Sequence[Encoded]) -> Scores:
        """Of any number of rows, in order."""
        by_head = head_scores(self.model, rows)
        trained = [fmean(scores) for scores in by_head]
        mean, sd = self.normalisation.mean, self.normalisation.sd
        return Scores(
            rewards=[(score - mean) / sd for score in trained],
            as_trained=trained,
            spread=[self._spread(scores) for scores in by_head],
        )

    def _spread(self, scores: Sequence[float]) -> float:
        zeros = self.normalisation.heads or [0.0] * len(scores)
        return (
            pstdev(s - zero for s, zero in zip(scores, zeros, strict=True)) / self.normalisation.sd
        )


def head_scores(model: torch.nn.Module, rows: Sequence[Encoded]) -> list[list[float]]:
    """As trained, [rows][heads]; without gradients, in batches."""
    found = in_batches(rewards, model, rows)
    return [one if isinstance(one, list) else [one] for one in found]
