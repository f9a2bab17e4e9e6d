"""Reward models: what a job that learns to score answers may be told."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from models_runtime.records import MARGINS
from training.configs.base import BadOption, HeldOut, OwnLoop, WithDropout, option

REFERENCES = ("answers", "demonstrations", "samples", "none")
NORMALISE = phrase(
    "What rewards get mean 0 and standard deviation 1 on: the rated answers, the demonstrations, "
    "fresh samples of the policy, or nothing."
)


@dataclass(frozen=True, kw_only=True)
class RewardConfig(WithDropout, HeldOut, OwnLoop):
    """K-wise Bradley-Terry reward model. Defaults: InstructGPT (2022), Llama 2 (2023)."""

    margin: str = option(
        "none",
        "Margin in the loss by rated strength: small 1, 2/3, 1/3, 0; large 3, 2, 1, 0.",
        choices=tuple(MARGINS),
    )
    ties: str = option(
        "drop", "Tied pairs: left out, or counted one half each way.", choices=("drop", "half")
    )
    mean_over: str = option(
        "stated",
        "A prompt's sum over its pairs is divided by their number, or by its comparisons' C(K,2).",
        choices=("stated", "all"),
    )
    centring: float = option(
        0.0, "Weight of (r_w + r_l)^2, which keeps rewards near 0.", low=0.0, high=100.0
    )
    loss: str = option(
        "pairs",
        "Every pair (InstructGPT), the best answer among all (Ziegler 2019), or each answer among "
        "those below it (Plackett-Luce).",
        choices=("pairs", "best_of_n", "listwise"),
    )
    shared_prefix: str = option(
        "auto",
        "Read a prompt once for all its answers; auto does where that halves the tokens.",
        choices=("auto", "on", "off"),
    )
    heads: int = option(
        1,
        "Heads of an ensemble on one trunk, each on its own draw of the prompts; a reward is "
        "their mean.",
        low=1,
        high=64,
    )
    normalise: str = option("answers", NORMALISE, choices=REFERENCES)

    def __post_init__(self) -> None:
        if self.loss != "pairs" and (self.ties, self.mean_over) != ("drop", "stated"):
            raise BadOption(
                phrase(
                    "The options ties and mean_over of reward are about pairs: the loss %(loss)s "
                    "leaves ties out and takes the mean over its choices.",
                    loss=self.loss,
                )
            )


@dataclass(frozen=True, kw_only=True)
class RegressionConfig(WithDropout, OwnLoop):
    """Reward model by regression on the points that raters gave. Defaults: HelpSteer (2023)."""

    aspect: str = option(
        "", "The aspect to learn, as the snapshot names it; empty: the overall verdict."
    )
    normalise: str = option("answers", NORMALISE, choices=REFERENCES)
