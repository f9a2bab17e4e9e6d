"""Which comparisons of a snapshot a run trains on: split, fold, iteration and filters."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from models_runtime.phrases import phrase
from training.configs.base import BadOption
from training.configs.filters import Filters


class Selectable(Protocol):
    """What Selection reads of a record (records.PreferenceRecord has it)."""

    @property
    def split(self) -> str: ...
    @property
    def fold(self) -> str: ...
    @property
    def iteration(self) -> int: ...


@dataclass(frozen=True)
class Selection:
    """Which comparisons of a snapshot a run trains on.

    split: "train", "heldout" or None (both). iteration: the one the run belongs to.
    fold "policy": every comparison of earlier iterations plus this iteration's fold "policy".
    fold "judge": only this iteration's fold "judge", labels that the policy's reward model of
    this iteration never saw. None: all. ``filters`` leave out more of what the run may train on,
    and nothing of what it is measured on: runs with other filters stay comparable.
    """

    split: str | None = "train"
    fold: str | None = None
    iteration: int = 0
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        if self.split not in ("train", "heldout", None):
            raise BadOption(
                phrase(
                    "A selection's split is train, heldout or null, not %(split)s.",
                    split=repr(self.split),
                )
            )
        if self.fold not in ("policy", "judge", None):
            raise BadOption(
                phrase(
                    "A selection's fold is policy, judge or null, not %(fold)s.",
                    fold=repr(self.fold),
                )
            )

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Selection:
        """The selection a job's config names. Raises BadOption."""
        unknown = sorted(set(data) - {one.name for one in fields(cls)})
        if unknown:
            raise BadOption(
                phrase("A selection has no field named %(unknown)s.", unknown=repr(unknown[0]))
            )
        return cls(**{**data, "filters": Filters.parse(data.get("filters", {}))})

    def keeps(self, record: Selectable) -> bool:
        """Whether a run with this selection may train on the record, whatever its filters. What
        chance alone chose, for evaluation, no run ever trains on."""
        if record.split == "reserved":
            return False
        return self.split in (None, record.split) and self._in_fold(record)

    def _in_fold(self, record: Selectable) -> bool:
        if self.fold is None:
            return True
        if self.fold == "judge":
            return record.iteration == self.iteration and record.fold == "judge"
        return record.iteration < self.iteration or (
            record.iteration == self.iteration and record.fold == "policy"
        )
