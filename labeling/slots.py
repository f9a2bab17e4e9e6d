"""A comparison's counters: slots_left + live leases + counted == overlap, whatever happens.

A leased assignment holds one slot; no other state does. Everything here runs inside the caller's
transaction. Rows are locked in one order everywhere (seat, assignment, comparison, iteration), so
that two raters never wait for each other in a circle; SQLite's immediate transactions exclude
other writers from the start. What every answer does is written as SQL, the same on SQLite and
PostgreSQL: Django takes longer to write such a statement than the database to run it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet, Sum

from labeling import accepted
from labeling.models import Assignment, Campaign, Comparison, Iteration, Label, User


def locked(pk: int) -> Assignment:
    """The assignment read anew, with its comparison, both held until the transaction ends."""
    rows = Assignment.objects.select_related(
        "rater", "comparison__campaign__question", "comparison__conversation"
    )
    return rows.select_for_update(of=("self", "comparison"), no_key=True).get(pk=pk)


# Which comparison is next for a rater, and its slot taken, in one statement: what was chosen
# cannot be gone before it is taken. comparison_queue is the index it walks. Nobody is handed a
# comparison of a talk, which is judged where it is held, nor one that an item was made of which
# they have met: a card that was complete then may be open again, and they know what is expected.
_TAKE_FIRST = """
    UPDATE labeling_comparison SET slots_left = slots_left - 1 WHERE id = (
        SELECT c.id FROM labeling_comparison c
        JOIN labeling_campaign g ON g.id = c.campaign_id AND g.state = 'open'
        LEFT JOIN labeling_iteration i ON i.id = c.iteration_id
        WHERE c.campaign_id = %s AND c.state = 'open' AND c.slots_left > 0
        AND c.conversation_id IS NULL AND (c.audience = 'any' OR %s)
        AND (c.iteration_id IS NULL OR (i.state = 'collecting' AND i.paused_at IS NULL))
        AND NOT EXISTS (
            SELECT 1 FROM labeling_assignment a WHERE a.comparison_id = c.id AND a.rater_id = %s
        )
        AND NOT EXISTS (
            SELECT 1 FROM labeling_gold t CROSS JOIN labeling_assignment k
            WHERE t.source_id = c.id AND k.comparison_id = t.comparison_id AND k.rater_id = %s
        )
        {onward} {unless}
        ORDER BY c.priority DESC, c.shuffle, c.id LIMIT 1 {lock}
    ) AND slots_left > 0 RETURNING id, slots_left + 1 = overlap
"""
# Whoever answers faster than all others leaves what they had before them at the head of the queue,
# still open: from the place of a comparison that was their next, they go on from there. What was
# freed behind it since comes at the end; what is more urgent comes first, from the head.
# The most urgent of all is the first of the index: asked for by NOT EXISTS, a plan of PostgreSQL's
# for any values at all reads the whole table.
_ONWARD = """
    AND c.priority = %s AND c.shuffle >= %s AND %s >= (
        SELECT u.priority FROM labeling_comparison u WHERE u.campaign_id = %s
        AND u.state = 'open' AND u.slots_left > 0
        ORDER BY u.priority DESC, u.shuffle, u.id LIMIT 1
    )
"""


def take_first(
    campaign: Campaign,
    rater: User,
    *,
    wait: bool = True,
    after: Comparison | None = None,
    unless: tuple[str, list[Any]] = ("", []),
) -> tuple[int, bool] | None:
    """Take a slot of the next comparison that rater has not had: its id, and whether no other
    rater has it; None when there is none.
    ``unless`` is a further condition in SQL on the comparison c, with its values; ``after`` one
    that was next for this rater, to be looked on from.

    Without ``wait`` a comparison that somebody else is taking just now is passed over: for a
    transaction that holds another one already, and must not wait for two.
    """
    who = [campaign.pk, rater.kind == "person", rater.pk, rater.pk]
    if after is not None:
        place = [after.priority, after.shuffle, after.priority, campaign.pk]
        if found := _take(who + place, unless, wait, _ONWARD):
            return found
    return _take(who, unless, wait)


def _take(
    values: list[Any], unless: tuple[str, list[Any]], wait: bool, onward: str = ""
) -> tuple[int, bool] | None:
    lock = ""
    if connection.features.has_select_for_update:
        lock = "FOR NO KEY UPDATE OF c" + ("" if wait else " SKIP LOCKED")
    statement = _TAKE_FIRST.format(lock=lock, unless=unless[0], onward=onward)
    with connection.cursor() as cursor:
        cursor.execute(statement, values + unless[1])
        row = cursor.fetchone()
    return (row[0], bool(row[1])) if row else None


def free_for_anyone(iteration: Iteration) -> int:
    """Labels that others than people may still give: slots of open cards not kept for people."""
    rows = Comparison.objects.filter(
        iteration=iteration, state="open", audience="any", slots_left__gt=0, conversation=None
    )
    return rows.aggregate(n=Sum("slots_left"))["n"] or 0


def take(comparison_id: int) -> bool:
    """Take one of the free slots. False when somebody else took the last one."""
    rows = Comparison.objects.filter(pk=comparison_id, state="open", slots_left__gt=0)
    return bool(rows.update(slots_left=F("slots_left") - 1))


def give_back(comparison: Comparison) -> None:
    Comparison.objects.filter(pk=comparison.pk).update(slots_left=F("slots_left") + 1)


def count(assignment: Assignment) -> None:
    """Turn the slot that an assignment held into a counted label; tally tells its iteration."""
    _count(assignment, 1)


def uncount(assignment: Assignment) -> None:
    """Turn an assignment's counted label back into a slot that it holds."""
    _count(assignment, -1)
    if assignment.comparison.state != "discarded":
        _tally(assignment.comparison, assignment.rater.kind, -1)


def tally(label: Label, read: Iteration | None = None) -> None:
    """Add a label that was counted to its iteration's count; the last statement of a transaction,
    since all raters of the iteration wait for that row until it commits. ``read`` is the
    iteration as it was read before, which learns of the count."""
    comparison = label.comparison
    if not label.counted or comparison.state == "discarded":
        return
    found = _tally(comparison, label.source, 1)
    if read and found and read.pk == comparison.iteration_id:
        setattr(read, *found)


def discount(comparison: Comparison) -> None:
    """Take the labels of a comparison that was just discarded out of its iteration's counts."""
    _tally_all(comparison, -1)


def recount(comparison: Comparison) -> None:
    """Put them back: the comparison is discarded no more."""
    _tally_all(comparison, 1)


def _tally_all(comparison: Comparison, by: int) -> None:
    for source in _holding(comparison).values_list("source", flat=True):
        _tally(comparison, source, by)


def tally_many(comparisons: Mapping[int, Comparison], labels: Iterable[Label], sign: int) -> None:
    """Add labels of many comparisons to what their iterations count, or take them out (-1); the
    last statements of a transaction. Iterations come by id."""
    by: Counter[tuple[int, str]] = Counter()
    for label in labels:
        comparison = comparisons[label.comparison_id]
        if comparison.iteration_id is not None and comparison.state != "discarded":
            field = "labels_people" if label.source == "person" else "labels_others"
            by[comparison.iteration_id, field] += 1
    with connection.cursor() as cursor:
        for (iteration, field), n in sorted(by.items()):
            cursor.execute(_TALLY[field], [sign * n, iteration])


def _holding(comparison: Comparison) -> QuerySet[Label]:
    """The labels that hold a place in its count."""
    return comparison.labels.filter(accepted.in_force(), accepted.counted())


_COUNT = """
    UPDATE labeling_comparison SET counted = counted + %s, state = CASE
        WHEN state IN ('discarded', 'withdrawn') THEN state
        WHEN counted + %s = overlap THEN 'complete' ELSE 'open' END
    WHERE id = %s RETURNING state
"""
_TALLY = {
    field: f"UPDATE labeling_iteration SET {field} = {field} + %s WHERE id = %s RETURNING {field}"
    for field in ("labels_people", "labels_others")
}


def _count(assignment: Assignment, by: int) -> None:
    comparison = assignment.comparison
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [by, by, comparison.pk])
        (comparison.state,) = cursor.fetchone()


def _tally(comparison: Comparison, source: str, by: int) -> tuple[str, int] | None:
    """Keep the iteration's counts, people apart from everything else; which of them, and what it
    is now."""
    if comparison.iteration_id is None:
        return None
    field = "labels_people" if source == "person" else "labels_others"
    with connection.cursor() as cursor:
        cursor.execute(_TALLY[field], [by, comparison.iteration_id])
        return field, int(cursor.fetchone()[0])
