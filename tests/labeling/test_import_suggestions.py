"""Cards with an answer to be reviewed are imported whole, or not at all with the line and what is
wrong with it; what is suggested is nobody's label."""

from __future__ import annotations

import json
import tracemalloc
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import leases, snapshots, suggestions
from labeling.imports.shapes import messages_sha256
from labeling.imports.suggestions import EXAMPLE
from labeling.models import (
    Campaign,
    Comparison,
    Completion,
    ImportBatch,
    Label,
    Prompt,
    PromptSet,
)
from labeling.presets import PRESETS
from labeling.suggestions import Report, import_suggestions
from models_runtime.models import AuditEvent
from models_runtime.records import Message
from tests.factories import Cast, PromptFactory, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
ULTRAFEEDBACK = PRESETS["ultrafeedback"].parts
RANKING = {"order": {"type": "ranking"}}
PAIR = {"preference": {"outcome": "prefer", "chosen": 1, "strength": "better"}}


@pytest.fixture
def pairs(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def rated(db: None) -> Cast:
    return make_cast(parts=ULTRAFEEDBACK)


def pair(number: int = 1, **more: Any) -> dict[str, Any]:
    texts = [f"Because, {number}.", "No."]
    return {"prompt": f"Why {number}?", "completions": texts, "suggested": PAIR, **more}


def points(place: int, value: int = 4, **aspects: int) -> dict[str, Any]:
    values = dict.fromkeys(ULTRAFEEDBACK["quality"]["aspects"], value)
    return {"completion": place, "values": {**values, **aspects}}


def ratings(*values: int, **more: Any) -> dict[str, Any]:
    said = [points(place, value) for place, value in enumerate(values)]
    return {"quality": {"ratings": said}, **more}


def written(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "theirs.jsonl"
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def imported(cast: Cast, tmp_path: Path, *rows: Any, **options: Any) -> Report:
    return import_suggestions(campaign=cast.campaign, path=written(tmp_path, *rows), **options)


def shown(card: Comparison) -> list[Completion]:
    return [item.completion for item in card.items.select_related("completion")]


def test_a_row_becomes_a_card_for_people_with_its_suggestion_by_completion_id(
    pairs: Cast, tmp_path: Path
) -> None:
    report = imported(pairs, tmp_path, pair(by="gpt-4", category="why"))
    assert report.counts["cards"] == 1
    card = Comparison.objects.get()
    first, second = shown(card)
    assert (first.text, second.text) == ("Because, 1.", "No.")
    assert card.suggestion == {
        "v": 1,
        "parts": {
            "preference": {
                "type": "pairwise",
                "outcome": "prefer",
                "chosen": second.pk,
                "rejected": first.pk,
                "strength": "better",
            }
        },
        "texts": {},
        "by": "gpt-4",
        "trains_on": "chosen",
    }
    assert (card.audience, card.iteration, card.slots_left, card.overlap) == ("person", None, 1, 1)
    assert card.prompt.category == "why"
    assert card.prompt.prompt_set.campaign == pairs.campaign
    assert (first.source, first.on_policy) == ("imported", False)
    event = AuditEvent.objects.get(verb="suggestions imported")
    assert event.data["cards"] == 1


def test_ratings_with_their_reasons_come_for_each_completion(rated: Cast, tmp_path: Path) -> None:
    reasons = {"texts": ["Says why.", "Says nothing."]}
    row = pair(suggested=ratings(5, 2, reasons=reasons))
    assert imported(rated, tmp_path, row).errors == []
    card = Comparison.objects.get()
    one, two = shown(card)
    assert card.suggestion["parts"]["reasons"] == {"type": "critique", "about": [one.pk, two.pk]}
    given = card.suggestion["parts"]["quality"]["ratings"]
    assert [(row["completion"], row["values"]["honesty"]) for row in given] == [
        (one.pk, 5),
        (two.pk, 2),
    ]
    assert card.suggestion["texts"] == {
        f"reasons/text/{one.pk}": "Says why.",
        f"reasons/text/{two.pk}": "Says nothing.",
    }


def test_a_ranking_keeps_its_ties(db: None, tmp_path: Path) -> None:
    cast = make_cast(parts=RANKING)
    row = pair(completions=["a", "b", "c"], suggested={"order": {"tiers": [[2], [0, 1]]}})
    assert imported(cast, tmp_path, row).errors == []
    card = Comparison.objects.get()
    a, b, c = (one.pk for one in shown(card))
    assert card.suggestion["parts"]["order"]["tiers"] == [[c], [a, b]]


def test_a_suggestion_is_nobodys_label_and_no_snapshot_has_it(pairs: Cast, tmp_path: Path) -> None:
    imported(pairs, tmp_path, pair())
    assert not Label.objects.exists()
    with pytest.raises(ValueError, match="no labels yet"):
        snapshots.freeze(campaign=pairs.campaign)
    assert list(snapshots.judged(pairs.campaign)) == []


def test_the_same_file_twice_adds_nothing(pairs: Cast, tmp_path: Path) -> None:
    imported(pairs, tmp_path, pair(1), pair(2), pair(2))
    before = [table.objects.count() for table in (Comparison, Completion, Prompt, PromptSet)]
    assert before == [2, 4, 2, 1]
    again = imported(pairs, tmp_path, pair(1), pair(2), pair(2))
    assert again.counts == {"lines": 3, "known": 3, "cards": 0}
    assert [table.objects.count() for table in (Comparison, Completion, Prompt, PromptSet)] == (
        before
    )


def test_another_answer_to_a_known_card_is_a_card_of_its_own(pairs: Cast, tmp_path: Path) -> None:
    imported(pairs, tmp_path, pair(by="one"))
    assert imported(pairs, tmp_path, pair(by="another")).counts["cards"] == 1
    assert Prompt.objects.count() == 1


def test_a_prompt_that_the_campaign_asks_keeps_its_side_of_the_split(
    pairs: Cast, tmp_path: Path
) -> None:
    asked: list[Message] = [{"role": "user", "content": "Why 1?"}]
    known = PromptFactory(
        prompt_set__campaign=pairs.campaign,
        item="a",
        split="heldout",
        messages=asked,
        messages_sha256=messages_sha256(asked),
    )
    imported(pairs, tmp_path, pair(1), pair(2, item="a", split="train"))
    same, other = Comparison.objects.order_by("pk")
    assert same.prompt == known
    assert (other.prompt.item, other.prompt.split) == ("a", "heldout")


BAD: list[tuple[dict[str, Any] | str, str]] = [
    ("{", "This is not JSON"),
    ({"completions": ["a", "b"], "suggested": PAIR}, "There is no prompt"),
    (pair(completions=["a"]), "needs cards of 2 answers, and these have 1"),
    (pair(completions=[]), "completions must be a list of one to nine texts."),
    (pair(completions=["a", "a"]), "Two of the completions are the same text."),
    (pair(completions=["a", 7]), "Each of completions must be text."),
    (pair(completions=["a", "\0"]), "holds a NUL character"),
    (pair(by=7), "by must be text."),
    (pair(by="x" * 101), "by is longer than 100 characters."),
    (pair(suggested=None), "suggested must hold an answer"),
    (pair(suggested={}), "suggested must hold an answer"),
    (pair(suggested={"quality": 1}), "The question has no part named quality."),
    (pair(suggested={"preference": "0"}), "not in the form in which a pairwise is stored"),
    (pair(suggested={"preference": {"outcome": "prefer"}}), "not in the form in which a pairwise"),
    (
        pair(suggested={"preference": {**PAIR["preference"], "type": "rating"}}),
        "not in the form in which a pairwise is stored",
    ),
    (
        pair(suggested={"preference": {**PAIR["preference"], "chosen": 2}}),
        "not in the form in which a pairwise is stored",
    ),
    (
        pair(suggested={"preference": {**PAIR["preference"], "strength": "hugely"}}),
        "An answer is one choice on the scale.",
    ),
    (
        pair(suggested={"preference": {**PAIR["preference"], "rejected": 1}}),
        "rejected of the part preference is not what such an answer can hold.",
    ),
    (
        pair(suggested={"preference": {**PAIR["preference"], "sure": True}}),
        "sure of the part preference is not what such an answer can hold.",
    ),
]


@pytest.mark.parametrize(("line", "sentence"), BAD)
def test_a_bad_line_is_named_and_nothing_is_imported(
    pairs: Cast, tmp_path: Path, line: Any, sentence: str
) -> None:
    report = imported(pairs, tmp_path, pair(1), "", line, pair(2))
    assert [problem.line for problem in report.errors] == [3]
    assert sentence in report.errors[0].sentence
    assert not Comparison.objects.exists()
    assert not Completion.objects.exists()
    assert not Prompt.objects.exists()
    assert not ImportBatch.objects.exists()


BAD_RATINGS: list[tuple[dict[str, Any], str]] = [
    (ratings(4, 6), "That rating is not on this question's scale."),
    (ratings(4, 4.0), "That rating is not on this question's scale."),  # type: ignore[arg-type]  # no whole
    (ratings(4), "Rate everything that is asked for."),
    (ratings(4, 4, 4), "not in the form in which a rating is stored"),
    (
        {"quality": {"ratings": [points(0), points(1, taste=3)]}},
        "The answer says something that was not asked.",
    ),
    (ratings(4, 4, reasons={"texts": ["One."]}), "must be one for each answer"),
    (ratings(4, 4, reasons={"texts": ["One.", ""]}), "Write the critique of B."),
    (ratings(4, 4, reasons={"texts": ["One.", 2]}), "not in the form in which a critique"),
    (ratings(4, 4, reasons={}), "Write the critique of A."),
]


@pytest.mark.parametrize(("suggested", "sentence"), BAD_RATINGS)
def test_ratings_that_do_not_fit_the_question_are_faults(
    rated: Cast, tmp_path: Path, suggested: dict[str, Any], sentence: str
) -> None:
    report = imported(rated, tmp_path, pair(suggested=suggested))
    assert sentence in report.errors[0].sentence


def test_a_truthy_word_is_no_thumb_up(db: None, tmp_path: Path) -> None:
    cast = make_cast(parts={"thumb": {"type": "thumbs"}})
    row = pair(completions=["a"], suggested={"thumb": {"about": 0, "up": "false"}})
    assert "up of the part thumb" in imported(cast, tmp_path, row).errors[0].sentence
    fine = pair(completions=["a"], suggested={"thumb": {"about": 0, "up": False}})
    assert imported(cast, tmp_path, fine).counts["cards"] == 1


def test_what_nobody_can_suggest_is_refused(db: None, tmp_path: Path) -> None:
    cast = make_cast(parts={"more": {"type": "prompt_writing"}})
    report = imported(cast, tmp_path, pair(suggested={"more": {"text": "And you?"}}))
    assert "No answer can be suggested for the part more." in report.errors[0].sentence


def test_faulty_lines_can_be_passed_over(pairs: Cast, tmp_path: Path) -> None:
    report = imported(pairs, tmp_path, pair(1), "{", pair(2), skip_faulty=True)
    assert (report.counts["cards"], report.counts["faulty"]) == (2, 1)
    assert Comparison.objects.count() == 2


def test_a_dry_run_counts_and_writes_nothing(pairs: Cast, tmp_path: Path) -> None:
    assert imported(pairs, tmp_path, pair(1), pair(2), dry_run=True).counts["cards"] == 2
    assert not Comparison.objects.exists()


def test_nobody_is_handed_a_card_before_the_last_is_written(
    pairs: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an import that breaks off leaves nothing."""
    handed = []

    def broken(*args: Any) -> None:
        handed.append(leases.claim_next(rater=pairs.rater, campaign=pairs.campaign))
        assert Comparison.objects.count() == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(suggestions, "_publish", broken)
    with pytest.raises(KeyboardInterrupt):
        imported(pairs, tmp_path, pair(1), pair(2))
    assert handed == [None]
    for table in (Comparison, Completion, Prompt, PromptSet):
        assert not table.objects.exists()
    assert ImportBatch.objects.get().state == "discarded"


def test_memory_does_not_grow_with_the_file(pairs: Cast, tmp_path: Path) -> None:
    """Six times the file, and much the same peak."""

    def peak(cards: int) -> int:
        rows = (pair(n, completions=["x" * 2_000 + str(n), "y"]) for n in range(cards))
        path = tmp_path / "long.jsonl"
        with path.open("w") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
        tracemalloc.start()
        import_suggestions(campaign=pairs.campaign, path=path)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    small = peak(2 * suggestions.CHUNK)
    assert peak(12 * suggestions.CHUNK) < 1.5 * small


def test_the_demo_world_takes_none(pairs: Cast, tmp_path: Path) -> None:
    Campaign.objects.update(demo_world=True)
    pairs.campaign.refresh_from_db()
    with pytest.raises(ValueError, match="knows its own prompts only"):
        imported(pairs, tmp_path, pair())


def test_the_command_says_what_came_of_it(pairs: Cast, tmp_path: Path) -> None:
    out, faults = StringIO(), StringIO()
    path = tmp_path / "example.jsonl"
    path.write_text(EXAMPLE, encoding="utf-8")
    call_command("import_suggestions", "helpful", str(path), stdout=out)
    assert "Imported 2 cards of 2 lines" in out.getvalue()
    with pytest.raises(CommandError, match=r"Nothing was imported: theirs.jsonl has 1 fault"):
        call_command("import_suggestions", "helpful", str(written(tmp_path, "{")), stderr=faults)
    assert "Line 1: This is not JSON" in faults.getvalue()
    with pytest.raises(CommandError, match="no campaign named other"):
        call_command("import_suggestions", "other", str(path))
