"""Thumbs exported for training without pairs."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from labeling import labels, leases
from labeling.exports import kto
from labeling.exports.kto import Options
from labeling.judgements import Answer, Judged, JudgedCompletion
from models_runtime.models import AuditEvent
from tests.factories import make_cast, open_comparisons

MESSAGES = [{"role": "user", "content": "Why?"}]


def thumb(number: int, up: bool, source: str = "person", **more: Any) -> Answer:
    stored = {"v": 1, "parts": {"thumb": {"type": "thumbs", "about": 1, "up": up}}}
    return Answer(number, f"rater {number}", source, [], [], answer=stored, **more)


def judged(*answers: Answer, **more: Any) -> Judged:
    values: dict[str, Any] = {
        "comparison": 7,
        "iteration": 1,
        "prompt": 5,
        "item": "why",
        "split": "train",
        "fold": "policy",
        "strategy": "random",
        "messages": MESSAGES,
        "completions": [JudgedCompletion(1, "Because.", "old", "eos", False, "Be brief.")],
        "answers": list(answers),
    }
    return Judged(**{**values, **more})


def rows(*comparisons: Judged, **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    counts: Counter[str] = Counter()
    return list(kto.rows(comparisons, Options(**options), counts)), counts


def test_a_row_is_what_ktotrainer_takes_with_where_it_came_from() -> None:
    [row], counts = rows(judged(thumb(1, True)))
    assert list(row) == list(kto.columns(Options()))
    assert row["prompt"] == MESSAGES
    assert row["completion"] == [{"role": "assistant", "content": "Because."}]
    assert row["label"] is True
    assert (row["checkpoint"], row["on_policy"], row["system_prompt"]) == (
        "old",
        False,
        "Be brief.",
    )
    assert counts == {"rows": 1, "rows held out": 0}


def test_more_than_half_of_the_votes_decide_and_even_ones_are_counted_out() -> None:
    found, counts = rows(
        judged(thumb(1, True), thumb(2, False), thumb(3, False)),
        judged(thumb(1, True), thumb(2, False)),
    )
    assert [(row["label"], row["labels"]) for row in found] == [(False, 3)]
    assert counts["tied"] == 1


def test_what_is_flagged_or_does_not_count_is_left_out() -> None:
    found, counts = rows(
        judged(thumb(1, True), flags=["unsafe"]),
        judged(thumb(1, True, counted=False, late=True)),
        judged(thumb(1, True, source="simulated")),
        judged(thumb(1, True), split="heldout"),
        sources=("person",),
        split="train",
    )
    assert found == []
    assert counts == {
        "flagged": 1,
        "without a thumb that counts": 2,
        "in the other split": 1,
    }


def test_people_outvote_simulated_raters() -> None:
    [row], _ = rows(judged(thumb(1, True), *(thumb(n, False, "simulated") for n in (2, 3))))
    assert (row["label"], row["source"]) == (True, "person")


@pytest.mark.django_db
@pytest.mark.parametrize(("trains_on", "wanted"), [("chosen", True), ("rejected", False)])
def test_the_command_writes_thumbs_in_the_training_direction(
    tmp_path: Path, trains_on: str, wanted: bool
) -> None:
    cast = make_cast(parts={"thumb": {"type": "thumbs"}}, trains_on=trains_on)
    open_comparisons(cast.campaign, 1, texts=["Because."])
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    labels.record_label(
        assignment=card, parts={"thumb": {"thumb": "up"}}, idempotency_key=uuid.uuid4()
    )
    path = tmp_path / "out.jsonl"
    call_command("export", "helpful", "--format", "kto", "--out", str(path), stdout=StringIO())
    [row] = [json.loads(line) for line in path.read_text().splitlines()]
    assert (row["label"], row["completion_id"]) == (wanted, card.order[0])
    assert AuditEvent.objects.get(verb="exported").data["format"] == "kto"
