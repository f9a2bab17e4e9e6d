"""Token-level DPO: the KL at every position is part of the loss (TDPO, Zeng et al., 2024)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models_runtime.chat import Encoded, pad
from training.configs.preferences import TDPOConfig
from training.loop import Sums
from training.pair_losses import tdpo
from training.pairs import (
    Judged,
    TextPair,
    batch_of,
    read_pairs,
    reference_of,
    summed,
    tune,
    with_reference,
)
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy, snapshot and reference -> a policy. The reference stays in memory: the KL
    needs its whole distribution at every position."""
    encoder, pairs = read_pairs(task)
    reference = reference_of(task)
    pairs = with_reference(pairs, reference, task.config)
    spared = task.config.adapter != "none" and task.starts_as_reference()
    kept = task.adapters.without if spared else lambda _: reference
    tune(task, encoder, pairs, TokenLevel(task.config, kept))


class TokenLevel:
    """The mean over pairs, each with its weight, of TDPO's loss; ``reference`` gives the reference
    of the model that is trained."""

    def __init__(
        self, config: TDPOConfig, reference: Callable[[torch.nn.Module], torch.nn.Module]
    ) -> None:
        self.config = config
        self.reference = reference

    def units(self, example: TextPair) -> float:
        return example.weight

    def sums(self, model: torch.nn.Module, examples: Sequence[TextPair]) -> Sums:
        rows = [pair.chosen for pair in examples] + [pair.rejected for pair in examples]
        logps, kl = logps_and_kl(model, self.reference(model), rows)
        batch = batch_of(logps, examples)
        chosen_kl, rejected_kl = kl.chunk(2)
        first = self.config.variant == "tdpo1"
        losses = tdpo(
            batch.h,
            chosen_kl if first else chosen_kl.detach(),
            rejected_kl,
            self.config.beta,
            1.0 if first else self.config.alpha,
        )
        chosen, rejected = batch.ratios
        beta = self.config.beta
        sums = summed(Judged(losses, beta * chosen, beta * rejected), batch, examples)
        count = float(len(examples))
        sums.metrics["kl/chosen"] = (chosen_kl.sum().item(), count)
        sums.metrics["kl/rejected"] = (rejected_kl.sum().item(), count)
        return sums


def logps_and_kl(
    model: torch.nn.Module, reference: torch.nn.Module, rows: Sequence[Encoded]
) -> tuple[Tensor, Tensor]:
    """Float32 [rows] each: log pi(y|x), and the sum over the answer's positions of
    KL(ref || pi), the reference's distribution at a position against the policy's (equation 9)."""
    ids, attention = pad([row.ids for row in rows], 0)
    mask, _ = pad([row.completion_mask for row in rows], 0)
    device = next(model.parameters()).device
    ids, attention, mask = ids.to(device), attention.to(device), mask[:, 1:].to(device)
    own = _log_probabilities(model, ids, attention)
    with torch.no_grad():
        theirs = _log_probabilities(reference, ids, attention)
    logps = own.gather(2, ids[:, 1:, None])[:, :, 0]
    kl = (theirs.exp() * (theirs - own)).sum(dim=2)
    return (logps * mask).sum(dim=1), (kl * mask).sum(dim=1)


def _log_probabilities(model: torch.nn.Module, ids: Tensor, attention: Tensor) -> Tensor:
    """[rows, positions, vocabulary], for the token after each position."""
    logits = model(input_ids=ids, attention_mask=attention).logits[:, :-1].float()
    logs: Tensor = logits.log_softmax(dim=-1)
    return logs
