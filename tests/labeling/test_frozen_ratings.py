"""What raters said of single completions is frozen beside the pairs: points and thumbs."""

from __future__ import annotations

import uuid
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from labeling import frozen_rows, labels, leases, snapshots
from labeling.judgements import Answer, Judged, JudgedCompletion
from labeling.models import Label
from models_runtime import artifacts
from models_runtime.records import Preference, Rated, read_jsonl
from tests.factories import UserFactory, make_cast, open_comparisons

RATING = {"quality": {"type": "rating", "scale": "one_five"}}
ASPECTS = {
    "scores": {
        "type": "rating",
        "scale": "zero_four",
        "aspects": {"accuracy": "Accurate?", "tone": "Kind?"},
        "prefer_by": "accuracy",
    }
}
THUMB = {"thumb": {"type": "thumbs"}}


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


def rating(number: int, *points: dict[str, int], **more: Any) -> Answer:
    """A rater's points for completions 1, 2, ..."""
    ratings = [{"completion": pk, "values": given} for pk, given in enumerate(points, start=1)]
    key = "scores" if "accuracy" in points[0] else "quality"
    stored = {"v": 1, "parts": {key: {"type": "rating", "ratings": ratings}}}
    return Answer(number, f"rater {number}", "person", [], [], answer=stored, **more)


def thumb(number: int, up: bool, **more: Any) -> Answer:
    stored = {"v": 1, "parts": {"thumb": {"type": "thumbs", "about": 1, "up": up}}}
    return Answer(number, f"rater {number}", "person", [], [], answer=stored, **more)


COMPARED = Answer(
    1,
    "rater 1",
    "person",
    [Preference(1, 2)],
    [],
    answer=rating(1, {"accuracy": 4, "tone": 1}, {"accuracy": 0, "tone": 4}).answer,
)


def judged(parts: dict[str, Any], *answers: Answer, **more: Any) -> Judged:
    completions = [
        JudgedCompletion(pk, f"Answer {pk}.", system_prompt="Be brief.") for pk in (1, 2)
    ]
    values: dict[str, Any] = {
        "comparison": 7,
        "iteration": 1,
        "prompt": 5,
        "item": "why",
        "split": "train",
        "fold": "policy",
        "strategy": "random",
        "messages": [{"role": "user", "content": "Why?"}],
        "completions": completions,
        "answers": list(answers),
        "asked": {1: parts},
    }
    return Judged(**{**values, **more})


def rated(row: Judged) -> tuple[list[Rated], Counter[str]]:
    counts: Counter[str] = Counter()
    return list(frozen_rows.ratings(row, counts)), counts


def test_points_become_the_mean_place_on_the_scale() -> None:
    """5 and 4 of 1 to 5 are 1 and .75; 1 and 1 are 0."""
    row = judged(
        RATING, rating(1, {"value": 5}, {"value": 1}), rating(2, {"value": 4}, {"value": 1})
    )
    found, counts = rated(row)
    assert [one.points for one in found] == [{"quality": 0.875}, {"quality": 0.0}]
    assert [one.overall for one in found] == [0.875, 0.0]
    assert [(one.completion.id, one.labels) for one in found] == [(1, 2), (2, 2)]
    assert found[0].messages[0] == {"role": "system", "content": "Be brief."}
    assert counts == {"completions": 2}


def test_where_nothing_is_compared_no_label_is_kept_for_a_judge() -> None:
    [alone], _ = rated(judged(THUMB, thumb(1, True), fold="judge"))
    assert alone.fold == "policy"
    first, *_ = rated(judged(ASPECTS, COMPARED, fold="judge"))[0]
    assert first.fold == "judge"


def test_the_aspect_that_is_preferred_by_is_the_overall_verdict() -> None:
    [one, _], _ = rated(
        judged(ASPECTS, rating(1, {"accuracy": 4, "tone": 1}, {"accuracy": 0, "tone": 4}))
    )
    assert one.points == {"scores.accuracy": 1.0, "scores.tone": 0.25}
    assert one.overall == 1.0


def test_without_one_the_overall_verdict_is_the_mean() -> None:
    parts = {"scores": {key: v for key, v in ASPECTS["scores"].items() if key != "prefer_by"}}
    [one, _], _ = rated(
        judged(parts, rating(1, {"accuracy": 4, "tone": 1}, {"accuracy": 0, "tone": 4}))
    )
    assert one.overall == 0.625


def test_a_question_about_harm_counts_from_the_other_end() -> None:
    answer = rating(1, {"value": 5}, {"value": 2}, trains_on="rejected")
    found, _ = rated(judged(RATING, answer))
    assert [one.overall for one in found] == [0.0, 0.75]


def test_thumbs_are_decided_by_more_than_half() -> None:
    [one], _ = rated(judged(THUMB, thumb(1, True), thumb(2, True), thumb(3, False)))
    assert (one.desirable, one.points, one.overall, one.labels) == (True, {}, None, 3)
    [one], _ = rated(judged(THUMB, thumb(1, True), thumb(2, False)))
    assert one.desirable is None


def test_what_is_flagged_erased_or_of_several_turns_is_counted_out() -> None:
    answer = rating(1, {"value": 5}, {"value": 1})
    assert rated(judged(RATING, answer, flags=["unsafe"])) == ([], {"flagged": 2})
    gone = [JudgedCompletion(1, "", erased=True), JudgedCompletion(2, "Two.", following=[{}])]
    assert rated(judged(RATING, answer, completions=gone)) == (
        [],
        {"erased": 1, "several turns": 1},
    )


def test_what_does_not_count_says_nothing() -> None:
    late = rating(1, {"value": 5}, {"value": 1}, counted=False)
    repeat = rating(2, {"value": 5}, {"value": 1}, occasion=1)
    assert rated(judged(RATING, late, repeat)) == ([], {})


def answer(cast: Any, points: tuple[str, str], rater: Any = None) -> Label:
    assignment = leases.claim_next(rater=rater or cast.rater, campaign=cast.campaign)
    ids = sorted(assignment.order)
    posted = {f"value-{assignment.order.index(pk)}": p for pk, p in zip(ids, points, strict=True)}
    return labels.record_label(
        assignment=assignment,
        parts={"quality": posted},
        idempotency_key=uuid.uuid4(),
        active_ms=1200,
    )


@pytest.mark.django_db
def test_ratings_are_a_file_of_the_snapshot_by_completion_and_never_by_side() -> None:
    cast = make_cast(parts=RATING)
    open_comparisons(cast.campaign, 3)
    for _ in range(3):
        answer(cast, ("5", "2"))
    snapshot = snapshots.freeze(campaign=cast.campaign)
    folder = artifacts.fetch_folder(snapshot.uri, snapshot.manifest, None)
    rows = list(read_jsonl(folder / "ratings.jsonl", Rated))
    assert [row.overall for row in rows] == [1.0, 0.25] * 3
    assert [row.completion.id for row in rows] == sorted(row.completion.id for row in rows)
    manifest = snapshots.read_manifest(snapshot)
    assert manifest["rows"]["ratings.jsonl"] == 6
    assert manifest["counts"]["ratings"] == {"completions": 6}
    told = StringIO()
    call_command("snapshot", cast.campaign.slug, stdout=told)
    assert "Rated by themselves: 6 completions.\n" in told.getvalue()


@pytest.mark.django_db
def test_pairs_alone_freeze_as_they_did() -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 1)
    assignment = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    labels.record_label(
        assignment=assignment,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        active_ms=1200,
    )
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert set(snapshot.manifest) == {"labels.jsonl", "preferences.jsonl", "manifest.json"}
    assert "ratings" not in snapshots.read_manifest(snapshot)["counts"]


@pytest.mark.django_db
def test_where_people_rated_programs_have_no_say() -> None:
    cast = make_cast(parts=RATING)
    open_comparisons(cast.campaign, 1, overlap=2)
    answer(cast, ("5", "1"))
    answer(cast, ("1", "5"), UserFactory(kind="program"))
    snapshot = snapshots.freeze(campaign=cast.campaign)
    folder = artifacts.fetch_folder(snapshot.uri, snapshot.manifest, None)
    rows = list(read_jsonl(folder / "ratings.jsonl", Rated))
    assert [(row.overall, row.source, row.labels) for row in rows] == [
        (1.0, "person", 1),
        (0.0, "person", 1),
    ]
