"""Worked examples of the literature, as their papers print them."""

from __future__ import annotations

import numpy as np

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: example A (two observers, two
# values), B (two observers, five values) and C (four observers, values missing: 0 here).
EXAMPLE_A = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]])
EXAMPLE_B = np.array([list("aabbdcccedda"), list("babbbccceddd")])
EXAMPLE_C = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)
# Fleiss (1971) as the textbooks print it: ten subjects, fourteen raters, five categories.
FLEISS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
# Gwet (2008), the paradox: raters who agree on 94 % of the items, and a kappa below 0.
PARADOX = np.array([[118, 5], [2, 0]])
# Dawid and Skene (1979), table 1: 45 patients; the first observer looked three times.
PATIENTS = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3
222 2 2 2 3|232 2 2 2 3|444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1
111 1 1 1 1|111 1 1 1 1|222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2
111 1 1 1 1|111 1 1 1 1|232 2 2 2 2|111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3
111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3|221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1
111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2
"""
# Agresti (2002), table 10.10: the American League East of 1987, (won, lost) by the home team of
# the row against the column: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland, Baltimore.
TEAMS = 7
BASEBALL = """
-   4-3 4-2 4-3 6-1 4-2 6-0
3-3 -   4-2 4-3 6-0 6-1 4-3
2-5 4-3 -   2-4 4-3 4-2 6-0
3-3 5-1 2-5 -   4-3 4-2 6-1
5-1 2-5 3-3 4-2 -   5-2 6-0
2-5 3-3 3-4 4-3 4-2 -   2-4
2-5 1-5 1-6 2-4 1-6 3-4 -
"""


def patients() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(items, raters, answers), one entry a reading."""
    rows = []
    for item, entry in enumerate(PATIENTS.replace("\n", "|").strip("|").split("|")):
        for rater, said in enumerate(entry.split()):
            rows += [(item, rater, int(reading) - 1) for reading in said]
    items, raters, answers = np.array(rows).T
    return items, raters, answers


def baseball() -> tuple[np.ndarray, np.ndarray]:
    """(won, lost) at home, each (7, 7)."""
    won, lost = np.zeros((TEAMS, TEAMS)), np.zeros((TEAMS, TEAMS))
    for home, line in enumerate(BASEBALL.strip().splitlines()):
        for away, cell in enumerate(line.split()):
            if cell != "-":
                won[home, away], lost[home, away] = map(int, cell.split("-"))
    return won, lost
