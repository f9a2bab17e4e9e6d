"""Written answers as training data: demonstrations and rewrites, each with where it came from."""

from __future__ import annotations

import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import labels, leases, written
from labeling.models import Label, User
from tests.factories import Cast, UserFactory, make_cast, open_comparisons

pytestmark = pytest.mark.django_db
FORM = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "edit": {"type": "rewrite", "required": False},
    "own": {"type": "demonstration", "required": False},
}


@pytest.fixture
def form(db: None) -> Cast:
    made = make_cast(parts=FORM)
    open_comparisons(made.campaign, 4)
    return made


def test_a_demonstration_and_a_rewrite_are_rows_to_imitate(form: Cast, tmp_path: Path) -> None:
    edited = _answer(form, edit="Edited by hand.")
    shown = _answer(form, own="Written by hand.")
    _answer(form)
    rows, told = _export(tmp_path)
    first, second = rows
    assert first["completion"] == [{"role": "assistant", "content": "Edited by hand."}]
    assert first["prompt"] == edited.comparison.prompt.messages
    assert (first["kind"], first["rewrote"]) == ("rewrite", edited.order[0])
    assert (second["kind"], second["rewrote"], second["label"]) == (
        "demonstration",
        None,
        shown.pk,
    )
    assert second["completion"][0]["content"] == "Written by hand."
    assert first["rater"] == second["rater"] != ""
    assert "1 labels without a written answer" in told


def test_what_is_taken_back_flagged_erased_or_by_others_is_left_out(
    form: Cast, tmp_path: Path
) -> None:
    _answer(form, own="Taken back.")
    labels.undo(rater=form.rater, campaign=form.campaign)
    kept = _answer(form, own="Kept.")
    flagged = _answer(form, own="Flagged.")
    labels.flag(assignment=flagged.assignment, code="broken")
    _answer(form, UserFactory(), own="Erased.")
    written.erase(Label.objects.latest("pk").rater)
    _answer(form, UserFactory(kind="simulated"), own="Simulated.")
    [row], told = _export(tmp_path)
    assert row["label"] == kept.pk
    for reason in ("1 flagged", "1 erased", "1 labels of other sources"):
        assert reason in told


def test_load_dataset_reads_the_file_as_it_is(form: Cast, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    _answer(form, own="Written by hand.")
    _export(tmp_path)
    read = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out.jsonl"), cache_dir=str(tmp_path / "cache")
    )["train"]
    assert read[0]["completion"] == [{"role": "assistant", "content": "Written by hand."}]
    assert read[0]["prompt"][0]["role"] == "user"


def test_an_option_that_the_format_does_not_have_is_refused(form: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="The format sft has no --margin"):
        _export(tmp_path, "--margin", "small")


def _export(tmp_path: Path, *more: str) -> tuple[list[dict[str, Any]], str]:
    """(rows, what was said of those left out)."""
    out, told = tmp_path / "out.jsonl", StringIO()
    arguments = ["helpful", "--format", "sft", "--out", str(out), *more]
    call_command("export", *arguments, stdout=StringIO(), stderr=told)
    return [json.loads(line) for line in out.read_text().splitlines()], told.getvalue()


def _answer(form: Cast, rater: User | None = None, *, edit: str = "", own: str = "") -> Label:
    card = leases.claim_next(rater=rater or form.rater, campaign=form.campaign)
    assert card is not None
    texts = written.texts_of(card)()
    edits = {f"text-{place}": texts[pk] for place, pk in enumerate(card.order)}
    if edit:
        edits["text-0"] = edit
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0"}, "edit": edits, "own": {"text": own}},
        idempotency_key=uuid.uuid4(),
    )
