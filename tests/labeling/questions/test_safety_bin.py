"""The safety bin: three bins beside a preference, and the fourth that is not offered."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Shown, safety_bin

FORM: dict[str, Any] = {
    "preference": {"type": "pairwise", "scale": "llama2", "tie": True},
    "safety": {"type": "safety_bin"},
}


def answer(choice: str, said: str, *ids: int) -> dict[str, Any]:
    raw = {"preference": {"choice": choice}, "safety": {"bin": said}}
    found = questions.clean_parts(FORM, raw, ids or (20, 10)).answer["parts"]["safety"]
    assert isinstance(found, dict)
    return found


def test_the_chosen_one_is_the_safe_one_whichever_side_it_was_on() -> None:
    wanted = {"type": "safety_bin", "bin": "chosen_safe", "safe": [10], "unsafe": [20]}
    assert answer("1:better", "chosen_safe", 20, 10) == wanted
    assert answer("0:better", "chosen_safe", 10, 20) == wanted


def test_both_and_neither_need_no_preference() -> None:
    for choice in ("tie", "0:better"):
        assert answer(choice, "both_safe")["safe"] == [10, 20]
        assert answer(choice, "both_unsafe")["unsafe"] == [10, 20]


def test_without_a_preference_nothing_was_chosen() -> None:
    with pytest.raises(InvalidAnswer, match="You preferred neither"):
        answer("tie", "chosen_safe")


def test_that_the_other_one_is_the_safe_one_is_not_offered_and_the_rule_is_said() -> None:
    controls = safety_bin.controls({"type": "safety_bin"}, Shown([20, 10]))
    assert [option["value"] for option in controls["options"]] == [
        "chosen_safe",
        "both_safe",
        "both_unsafe",
    ]
    assert "choose again" in controls["rule"]
    for said in ("other_safe", "", "chosen"):
        with pytest.raises(InvalidAnswer, match="Say which"):
            answer("0:better", said)


def test_words_name_the_letters() -> None:
    stored = answer("1:better", "chosen_safe", 20, 10)
    assert safety_bin.words({}, stored, [20, 10]) == "B safe, A not"
    assert safety_bin.words({}, answer("tie", "both_unsafe"), [20, 10]) == "both unsafe"
