"""What raters typed, read and taken away: with what it is about, and nothing that is gone."""

from __future__ import annotations

import json
import uuid
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling import labels, leases, typed_texts, written
from labeling.models import Completion, Label
from labeling.pseudonyms import pseudonym
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
FORM = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "rationale", "of": "best"},
}


@pytest.fixture
def form(db: None) -> Cast:
    made = make_cast(parts=FORM)
    open_comparisons(made.campaign, 4)
    return made


def test_a_row_says_what_was_typed_about_which_completion(form: Cast, tmp_path: Path) -> None:
    label = _say(form, "Because it is right.")
    _say(form, "Taken back.")
    labels.undo(rater=form.rater, campaign=form.campaign)
    out, told = tmp_path / "texts.jsonl", StringIO()
    call_command("texts", "helpful", "--out", str(out), stdout=told)
    [row] = [json.loads(line) for line in out.read_text().splitlines()]
    assert list(row) == list(typed_texts.COLUMNS)
    assert (row["part"], row["type"], row["text"]) == ("why", "rationale", "Because it is right.")
    assert row["about"] == Completion.objects.get(pk=label.order[0]).text
    assert row["rater"] == pseudonym(form.project.pseudonym_key, form.rater)
    assert told.getvalue() == f"Wrote 1 texts to {out}.\n"


def test_what_is_erased_is_in_no_file(form: Cast, tmp_path: Path) -> None:
    _say(form, "To be forgotten.")
    written.erase(form.rater)
    with pytest.raises(CommandError, match="Nobody has typed a text in Helpfulness yet"):
        call_command("texts", "helpful", "--out", str(tmp_path / "texts.jsonl"))
    assert not list(tmp_path.iterdir())


def test_more_texts_than_a_chunk_are_all_there(
    form: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_texts, "CHUNK", 2)
    for number in range(3):
        _say(form, f"Text {number}.")
    found = typed_texts.rows(form.campaign, typed_texts.of(form.campaign))
    assert [row["text"] for row in found] == ["Text 0.", "Text 1.", "Text 2."]


def test_a_page_of_texts_ends_where_the_next_begins(
    form: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three texts two, then one; a stretch of which nothing is in force leads further back."""
    monkeypatch.setattr(typed_texts, "PAGE", 2)
    for number in range(3):
        _say(form, f"Text {number}.")
    found, older = typed_texts.newest(form.campaign)
    assert [one.text for one in found] == ["Text 2.", "Text 1."]
    found, older = typed_texts.newest(form.campaign, older)
    assert ([one.text for one in found], older) == (["Text 0."], None)
    monkeypatch.setattr(typed_texts, "STRETCH", 1)
    labels.undo(rater=form.rater, campaign=form.campaign)
    found, older = typed_texts.newest(form.campaign)
    assert (found, older is None) == ([], False)
    assert [one.text for one in typed_texts.newest(form.campaign, older)[0]] == ["Text 1."]


def _say(form: Cast, text: str) -> Label:
    card = leases.claim_next(rater=form.rater, campaign=form.campaign)
    assert card is not None
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0"}, "why": {"text": text}},
        idempotency_key=uuid.uuid4(),
    )
