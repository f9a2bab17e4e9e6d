"""A reward model by regression learns the points that raters gave to single answers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_tokenizer
from models_runtime.records import Rated
from tests.training import tiny
from training.data import Encoder
from training.methods.regression import by_points, points_for, rated_examples

pytestmark = pytest.mark.training
OPTIONS: dict[str, Any] = {"learning_rate": 1e-2, "epochs": 8, "batch_size": 8}


def rated(count: int = 24, answers: int = 3) -> list[Rated]:
    """The more "good" in an answer, the more points: 1, 1/2 and 0 of the scale. Its tone is
    turned round, and every fourth answer has none."""
    rows = []
    for record in tiny.preference_records(count, answers):
        for rank, completion in enumerate(record.completions):
            points = 1 - rank / (answers - 1)
            more = {"scores.quality": points, "scores.tone": 1 - points}
            known = more if completion.id % 4 else {"scores.quality": points}
            rows.append(
                Rated(
                    record.comparison_id, record.prompt_id, record.iteration, record.item,
                    record.split, record.fold, record.messages, completion, known, points,
                )
            )  # fmt: skip
    return rows


def run(folder: Path, rows: list[Rated], **options: Any) -> Path:
    snapshot = tiny.write_snapshot(folder / "rated", tiny.preference_records(24, 3))
    tiny.write_lines(snapshot / "ratings.jsonl", rows)
    return tiny.train(folder, "regression", {**OPTIONS, **options}, snapshot=snapshot)


def encoder_in(folder: Path) -> Encoder:
    return Encoder(load_tokenizer(tiny.make_policy(folder / "policy")), 128)


def test_it_learns_the_points_and_orders_unseen_answers_by_them(tmp_path: Path) -> None:
    result = tiny.result_of(run(tmp_path, rated()))
    metrics = result["metrics"]
    assert result["rows"] == 60  # 20 training prompts of three answers
    assert metrics["accuracy"] > 0.9
    assert metrics["n"] == 12  # four held-out prompts, three pairs each
    assert metrics["points"]["rmse"] < metrics["points"]["rmse_of_the_mean"] / 2
    assert metrics["points"]["mean"] == pytest.approx(0.5)
    losses = [row["loss"] for row in tiny.metrics_of(tmp_path / "job")]
    assert sum(losses[-3:]) < sum(losses[:3])
    assert metrics["normalisation"]["sd"] > 0


def test_an_aspect_of_ones_own_is_learned_instead(tmp_path: Path) -> None:
    result = tiny.result_of(run(tmp_path, rated(), aspect="tone"))
    assert result["dropped"] == {"no points": sum(1 for r in train_rows() if len(r.points) == 1)}
    assert result["metrics"]["accuracy"] > 0.9


def train_rows() -> list[Rated]:
    return [row for row in rated() if row.split == "train"]


def test_an_aspect_goes_by_its_whole_name_or_its_end() -> None:
    [row, *_] = [row for row in rated() if len(row.points) == 2]
    assert (
        points_for(row, "scores.tone")
        == points_for(row, "tone")
        == 1 - row.points["scores.quality"]
    )
    assert points_for(row, "") == row.overall
    assert points_for(row, "scores") is None


def test_answers_that_are_too_long_are_counted(tmp_path: Path) -> None:
    encoder = encoder_in(tmp_path)
    encoder.max_length = 10
    dropped: Counter[str] = Counter()
    assert rated_examples(rated(6), "", encoder, dropped) == []
    assert dropped == {"too long": 18}


def test_equal_points_are_no_pair(tmp_path: Path) -> None:
    encoder = encoder_in(tmp_path)
    rows = rated(1)
    assert [(p.chosen, p.rejected) for p in by_points(rows, "", encoder)[0].pairs] == [
        (0, 1), (0, 2), (1, 2),
    ]  # fmt: skip
    same = [row for row in rows if row.overall == 0.5]
    assert by_points(same * 2, "", encoder) == []


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"overall": 0.5}, {}, "All 60 rated answers have the same points"),
        ({}, {"aspect": "speed"}, "no points for the aspect 'speed'; it has scores.quality"),
        ({"overall": None}, {}, r"No row is left to train on \(60 no points\)"),
    ],
)
def test_points_that_teach_nothing_are_refused_in_a_sentence(
    tmp_path: Path, change: dict, options: dict, words: str
) -> None:
    rows = [dataclasses.replace(row, **change) for row in rated()]
    with pytest.raises(BadInput, match=words):
        run(tmp_path, rows, **options)
    assert not (tmp_path / "job/attempt-1/output").exists()


def test_a_snapshot_without_ratings_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="The snapshot has no ratings.jsonl"):
        tiny.train(tmp_path, "regression", OPTIONS)
