"""A policy with its value model: what an answer is expected to earn, at each of its tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear, Module
from transformers import PreTrainedModel


class ActorCritic(Module):
    """A policy and values, from a trunk of their own or from the policy's (``trunk`` None).

    The value's head starts at 0 (Ziegler et al., 2019): the first advantages are the rewards.
    """

    def __init__(self, policy: PreTrainedModel, trunk: Module | None = None) -> None:
        super().__init__()
        self.policy = policy
        self.trunk = trunk
        config: Any = policy.config if trunk is None else trunk.config
        width = config.get_text_config().hidden_size
        self.head = Linear(width, 1, device=policy.device, dtype=torch.float32)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        """ids, attention [N, L] -> float32 logits [N, L, vocabulary] and values [N, L]."""
        if self.trunk is None:
            seen = self.policy(input_ids=ids, attention_mask=attention, output_hidden_states=True)
            hidden = seen.hidden_states[-1]
        else:
            seen = self.policy(input_ids=ids, attention_mask=attention)
            hidden = self.trunk(input_ids=ids, attention_mask=attention).last_hidden_state
        return seen.logits.float(), self.head(hidden.to(self.head.weight.dtype))[..., 0].float()
