"""What the answers that a method samples are rewarded by, and what a judge behind an endpoint may
cost."""

from __future__ import annotations

from dataclasses import dataclass

from training.configs.base import option

REWARDS = ("model", "piecewise", "judge", "length", "bleu")


@dataclass(frozen=True, kw_only=True)
class Rewarded:
    """Shared by PPO, GRPO, RLOO and best-of-K."""

    reward: str = option(
        "model",
        "What answers are rewarded by: the reward model, a safety model beside it (piecewise, as "
        "Llama 2), a judge behind an endpoint, their length, or BLEU against a reference answer.",
        choices=REWARDS,
    )
    safety_model: str = option(
        "", "Name of the registered reward model that judges safety, for the reward piecewise."
    )
    judge: str = option(
        "",
        "Name of the endpoint that judges, for the reward judge: it is sent prompts and answers, "
        "and gives each a number from 1 to 10.",
    )
    judge_rubric: str = option(
        "", "What the judge is told makes a good answer; empty: helpful, true, polite, harmless."
    )
    judge_calls: int = option(
        20000, "Requests to the judge at most, over all attempts.", low=1, high=100000000
    )
    judge_at_once: int = option(8, "Requests to the judge at a time.", low=1, high=64)
    judge_seconds: float = option(
        60.0, "Seconds after which a request to the judge is given up.", low=0.1, high=1800.0
    )
    judge_failures: float = option(
        0.1,
        "Share of the answers that the judge may give no number, which then count as the middle "
        "of its scale; beyond it the run stops.",
        low=0.0,
        high=1.0,
    )
