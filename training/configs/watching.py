"""What a person may look at while a method trains: options that change nothing that is learned."""

from __future__ import annotations

from dataclasses import dataclass

from training.configs.base import option


@dataclass(frozen=True, kw_only=True)
class Panelled:
    """Shared by the methods that make a policy."""

    panel: int = option(
        4,
        "Prompts, the first of the data, that the policy answers at every checkpoint for people "
        "to read; 0: none.",
        low=0,
        high=64,
    )
