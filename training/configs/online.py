"""Methods that learn from rewards of answers they sample themselves: PPO, GRPO, RLOO."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from training.configs.base import WARMUP, BadOption, Optimisation, OwnLoop, option
from training.configs.rewarded import Rewarded
from training.configs.watching import Guarded, Rewarding


@dataclass(frozen=True, kw_only=True)
class Online(Rewarding, Guarded, Rewarded, Optimisation):
    """What methods that sample and are rewarded share."""

    learning_rate: float = option(1e-6, "Highest learning rate.", low=0.0, high=1.0)
    schedule: str = option(
        "constant", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    warmup: float = option(0.02, WARMUP, low=0.0, high=1.0)
    reference: str = option(
        "first",
        "The policy that the KL is measured from: the campaign's first one, or the parent.",
        choices=("first", "parent"),
    )
    temperature: float = option(
        1.0, "Sampling temperature; log-probabilities are taken at it too.", low=0.01, high=5.0
    )
    max_new_tokens: int = option(64, "Longest sample, in tokens.", low=1, high=65536)
    missing_eos_penalty: float = option(
        1.0, "Taken off the reward of an answer that did not end by itself.", low=0.0, high=1e6
    )
    guard: str = option(
        "stop",
        "What happens beyond a limit below: the run stops and says why, warns and goes on, or "
        "nothing is watched. A loss that is no number ends every run.",
        choices=("stop", "warn", "off"),
    )
    guard_kl: float = option(
        25.0, "Highest KL to the reference, nats an answer; negative: none.", low=-1.0, high=1e6
    )


@dataclass(frozen=True, kw_only=True)
class PPOConfig(Online, OwnLoop):
    """PPO with token-level GAE. Defaults: InstructGPT (2022), Ziegler et al. (2019)."""

    rounds: int = option(
        500, "Times that answers are sampled and learned from.", low=1, high=1000000
    )
    rollouts: int = option(512, "Answers sampled a round.", low=1, high=1000000)
    k: int = option(1, "Answers sampled for each prompt of a round.", low=1, high=1024)
    epochs: int = option(1, "Passes over the answers of a round.", low=1, high=100)
    batch_size: int = option(64, "Answers an optimiser step.", low=1, high=65536)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)
    kl_coef: float = option(0.02, "Weight of the KL to the reference.", low=0.0, high=100.0)
    kl: str = option(
        "reward",
        "Where the KL counts: in the reward of every token (k1), or in the loss, as k2 or as k3 "
        "times the ratio; then nothing is whitened, which would change its weight.",
        choices=("reward", "loss_k2", "loss_k3"),
    )
    kl_target: float = option(
        0.0,
        "Nats an answer that the KL's weight is steered to; 0 leaves it fixed, 6 is Ziegler's.",
        low=0.0,
        high=1e6,
    )
    kl_horizon: float = option(
        10000.0, "Answers over which a steered weight follows.", low=1.0, high=1e12
    )
    gamma: float = option(1.0, "Discount of later rewards, a token.", low=0.0, high=1.0)
    lam: float = option(0.95, "GAE's lambda: 1 trusts rewards, 0 values.", low=0.0, high=1.0)
    clip: float = option(0.2, "Farthest the ratio counts from 1.", low=1e-6, high=100.0)
    value_clip: float = option(
        0.2, "Farthest a value counts from what it was; 0 does not clip.", low=0.0, high=1e6
    )
    value_coef: float = option(0.1, "Weight of the value's loss.", low=0.0, high=100.0)
    value: str = option(
        "separate",
        "The value model: one of its own, begun as the reward model, or a head on the policy.",
        choices=("separate", "shared"),
    )
    whiten_rewards: bool = option(
        True, "Divide a round's token rewards by their deviation, keeping their mean."
    )
    ptx_coef: float = option(
        0.0,
        "Weight of the cross-entropy on the snapshot's demonstrations, or best answers (PPO-ptx).",
        low=0.0,
        high=1e6,
    )
    ptx_ratio: int = option(
        8, "Demonstrations for every answer of a step, where they have a weight.", low=1, high=1024
    )

    def __post_init__(self) -> None:
        if self.rollouts % self.k:
            raise BadOption(
                phrase(
                    "The option rollouts (%(rollouts)s) must be a multiple of k (%(k)s).",
                    rollouts=self.rollouts,
                    k=self.k,
                )
            )


@dataclass(frozen=True, kw_only=True)
class PPOPtxConfig(PPOConfig):
    """PPO with a share of imitation. Defaults: InstructGPT (2022), gamma 27.8."""

    ptx_coef: float = option(
        27.8,
        "Weight of the cross-entropy on the snapshot's demonstrations, or best answers (PPO-ptx).",
        low=0.0,
        high=1e6,
    )


@dataclass(frozen=True, kw_only=True)
class Grouped(Online, OwnLoop):
    """What GRPO and RLOO share: several answers a prompt are each other's baseline."""

    batch_size: int = option(512, "Answers an optimiser step, a multiple of k.", low=2, high=65536)
    k: int = option(4, "Answers sampled for every prompt.", low=2, high=1024)
    beta: float = option(0.04, "Weight of the KL to the reference.", low=0.0, high=100.0)

    def __post_init__(self) -> None:
        if self.batch_size % self.k:
            raise BadOption(
                phrase(
                    "The option batch_size (%(batch_size)s) must be a multiple of k (%(k)s).",
                    batch_size=self.batch_size,
                    k=self.k,
                )
            )
        if not self.beta and self.guard != "off" and self.guard_kl >= 0:
            raise BadOption(
                phrase(
                    "With beta 0 nothing measures the KL that guard_kl limits: set guard_kl to -1 "
                    "to train without that guard."
                )
            )


@dataclass(frozen=True, kw_only=True)
class GRPOConfig(Grouped):
    """Group-relative policy optimisation. Defaults: DeepSeekMath (Shao et al., 2024)."""

    batch_size: int = option(
        1024, "Answers an optimiser step, a multiple of k.", low=2, high=65536
    )
    k: int = option(64, "Answers sampled for every prompt.", low=2, high=1024)
    unbiased_kl: bool = option(
        True, "Weigh the KL's estimate by the ratio; without it the gradient is another's."
    )
    standardise: str = option(
        "group",
        "Divide advantages by the deviation of their prompt's rewards, of the batch's, or not: "
        "only without is the optimum the one that the KL's weight states.",
        choices=("group", "batch", "none"),
    )
    loss: str = option(
        "grpo",
        "Mean over: an answer's tokens, then answers (grpo); the longest length (dr_grpo); all "
        "tokens (dapo).",
        choices=("grpo", "dr_grpo", "dapo"),
    )


@dataclass(frozen=True, kw_only=True)
class RLOOConfig(Grouped):
    """REINFORCE, leave-one-out. Defaults: Ahmadian et al. (2024)."""

    beta: float = option(
        0.03, "Weight of the KL to the reference, in the reward.", low=0.0, high=100.0
    )
    standardise: bool = option(False, "Divide a batch's advantages by their deviation.")
