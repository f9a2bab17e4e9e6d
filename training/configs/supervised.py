"""Methods that imitate answers: people's demonstrations, or the best of their own samples."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from training.configs.base import BadOption, HeldOut, OwnLoop, WithDropout, option
from training.configs.rewarded import Rewarded
from training.configs.watching import Probed, Rewarding

TOP_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class SFTConfig(WithDropout, HeldOut, Probed, OwnLoop):
    """Supervised fine-tuning, loss on completion tokens only. Defaults: Llama 2 (2023)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    weight_decay: float = option(0.1, "Decoupled weight decay.", low=0.0, high=10.0)
    packing: bool = option(
        False,
        "Lay several examples into one row of at most max_length tokens, none of which sees "
        "another; batch_size then counts such rows.",
    )


@dataclass(frozen=True, kw_only=True)
class RAFTConfig(Rewarding, Probed, Rewarded, OwnLoop):
    """Best-of-K fine-tuning. Defaults: RAFT (Dong et al., 2023), rejection sampling (Llama 2)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the best samples.", low=1, high=100)
    k: int = option(10, "Completions sampled for every prompt.", low=2, high=1024)
    temperature: float = option(1.2, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    max_new_tokens: int = option(64, "Longest sample, in tokens.", low=1, high=65536)
    select: str = option(
        "per_prompt",
        "The best are taken of every prompt (as Llama 2), or of all samples alike (global, as "
        "RAFT's ranking by reward): easy prompts then teach more.",
        choices=("per_prompt", "global"),
    )
    keep: int = option(1, "Best samples kept for every prompt.", low=1, high=1024)
    share: float = option(
        TOP_SHARE, "For global: share of all samples that is kept.", low=1e-6, high=1.0
    )
    prompts: int = option(0, "Prompts drawn for this run; 0 takes all.", low=0, high=100000000)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)

    def __post_init__(self) -> None:
        if self.select == "per_prompt" and self.share != TOP_SHARE:
            raise BadOption(phrase("The option share of raft is about select global: choose it."))
        if self.select == "global" and self.keep != 1:
            raise BadOption(
                phrase("The option keep of raft is about select per_prompt: set share instead.")
            )
        if self.keep > self.k:
            raise BadOption(
                phrase(
                    "The option keep of raft (%(keep)s) cannot be more than k (%(k)s), the "
                    "completions sampled for a prompt.",
                    keep=self.keep,
                    k=self.k,
                )
            )
