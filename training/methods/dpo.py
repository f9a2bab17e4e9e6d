"""Direct preference optimisation through TRL, from the ordered pairs of a snapshot."""

from __future__ import annotations

from functools import partial

from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from models_runtime.records import PreferenceRecord
from training.configs import DPOConfig
from training.data import Encoder
from training.mixture import preferences_of
from training.pairs import TextPair, heldout_pairs, reference_beside, text_pairs
from training.task import Task
from training.trl_adapter import LibraryLoss, fit_dpo


def train(task: Task) -> None:
    """Inputs policy, snapshot and reference -> a policy.

    The reference is the folder that the row side chose by the option of that name; the policy is
    pulled towards it and need not start from it.
    """
    config: DPOConfig = task.config
    policy = task.job.input_path("policy")
    encoder = Encoder.of(policy, config)
    kept = preferences_of(task)
    _refuse_weights(kept)
    rows = [_row(pair) for pair in text_pairs(task, kept, encoder)]
    task.require(rows)
    model = task.policy_to_train()
    same = task.first_loss_is_known()
    loss = LibraryLoss(config.loss, config.strength, config.smoothing, config.discopop_tau)
    heldout = [_row(pair) for pair in heldout_pairs(task)]
    metrics = fit_dpo(
        task,
        model,
        partial(reference_beside, task, model),
        encoder.tokenizer,
        rows,
        loss,
        same_start=same,
        heldout=heldout,
    )
    task.publish_model(model, encoder.tokenizer)
    task.finish({"train": metrics}, len(rows), encoder.prompts_cut)


def _refuse_weights(records: list[PreferenceRecord]) -> None:
    """The library's loss is a mean over pairs that all weigh one: a weight would be lost."""
    pairs = [pair for record in records for pair in record.preferences]
    weighted = sum(pair.weight != 1 for pair in pairs)
    if weighted:
        raise BadInput(
            phrase(
                "DPO counts every pair alike, and %(weighted)s of the %(pairs)s pairs have a "
                "weight other than 1: train a reward model, which uses weights.",
                weighted=weighted,
                pairs=len(pairs),
            )
        )


def _row(pair: TextPair) -> dict[str, list[int]]:
    start = pair.chosen.prompt_length
    return {
        "prompt_ids": pair.chosen.ids[:start],
        "chosen_ids": pair.chosen.ids[start:],
        "rejected_ids": pair.rejected.ids[start:],
    }
