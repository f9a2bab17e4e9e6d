"""A label with several parts in the training data: points, an order, a reason and an edit.

Every format and the snapshot say the same of the same completions, wherever each one was shown,
and the system prompt is that which the models were asked under.
"""

from __future__ import annotations

import json
import uuid
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from labeling import labels, leases, snapshots, written
from labeling.models import Completion, Label, Snapshot
from models_runtime import artifacts
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = pytest.mark.django_db
TEXTS = ("A long answer, the best.", "Middling.", "Bad.")
FORM = {
    "quality": {"type": "rating", "scale": "likert7"},
    "order": {"type": "ranking"},
    "why": {"type": "rationale"},
    "edit": {"type": "rewrite", "required": False},
}
BRIEF = {"role": "system", "content": "Be brief."}


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


@pytest.fixture(params=["chosen", "rejected"])
def form(db: None, request: pytest.FixtureRequest) -> Cast:
    made = make_cast(parts=FORM, trains_on=request.param)
    open_comparisons(made.campaign, 6, texts=TEXTS)
    Completion.objects.update(system_prompt="Be brief.")
    return made


def test_the_snapshot_and_every_format_say_the_same_wherever_a_text_was_shown(
    form: Cast, tmp_path: Path
) -> None:
    given = [_answer(form) for _ in range(6)]
    assert len({tuple(label.order) for label in given}) == 6  # ids of their own
    best_first = _best_first(form)
    wanted = [best_first[:2], best_first[::2], best_first[1:]]
    for record in _preferences(snapshots.freeze(campaign=form.campaign)):
        said = {row["id"]: row["text"] for row in record["completions"]}
        pairs = [[said[one["chosen"]], said[one["rejected"]]] for one in record["preferences"]]
        assert sorted(pairs) == sorted(map(list, wanted))
    pairs = [
        [row["chosen"][0]["content"], row["rejected"][0]["content"]]
        for row in _export(form, tmp_path, "trl")
    ]
    assert sorted(pairs) == sorted(6 * list(map(list, wanted)))
    ranked = _export(form, tmp_path, "ranked")
    assert [(row["completions"], row["ranks"]) for row in ranked] == 6 * [
        (list(best_first), [1, 2, 3])
    ]


def test_an_edit_leaves_the_order_and_keeps_the_system_prompt(form: Cast, tmp_path: Path) -> None:
    _answer(form, edit="Edited by hand.")
    [ranked] = _export(form, tmp_path, "ranked")
    assert ranked["completions"] == list(_best_first(form))
    [record] = _preferences(snapshots.freeze(campaign=form.campaign))
    assert record["messages"][0] == BRIEF
    said = {row["id"]: row["text"] for row in record["completions"]}
    pairs = {(said[one["chosen"]], said[one["rejected"]]) for one in record["preferences"]}
    assert ("Edited by hand.", TEXTS[0]) in pairs
    assert len(pairs) == 4
    [written_row] = _export(form, tmp_path, "sft")
    assert written_row["completion"] == [{"role": "assistant", "content": "Edited by hand."}]
    assert written_row["system_prompt"] == "Be brief."
    edited = [row for row in _export(form, tmp_path, "trl") if row["system_prompt"] != "Be brief."]
    assert edited == []


def test_an_erased_edit_is_preferred_to_nothing(form: Cast, tmp_path: Path) -> None:
    _answer(form, edit="Edited by hand.")
    written.erase(form.rater)
    snapshot = snapshots.freeze(campaign=form.campaign)
    [record] = _preferences(snapshot)
    assert [row["text"] for row in record["completions"]] == list(TEXTS)
    assert len(record["preferences"]) == 3
    assert snapshot.counts["erased pairs"] == 1
    for name, per_label in product(("trl", "ranked"), (False, True)):
        rows = _export(form, tmp_path, name, per_label=per_label)
        texts = [text for row in rows for text in _texts(row)]
        assert set(texts) == set(TEXTS)


def test_a_comparison_whose_only_pair_was_erased_is_left_out_and_counted(tmp_path: Path) -> None:
    cast = make_cast(parts={"edit": {"type": "rewrite", "of": "pick"}})
    open_comparisons(cast.campaign, 1)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    texts = [written.texts_of(card)()[pk] for pk in card.order]
    labels.record_label(
        assignment=card,
        parts={"edit": {"text-0": "Edited by hand.", "text-1": texts[1]}},
        idempotency_key=uuid.uuid4(),
    )
    written.erase(cast.rater)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert _preferences(snapshot) == []
    assert snapshot.counts["comparisons"]["erased"] == 1


def _best_first(form: Cast) -> tuple[str, ...]:
    assert form.campaign.question is not None
    return TEXTS if form.campaign.question.trains_on == "chosen" else TEXTS[::-1]


def _answer(form: Cast, *, edit: str = "") -> Label:
    """The longer the better, in every part; the best one edited where there is an edit."""
    card = leases.claim_next(rater=form.rater, campaign=form.campaign)
    assert card is not None
    texts = [written.texts_of(card)()[pk] for pk in card.order]
    places = [sorted(TEXTS, key=len, reverse=True).index(text) for text in texts]
    edits = [
        edit if edit and place == 0 else text for place, text in zip(places, texts, strict=True)
    ]
    return labels.record_label(
        assignment=card,
        parts={
            "quality": {f"value-{n}": str(7 - place) for n, place in enumerate(places)},
            "order": {f"tier-{n}": str(place + 1) for n, place in enumerate(places)},
            "why": {"text": "It says more."},
            "edit": {f"text-{n}": text for n, text in enumerate(edits)},
        },
        idempotency_key=uuid.uuid4(),
    )


def _preferences(snapshot: Snapshot) -> list[dict[str, Any]]:
    with artifacts.open_file(snapshot.uri, snapshots.PREFERENCES) as handle:
        return [json.loads(line) for line in handle.read().decode().splitlines()]


def _export(form: Cast, folder: Path, name: str, **options: Any) -> list[dict[str, Any]]:
    out = folder / f"{name}.jsonl"
    call_command("export", form.campaign.slug, format=name, out=out, **options)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def _texts(row: dict[str, Any]) -> list[str]:
    if "completions" in row:
        return list(row["completions"])
    return [row[side][0]["content"] for side in ("chosen", "rejected")]
