"""State machines as data, and the one way to move a row through them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from models_runtime.phrases import phrase

JOB = {
    "queued": ("running", "cancelled", "stopped"),
    "running": ("succeeded", "failed", "cancelled", "stopped", "queued"),
    "stopped": ("queued", "cancelled"),
    "failed": ("queued",),
    "succeeded": (),
    "cancelled": (),
}
CHECKPOINT = {
    "registering": ("ready", "deleted"),
    "ready": ("missing", "deleted"),
    "missing": ("ready", "deleted"),
    "deleted": (),
}


class StaleState(Exception):
    """The row was not in a state from which this move is allowed: somebody else was first, or
    the jump is illegal. Nothing was changed."""


def sources(machine: dict[str, tuple[str, ...]], to: str) -> list[str]:
    """The states from which ``to`` can be reached in one step."""
    return [state for state, targets in machine.items() if to in targets]


def choices(machine: dict[str, tuple[str, ...]]) -> list[tuple[str, str | Promise]]:
    """For a model's field. annotate.vocabulary marks the states for translation."""
    return [(state, gettext_lazy(state.replace("_", " "))) for state in machine]


def advance(row: models.Model, to: str, *, where: models.Q | None = None, **changes: Any) -> None:
    """Move row to state ``to``, setting ``changes`` with it, if its class's TRANSITIONS allow
    and the row as it is stored satisfies ``where`` (a fencing token, say).

    One conditional UPDATE: of two workers that try, one wins and the other gets StaleState, as
    does an illegal jump. The row in memory is changed only on success.
    """
    model = type(row)
    # Only rows with states are moved; models.Model, which they all share, has none.
    allowed = sources(model.TRANSITIONS, to)  # type: ignore[attr-defined]
    rows = model._default_manager.filter(where or models.Q(), pk=row.pk, state__in=allowed)
    if not rows.update(state=to, **changes):
        raise StaleState(
            phrase(
                "%(name)s %(pk)s cannot become %(to)s now.",
                name=model.__name__,
                pk=str(row.pk),
                to=to,
            )
        )
    for name, value in {"state": to, **changes}.items():
        setattr(row, name, value)
