"""The studies that anyone can rerun, a few seeds of each: they say what the whole ones say."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from labeling.studies import overlap, quality


def test_identical_raters_give_the_same_majorities_for_a_fifth_fewer_labels() -> None:
    """Two who agree are enough: the share saved is a third of how often they do."""
    rows = list(overlap.run(seeds=3, items=400))
    for row, agreement in zip(rows, overlap.AGREEMENTS, strict=False):
        assert row["same_as_fixed"] == 1
        assert abs(row["saved"] - agreement / 3) < 0.02


def test_where_raters_are_learned_a_third_is_saved_for_results_as_good() -> None:
    row = list(overlap.run(seeds=2, items=600))[3]
    assert row["saved"] > 0.3
    assert row["right"] > row["right_of_fixed"] - 0.02


@pytest.mark.long
def test_planted_faults_lie_in_the_intervals_and_spammers_are_found() -> None:
    found = quality.run(seeds=3, labels=10_000)
    for name in ("accuracy of a rater", "side of a rater", "drift of a rater"):
        assert found["coverage"][name]["share"] > 0.85
    assert found["precision"] > 0.8
    assert found["recall"] > 0.8
    assert found["gain"] > 0.02


def test_the_commands_write_a_table_or_json() -> None:
    out = StringIO()
    call_command("quality_study", seeds=1, labels=1_000, stdout=out)
    assert "Dawid and Skene" in out.getvalue()
    out = StringIO()
    call_command("overlap_study", seeds=1, items=50, as_json=True, stdout=out)
    assert len(json.loads(out.getvalue())) == 5
