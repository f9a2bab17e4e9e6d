"""What every card, undo and freeze looks up of written prompts and talks goes by an index, so that
it costs the same whatever is stored."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import labels, leases, snapshots, written
from labeling.models import Label, Prompt, RaterText
from tests.factories import Cast, ComparisonFactory, IterationFactory, make_cast
from tests.talks import ARENA, answer, begun, cast_of, judge, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> Cast:
    made = make_cast(parts={"prompt": {"type": "prompt_writing"}})
    iteration = IterationFactory(campaign=made.campaign)
    ComparisonFactory(campaign=made.campaign, iteration=iteration, texts=(), overlap=2)
    return made


def test_how_many_were_written_is_read_from_an_index(cast: Cast) -> None:
    _write(cast, cast.rater)
    assert "prompt_written" in _plan(lambda: written.counts(cast.campaign), "category")


def test_who_else_wrote_a_prompt_is_read_from_an_index(cast: Cast) -> None:
    _write(cast, cast.rater)
    _write(cast, cast.other_rater)
    said = _plan(
        lambda: labels.undo(rater=cast.rater, campaign=cast.campaign), "labeling_ratertext"
    )
    assert "SCAN" not in said
    assert Prompt.objects.get(source="written").withdrawn_at is None


def test_what_was_said_next_in_a_talk_is_read_from_an_index(db: None) -> None:
    talking = cast_of(ARENA)
    talk = begun(talking)
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "0")
    assert "prompt_item" in _plan(lambda: list(snapshots.judged(talking.campaign)), '"item" =')


def test_texts_of_before_are_given_their_prompts(cast: Cast) -> None:
    label = _write(cast, cast.rater)
    RaterText.objects.update(prompt=None)
    migration: Any = import_module("labeling.migrations.0010_written_prompts_by_index")
    migration.fill(apps, None)
    assert RaterText.objects.get().prompt_id == label.answer["parts"]["prompt"]["prompt"]


def _write(cast: Cast, rater: Any) -> Label:
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    return labels.record_label(
        assignment=card,
        parts={"prompt": {"category": "open_qa", "text": "Why?"}},
        idempotency_key=uuid.uuid4(),
    )


def _plan(act: Callable[[], object], word: str) -> str:
    """How the database finds the rows of the reading queries that name ``word``."""
    with CaptureQueriesContext(connection) as queries:
        act()
    asked = [q["sql"] for q in queries if q["sql"].startswith("SELECT") and word in q["sql"]]
    assert asked
    with connection.cursor() as cursor:
        rows = [cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked]
    return "\n".join(row[-1] for found in rows for row in found)
