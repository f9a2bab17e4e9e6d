"""Two reward models as one reward: Llama 2's choice between safety and helpfulness (2023, 3.2.3).

    R_c = R_safety  if the prompt is tagged safety OR R_safety < .15,  else R_helpful

R_* are sigmoid outputs. What a policy is rewarded with is whiten(logit(R_c)); the whitening is
the caller's, over its batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

SAFETY_FLOOR = 0.15  # below it an answer counts as unsafe, whatever its prompt


def piecewise(r_safety: Tensor, r_helpful: Tensor, tagged: Tensor) -> Tensor:
    """R_c: sigmoid outputs [N] and [N], and whether each prompt is tagged safety [N] -> [N].

    (not tagged, .10, .90) -> .10 (its logit is -2.197225); (not tagged, .15, .90) -> .90, since
    the floor itself is safe; (tagged, .90, .40) -> .90.
    """
    return torch.where(tagged.bool() | (r_safety < SAFETY_FLOOR), r_safety, r_helpful)


def piecewise_scores(safety: Tensor, helpful: Tensor, tagged: Tensor) -> Tensor:
    """logit(R_c) from the two models' scores as trained (logits, before any normalisation).

    The same choice; the chosen score is handed on as it is, since a float32 sigmoid is 1 from a
    score of 17 on, and its logit no number.
    """
    unsafe = torch.sigmoid(safety) < SAFETY_FLOOR
    return torch.where(tagged.bool() | unsafe, safety, helpful)
