"""Preferences stated elsewhere become a frozen set that runs can mix in: read in TRL's forms and
as our own export writes them, counted line by line, and never taken for labels by people."""

from __future__ import annotations

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import snapshots
from labeling.imports.shapes import messages_sha256, split_of
from labeling.models import Label, Prompt, Snapshot
from labeling.preference_sets import Report, import_preferences
from models_runtime import artifacts
from models_runtime.models import AuditEvent
from models_runtime.records import Preference, PreferenceRecord, read_jsonl
from tests.factories import Cast, PromptFactory, make_cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
HH = Path("/work/shared/data/hh_harmless_base_test.jsonl.gz")


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def row(number: int = 1, **more: Any) -> dict[str, Any]:
    """In TRL's conversational form."""
    return {
        "prompt": [user(f"Why {number}?")],
        "chosen": [assistant("Because.")],
        "rejected": [assistant("No.")],
        **more,
    }


def imported(cast: Cast, tmp_path: Path, *rows: Any, **options: Any) -> Report:
    path = tmp_path / "theirs.jsonl"
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return import_preferences(campaign=cast.campaign, path=path, **options)


def records(report: Report) -> list[PreferenceRecord]:
    assert report.snapshot is not None, report.errors
    folder = artifacts.fetch_folder(report.snapshot.uri, report.snapshot.manifest, None)
    return list(read_jsonl(folder / "preferences.jsonl", PreferenceRecord))


def test_a_set_is_frozen_and_says_that_nobody_here_gave_its_labels(
    cast: Cast, tmp_path: Path
) -> None:
    report = imported(cast, tmp_path, row(1), row(2, strength="slightly"), licence="MIT")
    snapshot = report.snapshot
    assert snapshot is not None
    assert snapshot.is_imported
    assert set(snapshot.manifest) == {"preferences.jsonl", "manifest.json"}
    assert snapshot.counts["labels"] == {"person": 0, "program": 0, "simulated": 0}
    assert snapshot.counts["comparisons"] == {"kept": 2}
    assert snapshot.counts["imported"]["name"] == "theirs.jsonl"
    assert snapshot.counts["imported"]["licence"] == "MIT"
    assert not Label.objects.exists()
    first, second = records(report)
    assert (first.source, first.labels, first.raters) == ("imported", 0, [])
    assert first.messages == [user("Why 1?")]
    texts = {one.id: one.text for one in first.completions}
    [stated] = first.preferences
    assert (texts[stated.chosen], texts[stated.rejected]) == ("Because.", "No.")
    assert second.preferences[0].strength == "slightly"
    ids = [first.comparison_id, first.prompt_id, *texts, second.comparison_id]
    assert all(pk < 0 for pk in ids)
    assert first.comparison_id != second.comparison_id
    assert (first.agreement, first.labelled_at) == (None, None)


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": "Why?", "chosen": "Because.", "rejected": "No."},
        {
            "chosen": [user("Why?"), assistant("Because.")],
            "rejected": [user("Why?"), assistant("No.")],
        },
        {
            "chosen": "\n\nHuman: Why?\n\nAssistant: Because.",
            "rejected": "\n\nHuman: Why?\n\nAssistant: No.",
        },
    ],
)
def test_the_other_forms_of_a_row_say_the_same(
    cast: Cast, tmp_path: Path, given: dict[str, Any]
) -> None:
    [found] = records(imported(cast, tmp_path, given))
    assert found.messages == [user("Why?")]
    assert [one.text for one in found.completions] == ["Because.", "No."]


def test_what_teaches_nothing_is_left_out_and_counted(cast: Cast, tmp_path: Path) -> None:
    differ = {
        "chosen": [user("Why?"), assistant("Hm."), user("So?"), assistant("Because.")],
        "rejected": [user("Why?"), assistant("No."), user("So?"), assistant("No.")],
    }
    report = imported(
        cast,
        tmp_path,
        row(1),
        row(2, rejected=[assistant(" ")]),
        row(3, rejected=[assistant("Because.")]),
        differ,
    )
    assert report.snapshot is not None
    counts = report.snapshot.counts["comparisons"]
    assert counts == {"kept": 1, "empty": 1, "identical texts": 1, "prompts differ": 1}
    with pytest.raises(ValueError, match="no preference that can be learned from"):
        imported(cast, tmp_path, differ)


def test_a_faulty_line_is_named_and_nothing_is_imported_unless_it_is_to_be_skipped(
    cast: Cast, tmp_path: Path
) -> None:
    rows = [row(1), "{", row(2, strength="mighty"), row(3, prompt=[]), {"chosen": "a"}]
    report = imported(cast, tmp_path, *rows)
    assert report.snapshot is None
    assert not Snapshot.objects.exists()
    assert [problem.line for problem in report.errors] == [2, 3, 4, 5]
    assert "strength must be one of significantly" in str(report.errors[1])
    skipped = imported(cast, tmp_path, *rows, skip_faulty=True)
    assert skipped.snapshot is not None
    assert skipped.snapshot.counts["comparisons"] == {"kept": 1, "faulty": 4}


def test_the_same_file_is_stored_once_and_a_dry_run_stores_nothing(
    cast: Cast, tmp_path: Path
) -> None:
    assert imported(cast, tmp_path, row(1), dry_run=True).snapshot is None
    assert not Snapshot.objects.exists()
    first, second = imported(cast, tmp_path, row(1)), imported(cast, tmp_path, row(1))
    assert first.snapshot == second.snapshot
    assert AuditEvent.objects.filter(verb="preferences imported").count() == 1


def test_a_prompt_that_the_campaign_holds_out_stays_held_out(cast: Cast, tmp_path: Path) -> None:
    held = PromptFactory(
        prompt_set__campaign=cast.campaign,
        split="heldout",
        item="the sky",
        tags=["safety"],
        messages=[user("Why 1?")],
        messages_sha256=messages_sha256([user("Why 1?")]),
    )
    report = imported(cast, tmp_path, row(1, split="train"), row(2, item="the sky"), row(3))
    same, about, other = records(report)
    assert (same.prompt_id, same.item, same.split) == (held.pk, "the sky", "heldout")
    assert same.tags == ["safety"]
    assert (about.item, about.split) == ("the sky", "heldout")
    assert other.split == split_of(other.item)
    assert report.counts["known"] == 1


def test_our_own_export_is_read_back(cast: Cast, tmp_path: Path) -> None:
    for _ in open_comparisons(cast.campaign, 3):
        answer(cast.rater, cast.campaign, "0:slightly")
    for prompt in Prompt.objects.all():  # as an import writes it, which the factory does not
        Prompt.objects.filter(pk=prompt.pk).update(
            messages_sha256=messages_sha256(prompt.messages)
        )
    path = tmp_path / "pairs.jsonl"
    call_command("export", cast.campaign.slug, format="trl", out=path, stdout=StringIO())
    report = import_preferences(campaign=cast.campaign, path=path)
    own = snapshots.freeze(campaign=cast.campaign)
    folder = artifacts.fetch_folder(own.uri, own.manifest, None)
    frozen = list(read_jsonl(folder / "preferences.jsonl", PreferenceRecord))
    assert said(records(report)) == said(frozen)
    ignored = ["adjudicated", "iteration", "labels", "late", "on_policy", "source"]
    assert report.ignored == ignored


def said(rows: list[PreferenceRecord]) -> list[Any]:
    found = []
    for one in rows:
        texts = {c.id: (c.text, c.checkpoint, c.finish_reason) for c in one.completions}
        pairs = [(texts[p.chosen], texts[p.rejected], p.strength) for p in one.preferences]
        found.append((one.prompt_id, one.item, one.split, one.messages, pairs))
    return found


def test_pairs_of_one_comparison_become_one_again(cast: Cast, tmp_path: Path) -> None:
    def pair(chosen: int, rejected: int) -> dict[str, Any]:
        return row(
            chosen=[assistant(f"Answer {chosen}.")],
            rejected=[assistant(f"Answer {rejected}.")],
            comparison=7,
            chosen_id=chosen,
            rejected_id=rejected,
        )

    [found] = records(imported(cast, tmp_path, pair(11, 12), pair(11, 13), pair(12, 13)))
    assert [one.text for one in found.completions] == ["Answer 11.", "Answer 12.", "Answer 13."]
    assert found.preferences == [Preference(-1, -2), Preference(-1, -3), Preference(-2, -3)]


def test_the_command_tells_what_it_did(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    lines = [row(1), row(2, rejected=[assistant("")]), row(3, colour="red")]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    told = StringIO()
    call_command("import_preferences", str(path), campaign=cast.campaign.slug, stdout=told)
    assert "Imported 2 comparisons (2 pairs) of 3 lines" in told.getvalue()
    assert "left out: 1 empty." in told.getvalue()
    assert "Passed over: colour." in told.getvalue()
    assert f"--snapshot {Snapshot.objects.get().pk}=1" in told.getvalue()
    path.write_text("{\n", encoding="utf-8")
    with pytest.raises(CommandError, match="has 1 fault; --skip-faulty"):
        call_command("import_preferences", str(path), campaign=cast.campaign.slug)
    with pytest.raises(CommandError, match="no campaign named nowhere"):
        call_command("import_preferences", str(path), campaign="nowhere")


@pytest.mark.skipif(not HH.is_file(), reason="the public HH test set is not on this machine")
def test_the_harmless_test_set_of_hh_is_read_whole(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "hh.jsonl"
    path.write_bytes(gzip.decompress(HH.read_bytes()))
    report = import_preferences(campaign=cast.campaign, path=path, skip_faulty=True)
    counts = report.counts
    assert (counts["lines"], counts["prompts differ"], counts["empty"]) == (2312, 5, 4)
    assert counts["faulty"] == 4  # two turns of the person in a row
    assert counts["comparisons"] == 2312 - 5 - 4 - 4
