"""The figures of a crowd whose faults were planted: who leans, who guesses, who hurries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from labeling import quality
from labeling.measures import TIE, Reader, Said, preference_code
from labeling.statistics.biases import NO_CHOICE
from labeling.statistics.estimates import NOBODY_TWICE

PAIR = {"preference": {"type": "pairwise"}}
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
SIDED, GUESSING, HURRYING, LONG = 1, 2, 3, 4  # the raters with a fault; the others have none


def says(
    comparison: int,
    rater: int,
    chosen: int | None,
    order: tuple[int, int] = (1, 2),
    strength: str = "better",
    milliseconds: int = 20_000,
    at: datetime = MONDAY,
) -> Said:
    """Of completions 1 and 2 of the comparison, ten apart for each."""
    one, other = (10 * comparison + pk for pk in (1, 2))
    stored: dict[str, Any] = {"type": "pairwise", "outcome": "tie", "completions": [one, other]}
    if chosen:
        ids = (one, other) if chosen == 1 else (other, one)
        stored = {"type": "pairwise", "outcome": "prefer", "strength": strength}
        stored |= {"chosen": ids[0], "rejected": ids[1]}
    shown = [10 * comparison + pk for pk in order]
    return Said(comparison, comparison, rater, {"preference": stored}, shown, milliseconds, at)


def crowd(seed: int = 0, comparisons: int = 300) -> Iterator[Said]:
    """Nine raters on every comparison; the better one is drawn, and so are the sides."""
    rng = np.random.default_rng(seed)
    for number in range(comparisons):
        better = int(rng.integers(1, 3))
        for rater in range(1, 10):
            order = (1, 2) if rng.random() < 0.5 else (2, 1)
            right = rng.random() < (0.5 if rater == GUESSING else 0.85)
            chosen = better if right else 3 - better
            if rater == SIDED and rng.random() < 0.5:
                chosen = order[0]
            hurried = 1_000 if rater == HURRYING else 15_000
            at = MONDAY + timedelta(days=7 * (number % 3))
            yield says(number, rater, chosen, order, milliseconds=hurried, at=at)


def test_planted_faults_are_found_and_nobody_else_is_suspected() -> None:
    found = quality.report(crowd(), PAIR)
    signs = {row["rater"]: row["signs"] for row in found["raters"]}
    assert signs[SIDED] == ["side"]
    assert signs[GUESSING] == ["others", "guessing"]
    assert signs[HURRYING] == ["speeding"]
    assert all(not said for rater, said in signs.items() if rater > HURRYING)


def test_agreement_is_what_the_raters_accuracy_gives() -> None:
    """Two who are right in 85 % agree in .85^2 + .15^2 = 74.5 %."""
    honest = [said for said in crowd() if said.rater > HURRYING]
    found = quality.report(honest, PAIR)
    figures = found["measures"][0]["figures"]
    assert figures["percent"]["low"] < 0.745 < figures["percent"]["high"]
    assert figures["alpha_outcome"]["value"] == pytest.approx(2 * 0.745 - 1, abs=0.04)
    assert [week["week"] for week in found["weeks"]] == ["2026-01-05", "2026-01-12", "2026-01-19"]


def test_nothing_depends_on_the_order_of_labels_or_on_which_id_is_lower() -> None:
    rows = list(crowd(comparisons=60))
    plain = quality.report(rows, PAIR)
    backwards = quality.report(rows[::-1], PAIR)
    assert backwards["measures"] == plain["measures"]
    turned = quality.report([_renamed(said) for said in rows], PAIR)
    for name, figure in plain["measures"][0]["figures"].items():
        assert turned["measures"][0]["figures"][name]["value"] == pytest.approx(figure["value"])


def _renamed(said: Said) -> Said:
    """The two completions of every second comparison with each other's id."""
    if said.comparison % 2:
        return said
    stored = dict(said.parts["preference"])
    stored["chosen"], stored["rejected"] = stored["rejected"], stored["chosen"]
    return Said(**{**said.__dict__, "parts": {"preference": stored}, "order": said.order[::-1]})


def test_a_crowd_that_prefers_the_longer_text_shows_it() -> None:
    rows = [says(n, n // 10 % 5, 1 if n % 10 < 8 else 2) for n in range(400)]
    lengths = {10 * n + pk: 200 if pk == 1 else 100 for n in range(400) for pk in (1, 2)}
    found = quality.report(rows, PAIR, lengths)
    assert found["length"]["low"] > 1
    assert quality.report(rows, PAIR)["length"]["undefined"] == NO_CHOICE


def test_how_often_each_is_right_is_learned_without_being_told() -> None:
    """Eight of nine are right in 85 %; one flips a coin, and one of the eight gets worse."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(600):
        better, week = int(rng.integers(1, 3)), number % 6
        for rater in range(1, 10):
            share = {GUESSING: 0.5, LONG: 0.95 - 0.08 * week}.get(rater, 0.85)
            chosen = better if rng.random() < share else 3 - better
            at = MONDAY + timedelta(days=7 * week)
            rows.append(says(number, rater, chosen, at=at))
    found = {row["rater"]: row for row in quality.report(rows, PAIR)["raters"]}
    for rater, share in ((SIDED, 0.85), (GUESSING, 0.5), (LONG, 0.75)):
        accuracy = found[rater]["accuracy"]
        assert accuracy["low"] < share < accuracy["high"]
        assert accuracy["high"] - accuracy["low"] < 0.1
    assert found[LONG]["drift"]["high"] < 0
    assert "drift" in found[LONG]["signs"]
    assert not any("drift" in found[rater]["signs"] for rater in found if rater != LONG)


def test_an_interval_for_raters_like_these_is_wider_than_one_for_these() -> None:
    """Of nine raters, three of whom have faults, little is known of others."""
    figure = quality.report(crowd(), PAIR)["measures"][0]["figures"]["percent"]
    low, high = figure["alike"]
    assert low < figure["low"] < figure["value"] < figure["high"] < high


def answered(n: int, rater: int, chosen: int | None, scale: str = "llama2") -> Said:
    return says(n, rater, chosen, strength="" if scale == "ab" else "better")


@pytest.mark.parametrize("scale", ["ab", "llama2"])
def test_coin_flips_agree_no_better_than_chance_on_any_scale(scale: str) -> None:
    """A category that nobody could choose would make chance look rare."""
    rng = np.random.default_rng(0)
    part = {"preference": {"type": "pairwise", "scale": scale, "tie": False}}
    rows = [answered(n, r, int(rng.integers(1, 3)), scale) for n in range(400) for r in range(3)]
    figures = quality.report(rows, part)["measures"][0]["figures"]
    assert abs(figures["ac_outcome"]["value"]) < 0.1
    assert abs(figures["alpha"]["value"]) < 0.1
    if scale == "ab":
        assert abs(figures["ac"]["value"]) < 0.1


def test_a_model_that_nearly_always_wins_makes_nobody_a_guesser() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for number in range(200):
        better = 2 if rng.random() < 0.95 else 1
        for rater in range(5):
            rows.append(says(number, rater, better if rng.random() < 0.8 else 3 - better))
    found = quality.report(rows, PAIR)["raters"]
    assert all(row["competence"] > 0.4 for row in found)
    assert not {"guessing", "others"} & {sign for row in found for sign in row["signs"]}


def test_raters_who_always_agree_are_no_guessers() -> None:
    found = quality.report([says(n, r, 2) for n in range(60) for r in range(4)], PAIR)["raters"]
    assert all(row["competence"] == pytest.approx(1, abs=0.01) for row in found)
    assert all("guessing" not in row["signs"] for row in found)


def test_honest_raters_of_a_long_scale_are_like_each_other() -> None:
    """Exact agreement on seven points is rare, and nobody's fault."""
    rng = np.random.default_rng(2)
    parts = {"points": {"type": "rating", "scale": "likert7"}}
    rows = []
    for number in range(120):
        truth = rng.uniform(1, 7)
        for rater in range(4):
            value = int(np.clip(round(truth + rng.normal(0, 0.8)), 1, 7))
            row = {"completion": number, "values": {"overall": value}}
            stored = {"points": {"type": "rating", "ratings": [row]}}
            rows.append(Said(number, number, rater, stored, [number], 20_000, MONDAY))
    assert all(row["signs"] == [] for row in quality.report(rows, parts)["raters"])


def test_a_question_that_was_turned_round_says_the_same() -> None:
    plain = [says(n, r, 1) for n in range(30) for r in (1, 2)]
    turned = [replace(says(n, 3, 2), turned=True) for n in range(30)]
    figures = quality.report([*plain, *turned], PAIR)["measures"][0]["figures"]
    assert figures["percent"]["value"] == 1


def test_who_is_unsure_says_nothing() -> None:
    unsure = {"preference": {"type": "pairwise", "outcome": "unsure", "completions": [11, 12]}}
    rows = [says(1, 1, None), Said(1, 1, 2, unsure, [11, 12], 20_000, MONDAY)]
    found = quality.report(rows, PAIR)
    assert found["measures"][0]["judgements"] == 1
    assert [row["ties"] for row in found["raters"]] == [1, None]


def test_one_ranking_is_one_card_however_many_pairs_it_has() -> None:
    parts = {"order": {"type": "ranking"}}
    ids = [*range(1, 8)]
    rows = []
    for rater, order in enumerate((ids, ids, ids[::-1])):
        stored = {"type": "ranking", "tiers": [[pk] for pk in order]}
        stored |= {"unranked": [], "unrankable": []}
        rows.append(Said(1, 1, rater, {"order": stored}, ids, 20_000, MONDAY))
    found = quality.report(rows, parts)["raters"]
    assert all(row["agrees"]["n"] == 1 for row in found)
    assert all(row["signs"] == [] for row in found)


def test_a_script_that_says_no_time_at_all_is_speeding() -> None:
    rows = [says(n, 1, 1, milliseconds=0) for n in range(30)]
    assert "speeding" in quality.report(rows, PAIR)["raters"][0]["signs"]


def test_strength_is_read_from_the_lower_id_and_a_tie_lies_between() -> None:
    assert preference_code(1, 2, "significantly") == 8
    assert preference_code(2, 1, "significantly") == 0
    reader = Reader(PAIR)
    list(reader.read([says(1, 1, None), says(2, 1, 2, strength="slightly")]))
    assert list(reader.measures["preference", ""].codes) == [TIE, TIE - 2]


def test_rankings_are_read_pair_by_pair_and_ratings_aspect_by_aspect() -> None:
    parts = {
        "order": {"type": "ranking"},
        "quality": {"type": "rating", "scale": "likert7"},
    }
    answer = {
        "order": {"type": "ranking", "tiers": [[3], [1, 2]], "unranked": [], "unrankable": []},
        "quality": {
            "type": "rating",
            "ratings": [{"completion": 1, "values": {"overall": 5, "truth": 2}}],
        },
    }
    reader = Reader(parts)
    list(reader.read([Said(1, 1, 1, answer, [1, 2, 3], None, MONDAY)]))
    assert list(reader.measures["order", ""].codes) == [TIE, TIE - 1, TIE - 1]
    assert {name for part, name in reader.measures if part == "quality"} == {"overall", "truth"}


def test_one_rater_gives_sentences_and_no_number_that_json_does_not_know() -> None:
    found = quality.report([says(1, 1, 1), says(2, 1, 2)], PAIR)
    figures = found["measures"][0]["figures"].values()
    assert {one["undefined"] for one in figures} == {NOBODY_TWICE}
    assert json.loads(json.dumps(found, allow_nan=False))["labels"] == 2
    assert quality.report([], PAIR)["measures"] == []


def test_marks_checks_safety_and_confidence_are_measured_too() -> None:
    parts = {
        "marks": {"type": "flags", "flags": {"opinion": "Opinion", "wrong": "Wrong"}},
        "list": {"type": "checklist", "items": {"kind": "Kind"}},
        "safety": {"type": "safety_bin"},
        "sure": {"type": "confidence"},
    }

    def one(rater: int, codes: list[str], met: bool, safe: list[int], value: int) -> Said:
        stored = {
            "marks": {"type": "flags", "flags": [{"completion": 1, "codes": codes}]},
            "list": {
                "type": "checklist",
                "checks": [{"met": ["kind"] * met, "missed": ["kind"] * (not met)}],
            },
            "safety": {"type": "safety_bin", "safe": safe, "unsafe": sorted({1, 2} - {*safe})},
            "sure": {"type": "confidence", "value": value},
        }
        return Said(1, 1, rater, stored, [1, 2], None, MONDAY)

    rows = [one(1, ["opinion"], True, [1, 2], 9), one(2, [], True, [1], 7)]
    found = {(row["part"], row["name"]): row for row in quality.report(rows, parts)["measures"]}
    agree = {key: row["figures"]["percent"]["value"] for key, row in found.items()}
    assert agree["marks", "opinion"] == 0
    assert agree["marks", "wrong"] == agree["list", "kind"] == 1
    assert agree["safety", ""] == 0.5
    assert found["sure", ""]["level"] == "ordinal"
