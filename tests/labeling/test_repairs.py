"""What people make of a suggested answer: confirmed or repaired, told from their label and the
suggestion alone, part by part."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from labeling import labels, leases, repairs, snapshots, written
from labeling.models import Assignment, Comparison, Label, QuestionVersion, User
from labeling.presets import PRESETS
from labeling.suggestions import import_suggestions
from models_runtime import artifacts
from tests.factories import Cast, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
PARTS = PRESETS["ultrafeedback"].parts
ASPECTS = PARTS["quality"]["aspects"]
REASONS = ["Says why.", "Says nothing."]


@pytest.fixture
def cast(db: None, tmp_path: Path) -> Cast:
    """Three cards of two answers, the first one suggested 5 on all aspects, the second one 2."""
    made = make_cast(parts=PARTS)
    said = [dict.fromkeys(ASPECTS, value) for value in (5, 2)]
    suggested = {
        "quality": {"ratings": [{"completion": n, "values": row} for n, row in enumerate(said)]},
        "reasons": {"texts": REASONS},
    }
    rows = [
        {"prompt": f"Why {n}?", "completions": [f"Because {n}.", "No."], "suggested": suggested}
        for n in range(3)
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps({**row, "by": "gpt-4"}) + "\n" for row in rows))
    assert import_suggestions(campaign=made.campaign, path=path).errors == []
    return made


def claimed(cast: Cast, rater: User | None = None) -> Assignment:
    card = leases.claim_next(rater=rater or cast.rater, campaign=cast.campaign)
    assert card is not None
    return card


def filled_in(card: Assignment) -> dict[str, dict[str, str]]:
    question = card.comparison.campaign.question
    assert question is not None
    return repairs.suggested(card, question)


def place(card: Assignment, text: str) -> int:
    """Where the answer with this text lies on the card."""
    return [card.completions[pk].text.startswith(text) for pk in card.order].index(True)


def answered(card: Assignment, parts: dict[str, dict[str, str]]) -> Label:
    return labels.record_label(assignment=card, parts=parts, idempotency_key=uuid.uuid4())


def verdicts(label: Label) -> dict[str, bool | None]:
    return repairs.verdicts(label, label.texts.all())


def test_a_suggestion_lies_where_the_rater_sees_its_answers(cast: Cast) -> None:
    card = claimed(cast)
    good = place(card, "Because")
    fields = filled_in(card)
    assert fields["quality"][f"honesty-{good}"] == "5"
    assert fields["quality"][f"honesty-{1 - good}"] == "2"
    assert fields["reasons"][f"text-{good}"] == "Says why."


def test_what_is_sent_as_it_was_filled_in_is_confirmed(cast: Cast) -> None:
    card = claimed(cast)
    fields = filled_in(card)
    del fields["reasons"]["text"]  # where a part has one text, it stands under this name
    label = answered(card, fields)
    assert verdicts(label) == {"quality": False, "reasons": False}
    assert label.answer["parts"] == card.comparison.suggestion["parts"]
    assert label.counted


def test_one_point_and_one_word_are_repairs_of_their_parts(cast: Cast) -> None:
    card = claimed(cast)
    fields = filled_in(card)
    fields["quality"][f"honesty-{place(card, 'Because')}"] = "4"
    assert verdicts(answered(card, fields)) == {"quality": True, "reasons": False}
    card = claimed(cast)
    fields = filled_in(card)
    fields["reasons"]["text-0"] += " Indeed."
    assert verdicts(answered(card, fields)) == {"quality": False, "reasons": True}


def test_line_ends_of_a_browser_are_no_repair(cast: Cast) -> None:
    Comparison.objects.update(suggestion=None)  # replaced by one with two lines
    card = claimed(cast)
    texts = {f"reasons/text/{pk}": "One.\nTwo." for pk in card.order}
    ratings = [{"completion": pk, "values": dict.fromkeys(ASPECTS, 3)} for pk in card.order]
    ratings.sort(key=lambda row: int(str(row["completion"])))
    parts = {
        "quality": {"type": "rating", "ratings": ratings},
        "reasons": {"type": "critique", "about": sorted(card.order)},
    }
    kept = {"v": 1, "parts": parts, "texts": texts, "by": "", "trains_on": "chosen"}
    Comparison.objects.filter(pk=card.comparison_id).update(suggestion=kept)
    card.comparison.refresh_from_db()
    fields = filled_in(card)
    fields["reasons"] = {name: "One.\r\nTwo." for name in ("text-0", "text-1")}
    assert verdicts(answered(card, fields)) == {"quality": False, "reasons": False}


def test_the_tally_counts_labels_in_force_by_part(cast: Cast) -> None:
    answered(claimed(cast), filled_in_with_points(cast, "5"))
    answered(claimed(cast), filled_in_with_points(cast, "1"))
    found = repairs.tally(cast.campaign)
    assert (found.cards, found.known, found.untouched) == (2, 2, 1)
    assert (found.confirmed["quality"], found.repaired["quality"]) == (1, 1)
    assert (found.confirmed["reasons"], found.repaired["reasons"]) == (2, 0)
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert repairs.tally(cast.campaign).cards == 1


def filled_in_with_points(cast: Cast, points: str) -> dict[str, dict[str, str]]:
    """The suggestion for the card in hand, with these points for the better answer's honesty."""
    card = claimed(cast)
    fields = filled_in(card)
    return {
        **fields,
        "quality": {**fields["quality"], f"honesty-{place(card, 'Because')}": points},
    }


def test_the_tally_costs_two_queries_whatever_it_counts(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    for points in ("5", "1", "5"):
        answered(claimed(cast), filled_in_with_points(cast, points))
    with django_assert_num_queries(2):
        assert repairs.tally(cast.campaign).cards == 3


def test_a_card_whose_own_answer_was_taken_back_shows_that_one(cast: Cast) -> None:
    card = claimed(cast)
    answered(card, filled_in_with_points(cast, "1"))
    again = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert again is not None
    assert filled_in(again) == {}
    field = f"honesty-{place(again, 'Because')}"
    assert written.given(again)["quality"][field] == "1"


def test_a_question_turned_round_is_not_answered_by_it(cast: Cast) -> None:
    card = claimed(cast)
    turned = QuestionVersion.objects.create(
        campaign=cast.campaign, number=2, text="Worse?", parts=PARTS, trains_on="rejected"
    )
    assert repairs.suggested(card, turned) == {}


def test_simulated_raters_are_never_handed_one(cast: Cast) -> None:
    robot = cast.other_rater
    User.objects.filter(pk=robot.pk).update(kind="simulated")
    robot.refresh_from_db()
    assert leases.claim_next(rater=robot, campaign=cast.campaign) is None


def test_an_erased_text_is_neither_confirmed_nor_repaired(cast: Cast) -> None:
    label = answered(claimed(cast), filled_in(claimed(cast)))
    written.erase(cast.rater)
    assert verdicts(label) == {"quality": False, "reasons": None}
    found = repairs.tally(cast.campaign)
    assert found.confirmed["reasons"] == found.repaired["reasons"] == 0
    assert (found.cards, found.known, found.untouched) == (1, 0, 0)
    row = repairs.frozen(label, label.texts.all())
    assert (row["repaired"], row["unknown"]) == ([], ["reasons"])


def test_the_rows_say_what_was_suggested_and_what_was_said(cast: Cast) -> None:
    card = claimed(cast)
    fields = filled_in_with_points(cast, "1")
    fields["reasons"]["text-0"] = "Mine."
    answered(card, fields)
    rows = repairs.repaired(repairs.whole(repairs.reviewed(cast.campaign)))
    quality, reasons = [row for _, row in rows]
    good = "AB"[place(card, "Because")]
    assert f"{good} 5/5/5/5" in quality["suggested"]
    [said] = [word for word in quality["given"].split(", ") if word.startswith(good)]
    assert sorted(said[2:].split("/")) == ["1", "5", "5", "5"]
    assert "A: Mine." in reasons["given"]
    assert "Mine." not in reasons["suggested"]


def test_a_frozen_label_says_what_was_suggested_and_what_was_repaired(
    cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    answered(claimed(cast), filled_in_with_points(cast, "1"))
    snapshot = snapshots.freeze(campaign=cast.campaign)
    with artifacts.open_file(snapshot.uri, "labels.jsonl") as handle:
        [row] = [json.loads(line) for line in handle]
    assert row["repaired"] == ["quality"]
    assert "unknown" not in row
    assert row["suggested"]["by"] == "gpt-4"
    assert set(row["suggested"]["parts"]) == {"quality", "reasons"}
    assert "Says why." not in json.dumps(row)
