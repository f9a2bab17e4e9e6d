"""Answers judged one by one: where they come from, what they are weighed by, what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from models_runtime.records import Rated, SnapshotCompletion
from tests.training import tiny
from training.configs import BadOption, parse
from training.methods.kto import weights_for
from training.trl_adapter.kto import Weights, mismatched, shuffled

pytestmark = pytest.mark.training

ONE_EPOCH = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3}


def rated(number: int, **said: Any) -> Rated:
    answer = SnapshotCompletion(number, f"the answer is {'good ' * (number % 5)}so", "c", "eos")
    return Rated(
        comparison_id=number,
        prompt_id=number,
        iteration=0,
        item=f"item {number}",
        split="train",
        fold="policy",
        messages=tiny.asked(f"tell me {tiny.WORDS.split()[number % 20]}"),
        completion=answer,
        **said,
    )


def trained(folder: Path, rows: list[Rated], **options: Any) -> dict[str, Any]:
    """The result of a run on a snapshot with these ratings, and twenty pairs beside."""
    snapshot = tiny.write_snapshot(folder / "snapshot", tiny.preference_records())
    if rows:
        tiny.write_lines(snapshot / "ratings.jsonl", rows)
    return tiny.result_of(tiny.train(folder, "kto", {**ONE_EPOCH, **options}, snapshot=snapshot))


THUMBS = [rated(n, desirable=n % 4 > 0) for n in range(16)]


def test_thumbs_come_first_and_are_counted_by_kind(tmp_path: Path) -> None:
    result = trained(tmp_path, [*THUMBS, rated(17, overall=0.9)])
    assert result["rows"] == 16
    assert (result["metrics"]["desirable"], result["metrics"]["undesirable"]) == (12, 4)
    assert result["metrics"]["undesirable_weight"] == 2.25  # 12 * 1 / (4 * 2.25) = 4/3


def test_ratings_are_good_above_the_middle_of_their_scale_and_bad_below(tmp_path: Path) -> None:
    rows = [rated(n, overall=n % 5 / 4) for n in range(20)]
    result = trained(tmp_path, rows)
    assert result["dropped"] == {"in the middle": 4}
    assert (result["metrics"]["desirable"], result["metrics"]["undesirable"]) == (8, 8)


@pytest.mark.parametrize("learn_from", ["auto", "pairs"])
def test_pairs_serve_each_side_for_itself(tmp_path: Path, learn_from: str) -> None:
    result = trained(tmp_path, THUMBS if learn_from == "pairs" else [], learn_from=learn_from)
    assert result["rows"] == 40
    assert result["metrics"]["desirable"] == result["metrics"]["undesirable"] == 20
    assert result["metrics"]["train"]["rewards/margins"] > 0


def test_the_middle_of_a_ranking_is_neither_good_nor_bad(tmp_path: Path) -> None:
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records(24, 3))
    result = tiny.result_of(tiny.train(tmp_path, "kto", ONE_EPOCH, snapshot=snapshot))
    assert result["dropped"] == {"in the middle": 20}
    assert result["rows"] == 40


def test_it_starts_at_half_the_weights(tmp_path: Path) -> None:
    """(The adapter refuses a first loss outside of them.)"""
    folder = tiny.train(tmp_path, "kto", {**ONE_EPOCH, "batch_size": 40})
    assert tiny.metrics_of(folder)[0]["loss"] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([rated(n, desirable=True) for n in range(4)], {}, "are good ones, and KTO needs bad"),
        ([rated(n, desirable=False) for n in range(4)], {}, "are bad ones, and KTO needs good"),
        ([rated(1, overall=0.5)], {"learn_from": "thumbs"}, "holds no thumb that this run"),
        (THUMBS, {"learn_from": "ratings"}, "holds no rating that this run"),
        (THUMBS, {"max_length": 8}, "No row is left to train on"),
    ],
)
def test_what_cannot_be_learned_from_is_one_sentence(
    tmp_path: Path, rows: list[Rated], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        trained(tmp_path, rows, **options)
    assert str(caught.value).endswith(".")
    assert not (tmp_path / "job" / "attempt-1" / "output").exists()


def test_an_answer_alone_in_its_forward_pass_is_left_out(tmp_path: Path) -> None:
    result = trained(tmp_path, [*THUMBS, rated(17, desirable=True)])
    assert (result["rows"], result["dropped"]) == (16, {"left over": 1})


def test_a_good_answer_that_was_cut_off_is_not_imitated_a_bad_one_is_avoided(
    tmp_path: Path,
) -> None:
    endless = [dataclasses.replace(row.completion, finish_reason="length") for row in THUMBS]
    cut = [
        dataclasses.replace(row, completion=one) for row, one in zip(THUMBS, endless, strict=True)
    ]
    with pytest.raises(BadInput, match="are bad ones"):
        trained(tmp_path, cut)


@pytest.mark.parametrize(
    ("good", "bad", "weights"),
    [(30, 60, (2.0, 1.0)), (60, 30, (1.0, 1.5)), (40, 35, (1.0, 1.0)), (40, 40, (1.0, 1.0))],
)
def test_the_weights_bring_both_kinds_within_the_papers_bounds(
    good: int, bad: int, weights: tuple[float, float]
) -> None:
    found = weights_for(good, bad, parse("kto", {}))
    assert (found.desirable, found.undesirable) == weights
    assert 1 <= found.desirable * good / (found.undesirable * bad) <= 4 / 3 + 1e-9


def test_weights_of_ones_own_are_taken_both_or_none() -> None:
    own = {"desirable_weight": 3.0, "undesirable_weight": 0.5}
    assert weights_for(1, 9, parse("kto", own)) == Weights(3.0, 0.5)
    with pytest.raises(BadOption, match="Set both weights of kto"):
        parse("kto", {"desirable_weight": 3.0})
    with pytest.raises(BadOption, match="must be 2 or more"):
        parse("kto", {"micro_batch_size": 1})


def test_every_answer_meets_one_to_another_prompt() -> None:
    rows = [
        {"prompt_ids": [n // 2], "completion_ids": [n], "label": True, "prompt": n // 2}
        for n in range(10)
    ]
    prepared = mismatched(shuffled(rows, 3), 10)
    answers = {row["completion_ids"][0]: row["prompt_ids"][0] for row in prepared}
    assert len(answers) == 10
    for row in prepared:
        assert answers[row["KL_completion_ids"][0]] != row["prompt_ids"][0]
    assert sorted(row["KL_completion_ids"] for row in prepared) == [[n] for n in range(10)]


def test_the_order_follows_from_the_seed() -> None:
    rows = [{"prompt": n} for n in range(20)]
    assert shuffled(rows, 1) == shuffled(rows, 1) != shuffled(rows, 2)
