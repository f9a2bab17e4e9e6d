"""A snapshot by a rule: the rule's preferences, soft labels beside them, and what is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from labeling import aggregated_rows, snapshots
from labeling.models import Campaign, Snapshot
from models_runtime import artifacts
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.rating import answer


@pytest.fixture
def split(cast: Cast) -> Campaign:
    """Three who agree on four cards; on each of six others two against one, and on two of those
    the two are wrong by what all their answers say of them."""
    raters = [
        MembershipFactory(user__username=name, project=cast.project, role="rater").user
        for name in ("ada", "ben", "cem")
    ]
    open_comparisons(cast.campaign, 10, overlap=3)
    for place, rater in enumerate(raters):
        for number in range(10):
            first = number % 2 if number < 4 or place else 1 - number % 2
            answer(rater, cast.campaign, "0:better" if first else "1:slightly")
    return cast.campaign


def lines(snapshot: Snapshot, name: str) -> list[dict]:
    with artifacts.open_file(snapshot.uri, name) as handle:
        return [json.loads(line) for line in handle]


def test_without_a_rule_nothing_is_new(split: Campaign) -> None:
    snapshot = snapshots.freeze(campaign=split)
    manifest = snapshots.read_manifest(snapshot)
    assert manifest["filters"]["aggregation"] == "majority"
    assert aggregated_rows.NAME not in snapshot.manifest
    assert "aggregated" not in snapshot.counts


def test_by_a_rule_there_are_soft_labels_and_the_manifest_says_which(split: Campaign) -> None:
    aggregated_rows.settle(campaign=split, rule="dawid_skene")
    snapshot = snapshots.freeze(campaign=split)
    manifest = snapshots.read_manifest(snapshot)
    assert manifest["filters"]["aggregation"] == "dawid_skene"
    assert len(manifest["raters"]) == 3
    rows = lines(snapshot, aggregated_rows.NAME)
    assert manifest["rows"][aggregated_rows.NAME] == len(rows) == 10
    for row in rows:
        assert row["p_one"] + row["p_tie"] + row["p_other"] == pytest.approx(1, abs=1e-5)
        assert row["one"] < row["other"]
        assert not any("text" in name for name in row)
    counts = snapshot.counts["aggregated"]["dawid_skene"]
    assert counts["preferences"] + counts["ties"] + counts["undecided"] == 10
    assert counts["preferences"] == len(lines(snapshot, "preferences.jsonl"))


def test_built_twice_it_is_the_same_and_labels_are_all_there(split: Campaign) -> None:
    one, two = (snapshots.freeze(campaign=split, rule="mace") for _ in range(2))
    assert one.pk == two.pk
    plain = snapshots.freeze(campaign=split)
    assert one.manifest["labels.jsonl"] == plain.manifest["labels.jsonl"]


def test_the_majoritys_soft_labels_are_shares_of_votes(split: Campaign) -> None:
    rows = lines(snapshots.freeze(campaign=split, rule="majority"), aggregated_rows.NAME)
    shares = sorted({max(row["p_one"], row["p_other"]) for row in rows})
    assert shares == pytest.approx([2 / 3, 1], abs=1e-5)


def test_an_export_by_a_rule_has_the_probability_and_one_without_has_none(
    split: Campaign, tmp_path: Path
) -> None:
    soft, plain = tmp_path / "soft.jsonl", tmp_path / "plain.jsonl"
    call_command("export", split.slug, "--aggregate", "weighted", "--out", str(soft))
    call_command("export", split.slug, "--out", str(plain))
    rows = [json.loads(line) for line in soft.read_text().splitlines()]
    assert all(0.5 < row["probability"] <= 1 for row in rows)
    assert {"difficulty", "probability"} <= rows[0].keys()
    assert "probability" not in json.loads(plain.read_text().splitlines()[0])
