"""Methods that imitate answers: people's demonstrations, or the best of their own samples."""

from __future__ import annotations

from dataclasses import dataclass

from training.configs.base import HeldOut, OwnLoop, WithDropout, option
from training.configs.rewarded import Rewarded
from training.configs.watching import Panelled


@dataclass(frozen=True, kw_only=True)
class SFTConfig(WithDropout, HeldOut, Panelled, OwnLoop):
    """Supervised fine-tuning, loss on completion tokens only. Defaults: Llama 2 (2023)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    weight_decay: float = option(0.1, "Decoupled weight decay.", low=0.0, high=10.0)


@dataclass(frozen=True, kw_only=True)
class RAFTConfig(Panelled, Rewarded, OwnLoop):
    """Best-of-K fine-tuning. Defaults: RAFT (Dong et al., 2023), rejection sampling (Llama 2)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the best samples.", low=1, high=100)
    k: int = option(10, "Completions sampled for every prompt.", low=2, high=1024)
    temperature: float = option(1.2, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    max_new_tokens: int = option(64, "Longest sample, in tokens.", low=1, high=65536)
    keep: int = option(1, "Best samples kept for every prompt.", low=1, high=1024)
    prompts: int = option(0, "Prompts drawn for this run; 0 takes all.", low=0, high=100000000)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)
