"""What people and programs ask of the loop: to freeze the labels there are, and to train on frozen
ones. The page, the command and the API ask here, so that each is refused the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from labeling import iterations
from labeling.models import Campaign, Iteration, Snapshot, User
from models_runtime.phrases import phrase
from training import pipeline, runs
from training.models import TrainingRun

ACTIVE = ("queued", "running")


class NotNow(ValueError):
    """Nothing was changed; says why in one sentence."""


def freeze(campaign: Campaign, actor: User) -> Iteration:
    """Stop collecting and train with the labels there are: the loop's next tick does it. Repeating
    it changes nothing. Raises NotNow."""
    current = campaign.iterations.order_by("-number").first()
    if current is None or current.state != "collecting":
        raise NotNow(phrase("No iteration is collecting labels now."))
    if not current.labels_people + current.labels_others:
        raise NotNow(phrase("There is no label to train on yet."))
    if why := pipeline.untrainable(current):
        raise NotNow(why)
    iterations.request_freeze(current, actor=actor)
    return current


def iteration_on(snapshots: Sequence[Snapshot], role: str) -> Iteration:
    """The iteration that trains on the first of these snapshots on which one does. Raises NotNow
    unless it would still take up what a run of this role makes."""
    training = (
        Iteration.objects.filter(snapshot=snapshot)
        .select_related("campaign")
        .order_by("-number")
        .first()
        for snapshot in snapshots
    )
    iteration = next((found for found in training if found is not None), None)
    if iteration is None:
        raise NotNow(
            phrase(
                "Snapshot %(number)s was frozen for no iteration, so there is no policy to train: "
                "name one that an iteration trains on.",
                number=str(snapshots[0].pk),
            )
        )
    if not runs.is_taken_up(iteration, role):
        raise NotNow(
            phrase(
                "Iteration %(number)s of %(campaign)s is %(state)s: such a run starts while it is "
                "in %(states)s and its campaign is not closed.",
                number=str(iteration.number),
                campaign=iteration.campaign.name,
                state=phrase(iteration.state),
                states=", ".join(runs.TAKEN_UP_IN[role]),
            )
        )
    return iteration


def start_run(*, iteration: Iteration, **asked: Any) -> TrainingRun:
    """``runs.start_run`` of what nobody has asked for yet: a run that waits or goes on already
    would make the same bytes. Of two callers at once one is told so. Raises as it does, and
    NotNow."""
    with transaction.atomic():
        Iteration.objects.select_for_update().get(pk=iteration.pk)
        made = runs.start_run(iteration=iteration, **asked)
        twin = _twin_of(made)
        if twin is not None:
            raise NotNow(
                phrase(
                    "The same run waits or goes on already, as job %(job)s: change an option or "
                    "the seed to start another.",
                    job=str(twin.job_id),
                )
            )
    return made


def _twin_of(run: TrainingRun) -> TrainingRun | None:
    """An active run of the same configuration, seed and inputs."""
    others = TrainingRun.objects.filter(
        iteration=run.iteration,
        role=run.role,
        method=run.method,
        snapshot=run.snapshot,
        job__seed=run.job.seed,
        job__state__in=ACTIVE,
    ).exclude(pk=run.pk)
    same = (run.job.config, run.job.inputs)
    return next((one for one in others if (one.job.config, one.job.inputs) == same), None)
