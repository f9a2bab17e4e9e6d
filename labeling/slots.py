"""A comparison's counters: slots_left + live leases + counted == overlap, whatever happens.

A leased assignment holds one slot; no other state does. Everything here runs inside the caller's
transaction. Rows are locked in one order everywhere (assignment, comparison, iteration), so that
two raters never wait for each other in a circle; SQLite's immediate transactions exclude other
writers from the start.
"""

from __future__ import annotations

from django.db.models import F

from labeling.models import Assignment, Comparison, Iteration
from models_runtime import states


def locked(assignment: Assignment) -> Assignment:
    """The assignment read anew, with its comparison, both held until the transaction ends."""
    rows = Assignment.objects.select_related(
        "rater", "comparison__campaign__question", "comparison__iteration"
    )
    return rows.select_for_update(of=("self", "comparison"), no_key=True).get(pk=assignment.pk)


def take(comparison: Comparison) -> bool:
    """Take one of the free slots. False when somebody else took the last one."""
    rows = Comparison.objects.filter(pk=comparison.pk, state="open", slots_left__gt=0)
    return bool(rows.update(slots_left=F("slots_left") - 1))


def give_back(comparison: Comparison) -> None:
    Comparison.objects.filter(pk=comparison.pk).update(slots_left=F("slots_left") + 1)


def count(assignment: Assignment) -> None:
    """Turn the slot that a locked assignment holds into a counted label."""
    comparison = assignment.comparison
    counted = comparison.counted + 1
    if counted == comparison.overlap and comparison.state == "open":
        states.advance(comparison, "complete", counted=counted)
    else:
        Comparison.objects.filter(pk=comparison.pk).update(counted=counted)
    _tally(assignment, 1)


def uncount(assignment: Assignment) -> None:
    """Turn a locked assignment's counted label back into a slot that it holds."""
    comparison = assignment.comparison
    counted = comparison.counted - 1
    if comparison.state == "complete":
        states.advance(comparison, "open", counted=counted)
    else:
        Comparison.objects.filter(pk=comparison.pk).update(counted=counted)
    _tally(assignment, -1)


def _tally(assignment: Assignment, by: int) -> None:
    """Keep the iteration's counts, people apart from everything else."""
    if assignment.comparison.iteration_id is None:
        return
    field = "labels_people" if assignment.rater.kind == "person" else "labels_others"
    rows = Iteration.objects.filter(pk=assignment.comparison.iteration_id)
    rows.update(**{field: F(field) + by})
