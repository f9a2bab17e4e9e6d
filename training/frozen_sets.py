"""The frozen sets of a run's mixture: which may be mixed, and what its job is told of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from labeling.models import Iteration, Snapshot
from models_runtime import jobs
from models_runtime.phrases import phrase
from training.configs import Part, parse_mixture
from training.configs.mixture import input_name
from training.models import MixturePart, TrainingRun

NOT_ITS_OWN = phrase("A mixture must hold the snapshot that the iteration trains on.")
FOR_A_JUDGE = phrase("A judging reward model learns from the labels of its iteration alone.")


@dataclass(frozen=True)
class Mixture:
    """Snapshots with what the job is told of each, the iteration's own first. One alone has a
    weight that means nothing."""

    snapshots: list[Snapshot]
    parts: tuple[Part, ...]

    @classmethod
    def of(
        cls, iteration: Iteration, role: str, wanted: Sequence[tuple[Snapshot, float]]
    ) -> Mixture:
        """What a run of the iteration trains on; none wanted: its own snapshot. Raises BadOption
        for weights that mean nothing, ValueError for snapshots that may not be mixed."""
        own = iteration.snapshot
        if own is None:
            raise ValueError(phrase("There is no snapshot of labels to train on yet."))
        named = list(wanted) or [(own, 1.0)]
        if own.pk not in {snapshot.pk for snapshot, _ in named}:
            raise ValueError(NOT_ITS_OWN)
        if role == "judge" and len(named) > 1:
            raise ValueError(FOR_A_JUDGE)
        named.sort(key=lambda one: one[0].pk != own.pk)  # its own first, the others as named
        _refuse_other_projects(iteration, [snapshot for snapshot, _ in named])
        data = [
            _part(iteration, place, snapshot, weight)
            for place, (snapshot, weight) in enumerate(named)
        ]
        return cls([snapshot for snapshot, _ in named], parse_mixture(data))

    @classmethod
    def made_by_models(cls, snapshot: Snapshot) -> Mixture:
        """A set of models' own pairs, alone: no label is among what is learned."""
        data = {"input": input_name(0), "number": snapshot.pk, "weight": 1.0, "own": False}
        return cls([snapshot], parse_mixture([data]))

    def inputs(self) -> list[dict[str, Any]]:
        """As entries of Job.inputs."""
        both = zip(self.parts, self.snapshots, strict=True)
        return [jobs.input_of_snapshot(part.input, snapshot) for part, snapshot in both]

    def config(self) -> list[dict[str, Any]]:
        """As the job's config has it."""
        return [dataclasses.asdict(part) for part in self.parts]

    def write(self, run: TrainingRun) -> None:
        """Say of a run of several sets which they are."""
        if len(self.parts) == 1:
            return
        both = enumerate(zip(self.snapshots, self.parts, strict=True))
        MixturePart.objects.bulk_create(
            MixturePart(run=run, snapshot=snapshot, place=place, weight=part.weight)
            for place, (snapshot, part) in both
        )


def runs_on(snapshot: Snapshot) -> QuerySet[TrainingRun]:
    """All that train on it, alone or in a mixture, the oldest first."""
    found = TrainingRun.objects.filter(Q(snapshot=snapshot) | Q(parts__snapshot=snapshot))
    return found.distinct().select_related("job", "output").order_by("id")


def _part(iteration: Iteration, place: int, snapshot: Snapshot, weight: float) -> dict[str, Any]:
    # Folds and iterations are a campaign's; an imported set was labelled in none of them.
    own = snapshot.campaign_id == iteration.campaign_id and snapshot.holds_labels
    return {"input": input_name(place), "number": snapshot.pk, "weight": weight, "own": own}


def _refuse_other_projects(iteration: Iteration, snapshots: Sequence[Snapshot]) -> None:
    for snapshot in snapshots:
        if snapshot.project_id != iteration.campaign.project_id:
            raise ValueError(
                phrase("Snapshot %(number)s belongs to another project.", number=str(snapshot.pk))
            )
