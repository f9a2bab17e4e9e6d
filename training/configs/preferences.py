"""Methods that learn a policy from preferences, without a reward model."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from models_runtime.records import MARGINS
from training.configs.base import WARMUP, BadOption, HeldOut, Optimisation, OwnLoop, option
from training.configs.watching import Probed

# Loss of a pair -> its smoothing by default; what is not here takes none.
SMOOTHED = {"cdpo": 0.1, "robust": 0.1, "exo_pair": 1e-3, "aot": 0.0, "aot_unpaired": 0.0}
FLIPS = (
    "cdpo",
    "robust",
    "exo_pair",
)  # smoothing is the share of flipped labels: half of them say nothing
PAIR_LOSSES = (
    "sigmoid", "cdpo", "robust", "ipo", "hinge", "exo_pair", "nca_pair", "bco_pair", "sppo_hard",
    "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sigmoid_norm", "sft",
)  # fmt: skip
DEFAULT_BETA = DEFAULT_TAU = 0.1
BETAS = {"hinge": 0.05}  # of losses whose authors took another: RSO, Liu et al. (2023)


@dataclass(frozen=True, kw_only=True)
class AgainstReference(Probed, Optimisation):
    """What methods share that are pulled towards a reference policy."""

    learning_rate: float = option(1e-6, "Highest learning rate.", low=0.0, high=1.0)
    schedule: str = option(
        "constant", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    warmup: float = option(0.1, WARMUP, low=0.0, high=1.0)
    beta: float = option(
        DEFAULT_BETA, "Strength of the pull towards the reference policy.", low=1e-6, high=100.0
    )
    reference: str = option(
        "first",
        "The reference policy: the campaign's first one, or the parent, which training starts "
        "from: drift from the first then adds up over iterations.",
        choices=("first", "parent"),
    )


@dataclass(frozen=True, kw_only=True)
class Precomputed:
    """Of the library's trainers that hold a reference beside the policy. Own loops always compute
    its log-probabilities first, but TDPO, whose loss needs the whole distribution."""

    precompute_reference: bool = option(
        False,
        "Ask the reference once, before training, and hold no second model while it goes on. An "
        "adapter on a policy that starts as its reference holds none anyway.",
    )


@dataclass(frozen=True, kw_only=True)
class DPOConfig(Precomputed, HeldOut, AgainstReference, OwnLoop):
    """Direct preference optimisation. Defaults: Rafailov et al. (2023)."""

    beta: float = option(
        0.0,
        "Strength of the pull towards the reference policy; 0 is the loss's own default, .1, and "
        ".05 for hinge.",
        low=0.0,
        high=100.0,
    )
    loss: str = option(
        "sigmoid",
        "Loss of a pair: sigmoid is DPO's own; cdpo and robust expect wrong labels; ipo has tau "
        "in beta's place; aot sorts the pairs of a forward pass.",
        choices=PAIR_LOSSES,
    )
    label_smoothing: float = option(
        0.0,
        "For cdpo, robust, exo_pair and aot: the share of labels taken for wrong; 0 is the "
        "loss's own default (.1, .1, .001 and 0).",
        low=0.0,
        high=1.0,
    )
    tau: float = option(
        DEFAULT_TAU, "For ipo: strength of the pull to the reference.", low=1e-6, high=100.0
    )
    discopop_tau: float = option(
        0.05,
        "For discopop: how sharply the two parts of its loss change over.",
        low=1e-6,
        high=100.0,
    )

    def __post_init__(self) -> None:
        """Raises BadOption where an option has no part in the loss, or cannot be."""
        if self.label_smoothing and self.loss not in SMOOTHED:
            raise BadOption(
                phrase(
                    "label_smoothing has no part in the loss %(loss)s of dpo, but in %(known)s.",
                    loss=self.loss,
                    known=", ".join(SMOOTHED),
                )
            )
        if self.label_smoothing >= 0.5 and self.loss in FLIPS:
            raise BadOption(
                phrase(
                    "label_smoothing of dpo must be below 0.5 with the loss %(loss)s: were half "
                    "of the labels wrong, they would say nothing.",
                    loss=self.loss,
                )
            )
        if self.loss == "ipo" and self.beta not in (0.0, DEFAULT_BETA):
            raise BadOption(phrase("The loss ipo of dpo has no beta: set tau in its place."))
        if self.loss != "ipo" and self.tau != DEFAULT_TAU:
            raise BadOption(phrase("Only the loss ipo of dpo has tau: set beta in its place."))

    @property
    def strength(self) -> float:
        """What the library calls beta."""
        if self.loss == "ipo":
            return self.tau
        return self.beta or BETAS.get(self.loss, DEFAULT_BETA)

    @property
    def smoothing(self) -> float:
        """label_smoothing, or the loss's own default."""
        return self.label_smoothing or SMOOTHED.get(self.loss, 0.0)


@dataclass(frozen=True, kw_only=True)
class ODPOConfig(HeldOut, AgainstReference, OwnLoop):
    """DPO with an offset by rated strength (ODPO). Defaults: Amini et al. (2024)."""

    margin: str = option(
        "small",
        "Margin in the loss by rated strength: small 1, 2/3, 1/3, 0; large 3, 2, 1, 0.",
        choices=tuple(MARGINS),
    )
    margin_weight: float = option(1.0, "The margin is multiplied by this.", low=0.0, high=100.0)


@dataclass(frozen=True, kw_only=True)
class TDPOConfig(AgainstReference, OwnLoop):
    """Token-level DPO with sequential KL. Defaults: Zeng et al. (2024)."""

    variant: str = option(
        "tdpo2",
        "tdpo1 weighs both answers' KL by 1; tdpo2 by alpha, without a gradient through the "
        "chosen one's.",
        choices=("tdpo1", "tdpo2"),
    )
    alpha: float = option(0.5, "Weight of the difference of KL, in tdpo2.", low=0.0, high=100.0)


@dataclass(frozen=True, kw_only=True)
class BetaDPOConfig(AgainstReference, OwnLoop):
    """DPO whose beta follows the batch (beta-DPO). Defaults: Wu et al. (2024)."""

    alpha: float = option(
        0.6, "How strongly beta follows the batch's mean log-ratio.", low=0.0, high=100.0
    )
    momentum: float = option(
        0.9, "Share of the running mean and deviation that stays at a step.", low=0.0, high=1.0
    )
    keep: float = option(
        0.8,
        "Share of a batch's pairs that is learned from, likelier those near the running mean.",
        low=0.01,
        high=1.0,
    )

    def __post_init__(self) -> None:
        """Raises BadOption: a part of a batch has another mean than the batch."""
        if self.micro_batch_size not in (0, self.batch_size):
            raise BadOption(
                phrase(
                    "beta_dpo takes beta from the whole batch, so its micro_batch_size must be 0: "
                    "make batch_size smaller."
                )
            )


@dataclass(frozen=True, kw_only=True)
class SimPOConfig(HeldOut, Probed, OwnLoop):
    """Simple preference optimisation, no reference. Defaults: Meng et al. (2024)."""

    learning_rate: float = option(1e-6, "Highest learning rate.", low=0.0, high=1.0)
    batch_size: int = option(128, "Examples an optimiser step.", low=1, high=65536)
    warmup: float = option(0.1, WARMUP, low=0.0, high=1.0)
    final_learning_rate: float = option(
        0.0,
        "Learning rate that cosine and linear fall to, as a share of the highest.",
        low=0.0,
        high=1.0,
    )
    beta: float = option(
        2.0, "Scale of the mean log-probability of a token.", low=1e-6, high=100.0
    )
    gamma: float = option(
        1.0, "Margin by which the chosen answer is to be better.", low=0.0, high=100.0
    )


@dataclass(frozen=True, kw_only=True)
class ORPOConfig(HeldOut, Probed, OwnLoop):
    """Odds-ratio preference optimisation, no reference. Defaults: Hong et al. (2024)."""

    learning_rate: float = option(8e-6, "Highest learning rate.", low=0.0, high=1.0)
    schedule: str = option(
        "linear", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    final_learning_rate: float = option(
        0.0,
        "Learning rate that cosine and linear fall to, as a share of the highest.",
        low=0.0,
        high=1.0,
    )
    odds_weight: float = option(
        0.1, "Weight of the odds ratio beside the chosen answer's likelihood.", low=0.0, high=100.0
    )


@dataclass(frozen=True, kw_only=True)
class SLiCConfig(HeldOut, Probed, OwnLoop):
    """Sequence likelihood calibration, no reference. Defaults: Zhao et al. (2023)."""

    delta: float = option(
        1.0, "Margin of the log-probabilities beyond which a pair is learned.", low=0.0, high=1e6
    )
    likelihood_weight: float = option(
        0.5, "Weight of the chosen answer's likelihood beside it.", low=0.0, high=100.0
    )


@dataclass(frozen=True, kw_only=True)
class RRHFConfig(Probed, OwnLoop):
    """Rank responses to align. Defaults: Yuan et al. (2023)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(3, "Passes over the data.", low=1, high=100)
    likelihood_weight: float = option(
        1.0, "Weight of the best answer's likelihood beside the ranking.", low=0.0, high=100.0
    )


@dataclass(frozen=True, kw_only=True)
class PROConfig(Probed, OwnLoop):
    """Preference ranking optimisation. Defaults: Song et al. (2023)."""

    learning_rate: float = option(5e-6, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    likelihood_weight: float = option(
        0.05,
        "Weight of the best answer's likelihood, times the square of the answers below it.",
        low=0.0,
        high=100.0,
    )


@dataclass(frozen=True, kw_only=True)
class KTOConfig(Precomputed, HeldOut, AgainstReference, OwnLoop):
    """Kahneman-Tversky optimisation, of answers judged one by one. Defaults: Ethayarajh et al.
    (2024)."""

    learning_rate: float = option(5e-6, "Highest learning rate.", low=0.0, high=1.0)
    batch_size: int = option(32, "Examples an optimiser step.", low=1, high=65536)
    learn_from: str = option(
        "auto",
        "thumbs; ratings above and below the middle of their scale; pairs, each side for itself; "
        "auto: the first of these that the snapshot has.",
        choices=("auto", "thumbs", "ratings", "pairs"),
    )
    desirable_weight: float = option(
        0.0, "Weight of good answers; 0 is set by their number.", low=0.0, high=1000.0
    )
    undesirable_weight: float = option(
        0.0, "Weight of bad answers; 0 is set by their number.", low=0.0, high=1000.0
    )

    def __post_init__(self) -> None:
        """Raises BadOption: the loss needs the answers to other prompts beside each."""
        if 1 in (self.batch_size, self.micro_batch_size):
            raise BadOption(
                phrase(
                    "kto compares an answer with those to other prompts in its forward pass, so "
                    "batch_size must be 2 or more, and micro_batch_size 0, 2 or more."
                )
            )
        if (self.desirable_weight == 0) != (self.undesirable_weight == 0):
            raise BadOption(
                phrase("Set both weights of kto, or leave both at 0 to have them set by number.")
            )


@dataclass(frozen=True, kw_only=True)
class SPINConfig(Probed, OwnLoop):
    """Self-play fine-tuning: people's answers over one's own. Defaults: Chen et al. (2024)."""

    learning_rate: float = option(5e-7, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    schedule: str = option(
        "linear", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    warmup: float = option(0.1, WARMUP, low=0.0, high=1.0)
    beta: float = option(
        0.1, "Strength of the pull towards the policy it starts from.", low=1e-6, high=100.0
    )
    earlier: bool = option(True, "Learn from the samples of the iteration before as well.")
    temperature: float = option(1.0, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)
