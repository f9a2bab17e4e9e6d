"""What raters write: apart from their labels, a completion or a prompt besides, and erasable."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from labeling import labels, leases, rendering, snapshots, written
from labeling.models import Assignment, Completion, Label, RaterText
from labeling.questions import InvalidAnswer
from models_runtime import artifacts
from models_runtime.models import AuditEvent
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
SECRET = "Words that only a RaterText may hold."
FORM = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "rationale", "min": 10},
    "edit": {"type": "rewrite", "required": False},
}
CHOICE = {"preference": {"choice": "0"}}


@pytest.fixture
def form(db: None) -> Cast:
    made = make_cast(parts=FORM)
    open_comparisons(made.campaign, 3)
    return made


def test_a_typed_text_is_a_row_of_its_own(form: Cast) -> None:
    label = _say(_card(form), why=SECRET)
    row = RaterText.objects.get()
    assert (row.label, row.rater, row.part, row.text) == (label, form.rater, "why/text", SECRET)


def test_an_edit_is_a_completion_of_the_prompt_and_beats_its_original(form: Cast) -> None:
    card = _card(form)
    label = _say(card, why=SECRET, edit="Better by hand.")
    made = Completion.objects.get(source="written")
    assert (made.prompt, made.text) == (card.comparison.prompt, "Better by hand.")
    assert (made.on_policy, made.checkpoint) == (False, None)
    assert label.answer["parts"]["edit"] == {
        "type": "rewrite",
        "about": card.order[0],
        "completion": made.pk,
    }
    [judged] = snapshots.judged(form.campaign)
    assert [row.id for row in judged.completions] == [*sorted(card.order), made.pk]
    pairs = [(p.chosen, p.rejected) for p in judged.answers[0].preferences]
    assert pairs == [(card.order[0], card.order[1]), (made.pk, card.order[0])]


def test_a_written_completion_is_shown_to_nobody_and_is_no_part_of_the_card(form: Cast) -> None:
    card = _card(form)
    _say(card, why=SECRET, edit="Better by hand.")
    assert card.comparison.items.count() == 2


def test_it_is_rendered_by_whoever_shows_it_and_not_while_the_answer_is_stored(form: Cast) -> None:
    _say(_card(form), why=SECRET, edit="Better by hand.")
    made = Completion.objects.get(source="written")
    assert (made.html, made.renderer) == ("", "")
    shown = rendering.stored(made.text, made.html, made.renderer)
    assert shown == rendering.visible("Better by hand.")


def test_it_answers_under_the_system_prompt_of_what_it_edits(form: Cast) -> None:
    card = _card(form)
    Completion.objects.filter(pk=card.order[0]).update(system_prompt="Be brief.")
    _say(card, why=SECRET, edit="Better by hand.")
    assert Completion.objects.get(source="written").system_prompt == "Be brief."


def test_an_unchanged_edit_and_a_short_reason_change_nothing(form: Cast) -> None:
    card = _card(form)
    for wrong in ("", "short"):
        with pytest.raises(InvalidAnswer):
            _say(card, why=wrong, edit="Better by hand.")
    card.refresh_from_db()
    assert (card.state, Label.objects.count(), RaterText.objects.count()) == ("leased", 0, 0)
    assert not Completion.objects.filter(source="written").exists()


def test_a_repeated_request_writes_once(form: Cast) -> None:
    card, key = _card(form), uuid.uuid4()
    assert _say(card, key, why=SECRET, edit="Once.") == _say(card, key, why=SECRET, edit="Once.")
    assert Completion.objects.filter(source="written").count() == 1
    assert RaterText.objects.count() == 2


def test_what_was_chosen_and_typed_comes_back_with_a_card_that_is_taken_back(form: Cast) -> None:
    card = _card(form)
    assert written.given(card) == {}
    _say(card, why=SECRET, edit="Better by hand.")
    again = labels.undo(rater=form.rater, campaign=form.campaign)
    assert again is not None
    assert written.given(again) == {
        **CHOICE,
        "why": {"text": SECRET},
        "edit": {"text": "Better by hand.", "text-0": "Better by hand."},
    }


def test_a_second_answer_replaces_what_comes_back(form: Cast) -> None:
    _say(_card(form), why=SECRET)
    again = labels.undo(rater=form.rater, campaign=form.campaign)
    assert again is not None
    _say(again, why="The second reason.")
    again = labels.undo(rater=form.rater, campaign=form.campaign)
    assert again is not None
    assert written.given(again) == {**CHOICE, "why": {"text": "The second reason."}}


def test_no_text_is_in_a_label_a_snapshots_labels_or_the_audit_log(form: Cast) -> None:
    _say(_card(form), why=SECRET, edit=f"Edited: {SECRET}")
    snapshot = snapshots.freeze(campaign=form.campaign)
    with artifacts.open_file(snapshot.uri, "labels.jsonl") as handle:
        frozen = handle.read().decode()
    stored = json.dumps(list(Label.objects.values_list("answer", flat=True)))
    events = json.dumps(list(AuditEvent.objects.values_list("data", flat=True)))
    assert frozen.count("\n") == 1
    for place in (frozen, stored, events):
        assert SECRET not in place


def test_erasing_what_a_rater_wrote_leaves_their_labels_whole(form: Cast) -> None:
    label = _say(_card(form), why=SECRET, edit=f"Edited: {SECRET}")
    before = (label.answer, label.body_sha256)
    assert written.erase(form.rater) == 2
    label.refresh_from_db()
    assert (label.answer, label.body_sha256) == before
    assert [row.text for row in RaterText.objects.all()] == ["", ""]
    made = Completion.objects.get(source="written")
    assert (made.text, made.html, SECRET in repr(vars(made))) == ("", "", False)
    assert written.erase(form.rater) == 0
    assert written.given(label.assignment) == CHOICE


def _card(form: Cast) -> Assignment:
    found = leases.claim_next(rater=form.rater, campaign=form.campaign)
    assert found is not None
    return found


def _say(card: Assignment, key: uuid.UUID | None = None, *, why: str, edit: str = "") -> Label:
    """The left one is better, for a reason, and edited where there is an edit."""
    texts = written.texts_of(card)()
    edits: dict[str, Any] = {f"text-{place}": texts[pk] for place, pk in enumerate(card.order)}
    if edit:
        edits["text-0"] = edit
    return labels.record_label(
        assignment=card,
        parts={**CHOICE, "why": {"text": why}, "edit": edits},
        idempotency_key=key or uuid.uuid4(),
    )
