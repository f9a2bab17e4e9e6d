"""A card with a long imported text is rendered by the worker before a rater is handed it, so that
nobody waits while a page is made; all other cards of its file are there at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labeling import late_rendering, leases, rendering, tasks
from labeling.models import Assignment, Comparison, Completion, ImportBatch
from labeling.suggestions import Report, import_suggestions
from tests.factories import Cast, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
LONG = "A **long** one. " * (late_rendering.LONG // 10)
SAID = {"preference": {"outcome": "prefer", "chosen": 0, "strength": "better"}}


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def imported(cast: Cast, tmp_path: Path, *texts: str) -> Report:
    path = tmp_path / "theirs.jsonl"
    rows: list[dict[str, Any]] = [
        {"prompt": f"Why {n}?", "completions": [text, f"No {n}."], "suggested": SAID}
        for n, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_suggestions(campaign=cast.campaign, path=path)


def handed(cast: Cast) -> list[Assignment]:
    """What its rater is handed until nothing is left."""
    cards: list[Assignment] = []
    while card := leases.claim_next(
        rater=cast.rater, campaign=cast.campaign, have={one.public_id for one in cards}
    ):
        cards.append(card)
    return cards


def test_a_long_card_waits_and_a_short_one_does_not(cast: Cast, tmp_path: Path) -> None:
    report = imported(cast, tmp_path, "Short.", LONG)
    assert (report.counts["cards"], report.counts["waiting"]) == (2, 1)
    (card,) = handed(cast)
    assert "Short." in {row.text for row in card.completions.values()}


def test_the_worker_renders_it_and_hands_it_out(cast: Cast, tmp_path: Path) -> None:
    imported(cast, tmp_path, LONG)
    tasks.render_late()
    (card,) = handed(cast)
    assert {row.renderer for row in card.completions.values()} == {rendering.RENDERER}
    row = Completion.objects.get(text__startswith="A **long**")
    assert row.html == rendering.render(row.text)


def test_it_stops_when_its_time_is_over_and_goes_on_where_it_was(
    cast: Cast, tmp_path: Path
) -> None:
    imported(cast, tmp_path, LONG + "1", LONG + "2", LONG + "3")
    assert [late_rendering.hand_out(within_s=0) for _ in range(4)] == [1, 1, 1, 0]
    assert ImportBatch.objects.get().counts["waiting"] == 0


def test_a_card_is_handed_out_once_with_the_labels_that_are_wanted_by_then(
    cast: Cast, tmp_path: Path
) -> None:
    imported(cast, tmp_path, LONG)
    cast.campaign.labels_per_comparison = 2
    cast.campaign.save(update_fields=["labels_per_comparison"])
    assert late_rendering.hand_out() == 1
    leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert late_rendering.hand_out() == 0
    card = Comparison.objects.get()
    assert (card.overlap, card.slots_left) == (2, 1)
