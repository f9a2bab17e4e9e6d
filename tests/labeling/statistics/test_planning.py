"""Sample sizes against the textbooks' figures."""

from __future__ import annotations

import pytest

from labeling.statistics.planning import items_for_agreement, labels_for_share


@pytest.mark.parametrize(
    ("half_width", "labels"), [(0.1, 97), (0.05, 385), (0.03, 1068), (0.02, 2401), (0.01, 9604)]
)
def test_a_share_in_the_worst_case(half_width: float, labels: int) -> None:
    """1.96² / 4 / d²: the figures of every table of sample sizes."""
    assert labels_for_share(half_width) == labels


def test_labels_of_one_item_say_partly_the_same() -> None:
    once = labels_for_share(0.05, per_item=3, icc=0.0)
    assert once == 385
    assert labels_for_share(0.05, per_item=3, icc=1.0) == pytest.approx(3 * once, abs=3)
    assert labels_for_share(0.05, per_item=1, icc=1.0) == once
    assert labels_for_share(0.05, per_item=3, icc=-0.4) == once  # less than chance plans for none


def test_agreement() -> None:
    assert items_for_agreement(0.05, 0.7) == 323
    assert items_for_agreement(0.05, 1.0) == items_for_agreement(0.05, 0.5)
