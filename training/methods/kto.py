"""Kahneman-Tversky optimisation through TRL: answers judged one by one (KTO, Ethayarajh et al.,
2024)."""

from __future__ import annotations

from collections import Counter
from functools import partial

from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from training.configs.preferences import KTOConfig
from training.data import Encoder
from training.mixture import measured_on
from training.pairs import reference_beside
from training.task import Task
from training.thumbs import Thumb, read_thumbs
from training.trl_adapter import fit_kto
from training.trl_adapter.kto import Row, Weights

MOST = 4 / 3  # equation 8: lambda_D n_D / (lambda_U n_U) between 1 and this


def train(task: Task) -> None:
    """Inputs policy, snapshot and reference -> a policy."""
    config: KTOConfig = task.config
    encoder = Encoder.of(task.job.input_path("policy"), config)
    thumbs = read_thumbs(task, config.learn_from)
    rows = [row for thumb in thumbs if (row := _row(task, thumb, encoder)) is not None]
    size = config.micro_batch_size or max(1, config.batch_size // task.job.ranks)
    if len(rows) % size == 1:  # alone in its forward pass it would be compared with itself
        rows.pop()
        task.dropped["left over"] += 1
    task.require(rows)
    counts = Counter(bool(row["label"]) for row in rows)
    _refuse_one_class(counts)
    weights = weights_for(counts[True], counts[False], config)
    model = task.policy_to_train()
    metrics = fit_kto(
        task,
        model,
        partial(reference_beside, task, model),
        encoder.tokenizer,
        rows,
        weights,
        same_start=task.first_loss_is_known(),
        heldout=heldout_rows(task),
    )
    task.publish_model(model, encoder.tokenizer)
    figures = {
        "desirable": counts[True],
        "undesirable": counts[False],
        "desirable_weight": weights.desirable,
        "undesirable_weight": weights.undesirable,
    }
    task.finish({**figures, "train": metrics}, len(rows), encoder.prompts_cut)


def heldout_rows(task: Task) -> list[Row]:
    """Those of held-out prompts, where the options ask to measure on them; counted nowhere."""
    if not task.config.eval_every:
        return []
    beside = measured_on(task)
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    try:
        thumbs = read_thumbs(beside, task.config.learn_from)
    except BadInput:  # nothing at all is held out; the trainer says so
        return []
    return [row for thumb in thumbs if (row := _row(beside, thumb, encoder)) is not None]


def weights_for(desirable: int, undesirable: int, config: KTOConfig) -> Weights:
    """The options' weights, or those that bring lambda_D n_D / (lambda_U n_U) to the nearest end
    of [1, 4/3], the rarer kind weighing more and the other one 1.

    30 and 60: 2 and 1. 60 and 30: 1 and 1.5. 40 and 35: 1 and 1.
    """
    if config.desirable_weight and config.undesirable_weight:
        return Weights(config.desirable_weight, config.undesirable_weight)
    ratio = desirable / undesirable
    if ratio < 1:
        return Weights(1 / ratio, 1.0)
    return Weights(1.0, max(1.0, ratio / MOST))


def _refuse_one_class(counts: Counter[bool]) -> None:
    if counts[True] and counts[False]:
        return
    raise BadInput(
        phrase("All answers to learn from are good ones, and KTO needs bad ones too.")
        if counts[True]
        else phrase("All answers to learn from are bad ones, and KTO needs good ones too.")
    )


def _row(task: Task, thumb: Thumb, encoder: Encoder) -> Row | None:
    if thumb.up and not thumb.ended:
        task.dropped["cut off"] += 1
        return None
    row = encoder.encode(thumb.messages, thumb.text, ended=thumb.ended)
    if row is None:
        task.dropped["too long"] += 1
        return None
    start = row.prompt_length
    return {
        "prompt_ids": row.ids[:start],
        "completion_ids": row.ids[start:],
        "label": thumb.up,
        "prompt": thumb.prompt_id,
    }
