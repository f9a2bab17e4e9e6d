"""How many completions may be sampled together: as many as their caches leave room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

MOST = 512  # rows; more make a token hardly cheaper
ROOM = 512 * 2**20  # bytes, on a CPU
SHARE = 0.4  # of the memory that a GPU has free
# On a CPU a larger model is busy with few rows already, and a stop waits for all of them.
SMALL, MOST_OF_LARGE = 10_000_000, 64
# When fewer than this share of the rows are left, a GPU takes in new ones beside them. On a CPU
# the caches that are copied then cost more than a small batch: it begins anew when none is left.
REFILLED_BELOW = 0.5
# Of each row's logits: as they come, as shares, and summed in float64 with their order.
BYTES_OF_A_LOGIT = 24


@dataclass(frozen=True)
class Room:
    """Limits of what is sampled at once."""

    most: int  # rows
    bytes: float = float("inf")
    of_a_row: int = 0  # bytes, whatever its length
    of_a_token: int = 0  # bytes
    refilled_below: float = 0.0  # share of the rows; 0: when none is left

    @classmethod
    def of(cls, model: PreTrainedModel, size: int = 0) -> Room:
        """``size`` rows; of 0, what fits into the memory that the model's device has."""
        on_gpu = model.device.type == "cuda"
        refilled = REFILLED_BELOW if on_gpu else 0.0
        if size:
            return cls(size, refilled_below=refilled)
        room = SHARE * torch.cuda.mem_get_info(model.device)[0] if on_gpu else float(ROOM)
        quick = on_gpu or model.num_parameters() <= SMALL
        logits = int(model.config.get_text_config().vocab_size) * BYTES_OF_A_LOGIT
        return cls(
            MOST if quick else MOST_OF_LARGE, room, logits, bytes_of_a_token(model), refilled
        )

    def rows(self, width: int) -> int:
        """How many rows of ``width`` tokens; one at least."""
        each = self.of_a_row + self.of_a_token * width
        fit = self.bytes / each if each else self.most
        return max(1, min(self.most, int(min(fit, self.most))))


def bytes_of_a_token(model: PreTrainedModel) -> int:
    """What one token of one row takes in the cache: a key and a value of every layer."""
    config: Any = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * model.dtype.itemsize)
