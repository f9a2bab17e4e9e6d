"""Filters leave out what they name and count it; what a snapshot does not say is not kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models_runtime.records import PreferenceRecord
from tests.training import tiny
from training.configs import BadOption, Filters, Selection


def row(**said: Any) -> PreferenceRecord:
    known: dict[str, Any] = {
        "agreement": 0.75,
        "category": "Science",
        "tags": ["safety", "rude"],
        "labelled_at": "2026-03-10T23:59:59+00:00",
        "raters": ["ab12", "cd34"],
    }
    return replace(tiny.preference_records(1)[0], **{**known, **said})


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        ({}, ""),
        ({"tags": "other, Safety"}, ""),
        ({"tags": "other"}, "tag not asked for"),
        ({"without_tags": "other"}, ""),
        ({"without_tags": "other,rude"}, "tag left out"),
        ({"tags": "safety", "without_tags": "rude"}, "tag left out"),
        ({"categories": "history, science"}, ""),
        ({"categories": "history"}, "category not asked for"),
        ({"since": "2026-03-10", "until": "2026-03-10"}, ""),
        ({"since": "2026-03-11"}, "before the first day"),
        ({"until": "2026-03-09"}, "after the last day"),
        ({"without_raters": "ef56"}, ""),
        ({"without_raters": "CD34"}, "rater left out"),
    ],
)
def test_a_row_is_left_out_for_what_it_is(filters: dict[str, str], why: str) -> None:
    assert Filters.parse(filters).why_not(row()) == why


@pytest.mark.parametrize(
    ("filters", "unsaid"),
    [
        ({"tags": "safety"}, "tags"),
        ({"without_tags": "safety"}, "tags"),
        ({"categories": "science"}, "category"),
        ({"since": "2026-01-01"}, "labelled_at"),
        ({"without_raters": "ef56"}, "raters"),
    ],
)
def test_what_an_older_snapshot_does_not_say_is_left_out_for_that(
    filters: dict[str, str], unsaid: str
) -> None:
    assert Filters.parse(filters).why_not(row(**{unsaid: None})) == "not said by the snapshot"
    assert Filters().why_not(row(**{unsaid: None})) == ""


def test_agreement_and_strength_have_a_least() -> None:
    filters = Filters(least_agreement=0.75, least_strength="better")
    assert [filters.why_not_agreed(share) for share in (0.75, 0.74, None)] == [
        "",
        "too little agreement",
        "not said by the snapshot",
    ]
    strengths = ("significantly", "better", "slightly", None)
    assert [filters.why_not_as_strong(strength) for strength in strengths] == [
        "",
        "",
        "weaker than asked",
        "no strength rated",
    ]
    assert Filters().why_not_agreed(None) == Filters().why_not_as_strong(None) == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"least_agreement": 1.2}, "between 0 and 1"),
        ({"least_strength": "mighty"}, "must be one of any, negligibly"),
        ({"since": "10.3.2026"}, "A day is written as 2026-01-31, not '10.3.2026'."),
        ({"until": "2026-02-30"}, "A day is written as"),
        ({"colour": "red"}, "a filter has no option named 'colour'"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(data: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        Selection.parse({"filters": data})
