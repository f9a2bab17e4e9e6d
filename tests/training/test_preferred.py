"""Without demonstrations, SFT imitates what was preferred (Preferred-FT, Rafailov et al. 2023)."""

from __future__ import annotations

from models_runtime.records import Preference, PreferenceRecord, SnapshotCompletion
from training.demonstrations import preferred


def record(*pairs: tuple[int, int]) -> PreferenceRecord:
    return PreferenceRecord(
        comparison_id=1,
        prompt_id=1,
        iteration=1,
        item="bread",
        split="train",
        fold="policy",
        messages=[{"role": "user", "content": "How do I bake bread?"}],
        completions=[SnapshotCompletion(n, f"answer {n}") for n in (1, 2, 3)],
        preferences=[Preference(chosen, rejected) for chosen, rejected in pairs],
    )


def test_the_preferred_answer_is_a_demonstration() -> None:
    (row,) = preferred(record((2, 1)))
    assert row.text == "answer 2"


def test_an_answer_that_another_beats_is_none() -> None:
    assert [row.text for row in preferred(record((1, 2), (2, 3)))] == ["answer 1"]


def test_a_tie_demonstrates_nothing() -> None:
    assert preferred(record()) == []
