"""Which of two completions is better, and by how much.

part_config: ``{"type": "pairwise", "scale": "llama2" | "ab", "tie": bool, "both_bad": bool}``.
"llama2" has Llama 2's four strengths on either side and is a forced choice unless ``tie`` is set;
"ab" is a plain choice whose ``tie`` is on unless switched off.

The browser posts ``{"choice": STEP.value}``, a side with a strength; ``clean`` turns the side into
completion ids by the order this rater saw, so that nothing stored depends on a side:
``{"type": "pairwise", "outcome": "prefer", "chosen": ID, "rejected": ID, "strength": ...}``, or
``{"type": "pairwise", "outcome": "tie" | "both_bad", "completions": [ID, ID]}`` in sorted order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from labeling.questions import InvalidAnswer
from models_runtime.records import STRENGTHS, Preference, Strength

Outcome = Literal["prefer", "tie", "both_bad", "unsure"]
TIE_BY_DEFAULT = {"llama2": False, "ab": True}


@dataclass(frozen=True)
class Step:
    """One button of the judgement bar. ``position`` is the displayed side it prefers: 0 left,
    1 right, None neither. ``keys`` are the keyboard's, the first one printed on the button."""

    value: str
    keys: tuple[str, ...]
    label: str  # what the button says
    description: str  # a whole sentence, for screen readers and the list of keys
    outcome: Outcome
    position: int | None = None
    strength: Strength | None = None

    @property
    def key(self) -> str:
        return self.keys[0]


_SIDES = ("A", "B")
# What is said of a strength; the weakest step is also the honest "I cannot tell".
_WORDS: dict[Strength, tuple[str, str]] = {
    "significantly": ("significantly", "significantly better"),
    "better": ("better", "better"),
    "slightly": ("slightly", "slightly better"),
    "negligibly": ("negligibly / unsure", "negligibly better / unsure"),
}
_STRENGTH_KEYS = (("1", "2", "3", "4"), ("0", "9", "8", "7"))
_TIE = Step("tie", ("5", "t"), "Tie", "Both are equally good.", "tie")
_BOTH_BAD = Step("both_bad", ("6", "n"), "Both bad", "Neither is acceptable.", "both_bad")


def scale(part: dict[str, Any]) -> list[Step]:
    """The steps from left to right. Raises ValueError for a scale that does not exist."""
    name = part.get("scale")
    if name not in TIE_BY_DEFAULT:
        raise ValueError(f"There is no pairwise scale named {name!r}: choose llama2 or ab.")
    side = _strengths if name == "llama2" else _plain
    middle = [_TIE] if part.get("tie", TIE_BY_DEFAULT[name]) else []
    middle += [_BOTH_BAD] if part.get("both_bad") else []
    return [*side(0), *middle, *reversed(side(1))]


def _strengths(position: int) -> list[Step]:
    """One side of the eight steps, from the strongest to the weakest."""
    letter = _SIDES[position]
    return [
        Step(
            value=f"{position}:{strength}",
            keys=(key,),
            label=f"{letter} {_WORDS[strength][0]}",
            description=f"{letter} is {_WORDS[strength][1]}.",
            outcome="prefer",
            position=position,
            strength=strength,
        )
        for strength, key in zip(STRENGTHS, _STRENGTH_KEYS[position], strict=True)
    ]


def _plain(position: int) -> list[Step]:
    letter = _SIDES[position]
    return [
        Step(
            value=str(position),
            keys=(letter.lower(),),
            label=letter,
            description=f"{letter} is better.",
            outcome="prefer",
            position=position,
        )
    ]


def clean(part: dict[str, Any], raw: Any, displayed: list[int]) -> dict[str, Any]:
    """The stored part. ``displayed`` has two completion ids, left then right.

    Raises InvalidAnswer.
    """
    if len(displayed) != 2:
        raise InvalidAnswer("A pairwise question needs two completions.")
    step = _chosen_step(part, raw)
    if step.position is None:
        return {"type": "pairwise", "outcome": step.outcome, "completions": sorted(displayed)}
    return {
        "type": "pairwise",
        "outcome": step.outcome,
        "chosen": displayed[step.position],
        "rejected": displayed[1 - step.position],
        "strength": step.strength,
    }


def _chosen_step(part: dict[str, Any], raw: Any) -> Step:
    if not isinstance(raw, dict) or set(raw) != {"choice"}:
        raise InvalidAnswer("An answer is one choice on the scale.")
    for step in scale(part):
        if step.value == raw["choice"]:
            return step
    raise InvalidAnswer("That choice is not on this question's scale.")


def to_preferences(
    part: dict[str, Any], answer: dict[str, Any], trains_on: str
) -> tuple[list[Preference], list[list[int]]]:
    """Ordered pairs and tied pairs. "Both bad" is a tie for training; "unsure" says nothing."""
    if answer["outcome"] == "prefer":
        chosen, rejected = answer["chosen"], answer["rejected"]
        if trains_on == "rejected":
            chosen, rejected = rejected, chosen
        return [Preference(chosen, rejected, answer["strength"])], []
    if answer["outcome"] in ("tie", "both_bad"):
        return [], [list(answer["completions"])]
    return [], []
