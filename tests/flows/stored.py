"""What a database holds after all that happened to it, read past the application."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from annotate.bench.place import Place


def rows(place: Place, query: str) -> list[tuple[Any, ...]]:
    if place.database:
        with psycopg.connect(place.database) as connection:
            return connection.execute(query.encode()).fetchall()
    with contextlib.closing(sqlite3.connect(place.data / "concord.sqlite3")) as connection:
        return connection.execute(query).fetchall()


@dataclass(frozen=True)
class Stored:
    """answers: how often each idempotency key is there. faults: every counter that is wrong."""

    answers: Counter[str]
    late: int
    withdrawn: int
    faults: list[str]

    @classmethod
    def of(cls, place: Place) -> Stored:
        labels = rows(place, LABELS)
        answers = Counter(_hex(row[0]) for row in labels if row[1] == "answer")
        withdrawn = sum(row[1] == "withdrawn" for row in labels)
        late = sum(bool(row[2]) for row in labels)
        faults = [
            f"{name}: {found}" for name, query in FAULTS.items() if (found := rows(place, query))
        ]
        return cls(answers, late, withdrawn, faults)

    def missing(self, acknowledged: Iterable[str]) -> set[str]:
        """Acknowledged keys that are not there."""
        return {_hex(key) for key in acknowledged} - self.answers.keys()

    def invented(self, attempted: Iterable[str]) -> set[str]:
        """Stored keys that nobody ever sent."""
        return self.answers.keys() - {_hex(key) for key in attempted}

    def doubled(self) -> set[str]:
        return {key for key, count in self.answers.items() if count != 1}


def _hex(key: Any) -> str:
    """The drivers give a UUID or its hex digits, by database."""
    return str(key).replace("-", "")


LABELS = "SELECT idempotency_key, kind, late FROM labeling_label"

IN_FORCE = """
    SELECT l.* FROM labeling_label l WHERE l.kind = 'answer'
    AND NOT EXISTS (SELECT 1 FROM labeling_label later WHERE later.supersedes_id = l.id)
"""

# Each query finds what must not be.
FAULTS = {
    "more counted labels than the overlap": f"""
        SELECT c.id, c.overlap, count(*) FROM labeling_comparison c
        JOIN ({IN_FORCE}) l ON l.comparison_id = c.id WHERE l.counted
        GROUP BY c.id, c.overlap HAVING count(*) > c.overlap""",
    "slots_left + live leases + counted is not the overlap": """
        SELECT c.id, c.overlap, c.slots_left, c.counted FROM labeling_comparison c
        WHERE c.overlap <> c.slots_left + c.counted + (SELECT count(*) FROM labeling_assignment a
            WHERE a.comparison_id = c.id AND a.state = 'leased')""",
    "counted is not the number of counted labels in force": f"""
        SELECT c.id, c.counted FROM labeling_comparison c
        WHERE c.counted <> (SELECT count(*) FROM ({IN_FORCE}) l
            WHERE l.comparison_id = c.id AND l.counted)""",
    "complete is not the same as full": """
        SELECT id, state, counted, overlap FROM labeling_comparison
        WHERE (state = 'complete') <> (counted = overlap)""",
    "two labels of one rater in force for a comparison": f"""
        SELECT l.comparison_id, l.rater_id, count(*) FROM ({IN_FORCE}) l
        GROUP BY l.comparison_id, l.rater_id HAVING count(*) > 1""",
    "an answered assignment without its label, or the other way round": f"""
        SELECT a.id, a.state FROM labeling_assignment a
        WHERE (a.state = 'submitted') <> EXISTS
            (SELECT 1 FROM ({IN_FORCE}) l WHERE l.assignment_id = a.id)""",
    "the iteration's tally": f"""
        SELECT i.id, i.labels_people FROM labeling_iteration i
        WHERE i.labels_people <> (SELECT count(*) FROM ({IN_FORCE}) l
            JOIN labeling_comparison c ON c.id = l.comparison_id
            WHERE c.iteration_id = i.id AND l.counted)""",
}
