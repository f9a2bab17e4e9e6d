"""Which of two completions is better, and by how much.

part_config: ``{"type": "pairwise", "scale": NAME, "tie": bool, "both_bad": bool, "unsure":
bool}``. The scales, by what they press on either side, the strongest first, and what a press is
stored as:

    ab          one step                                          no strength
    llama2      significantly, better, slightly, negligibly       that strength (Llama 2)
    hh8         the same four steps as a line from A to B         that strength (HH)
    five        clearly, slightly better                          significantly, slightly (Tülu 3)
    seven       much, plainly, slightly better                    significantly, better, slightly
    helpsteer   3, 2, 1 of -3..3, as a line from A to B           significantly, better, slightly

``tie`` is on for all but llama2 and hh8, where the choice is forced, unless it is set otherwise;
the middle of five, seven and helpsteer is the tie. ``both_bad`` and ``unsure`` add their steps.

The browser posts ``{"choice": STEP.value}``, a side with a strength; ``clean`` turns the side into
completion ids by the order this rater saw, so that nothing stored depends on a side:
``{"type": "pairwise", "outcome": "prefer", "chosen": ID, "rejected": ID, "strength": ...}``, with
``"degree": 1..3`` where the scale counts its steps (never a signed number, whose sign would be a
side), or ``{"type": "pairwise", "outcome": "tie" | "both_bad" | "unsure", "completions": [ID,
ID]}`` in sorted order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from labeling.questions import InvalidAnswer, Option, Raw, Shown, letter
from models_runtime.phrases import phrase, together
from models_runtime.records import STRENGTHS, Preference, Strength

INSTANT = True
VOTES = True
Outcome = Literal["prefer", "tie", "both_bad", "unsure"]


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
    degree: int | None = None  # the number of a counted step, 1 the weakest

    @property
    def key(self) -> str:
        return self.keys[0]


@dataclass(frozen=True)
class Press:
    """A step as either side has it. ``labels`` and ``keys``: the left side's, the right side's."""

    value: str
    labels: tuple[str, str]
    words: str  # "slightly better"
    keys: tuple[str, str]
    strength: Strength | None = None
    degree: int | None = None


@dataclass(frozen=True)
class Scale:
    """``presses`` from the strongest to the weakest; ``middle``: the tie's label and keys."""

    presses: tuple[Press, ...]
    tie: bool
    middle: tuple[str, tuple[str, ...]] = (phrase("Tie"), ("5", "t"))
    both_bad: tuple[str, ...] = ("6", "n")


def _same(said: str) -> tuple[str, str]:
    return together(" ", ["A", said]), together(" ", ["B", said])


# What is said of a strength; the weakest step is also the honest "I cannot tell".
_WORDS: dict[Strength, tuple[str, str]] = {
    "significantly": (phrase("significantly"), phrase("significantly better")),
    "better": (phrase("better"), phrase("better")),
    "slightly": (phrase("slightly"), phrase("slightly better")),
    "negligibly": (phrase("negligibly / unsure"), phrase("negligibly better / unsure")),
}
OUTCOMES = {
    "tie": phrase("tie"),
    "both_bad": phrase("both bad"),
    "unsure": phrase("unsure"),
}
_EIGHT_KEYS = (("1", "0"), ("2", "9"), ("3", "8"), ("4", "7"))
_LLAMA2 = tuple(
    Press(strength, _same(_WORDS[strength][0]), _WORDS[strength][1], keys, strength)
    for strength, keys in zip(STRENGTHS, _EIGHT_KEYS, strict=True)
)
_HH8 = tuple(
    Press(press.value, (f"A {squares}", f"{squares} B"), press.words, press.keys, press.strength)
    for press, squares in zip(_LLAMA2, ("▪▪▪▪", "▪▪▪", "▪▪", "▪"), strict=True)
)
_FIVE = (
    Press("2", _same(phrase("clearly")), phrase("clearly better"), ("1", "5"), "significantly", 2),
    Press("1", _same(phrase("slightly")), phrase("slightly better"), ("2", "4"), "slightly", 1),
)
_SEVEN = (
    Press(
        "3", _same(phrase("much better")), phrase("much better"), ("1", "7"), "significantly", 3
    ),
    Press("2", _same(phrase("better")), phrase("better"), ("2", "6"), "better", 2),
    Press("1", _same(phrase("slightly")), phrase("slightly better"), ("3", "5"), "slightly", 1),
)
# No numbers on these steps: one that says 1 would lie on the key 5, and the key 1 on another.
_HELPSTEER = tuple(
    Press(p.value, (f"A {squares}", f"{squares} B"), p.words, p.keys, p.strength, p.degree)
    for p, squares in zip(_SEVEN, ("▪▪▪", "▪▪", "▪"), strict=True)
)
SCALES = {
    "ab": Scale((Press("", ("A", "B"), phrase("better"), ("a", "b")),), tie=True),
    "llama2": Scale(_LLAMA2, tie=False),
    "hh8": Scale(_HH8, tie=False),
    "five": Scale(_FIVE, tie=True, middle=(phrase("Tie"), ("3", "t")), both_bad=("n",)),
    "seven": Scale(
        _SEVEN, tie=True, middle=(phrase("About the same"), ("4", "t")), both_bad=("n",)
    ),
    "helpsteer": Scale(
        _HELPSTEER, tie=True, middle=(phrase("About the same"), ("4", "t")), both_bad=("n",)
    ),
}
OPTIONS = (
    Option(
        "scale",
        "choice",
        phrase("Scale"),
        default="llama2",
        choices=(
            ("ab", phrase("A or B")),
            ("llama2", phrase("Four strengths on either side")),
            ("hh8", phrase("Eight steps on a line from A to B")),
            ("five", phrase("Five steps: clearly, slightly, tie")),
            ("seven", phrase("Seven steps, in words")),
            ("helpsteer", phrase("−3 to 3")),
        ),
    ),
    Option("tie", "flag", phrase("Raters may call it a tie")),
    Option("both_bad", "flag", phrase("Raters may say that neither is acceptable")),
    Option("unsure", "flag", phrase("Raters may say that they cannot tell")),
)


def scale(part: dict[str, Any]) -> list[Step]:
    """The steps from left to right. Raises ValueError for a scale that does not exist."""
    name = part.get("scale", "llama2")
    if name not in SCALES:
        raise ValueError(
            phrase(
                "There is no pairwise scale named %(name)s: choose %(scales)s.",
                name=repr(name),
                scales=", ".join(SCALES),
            )
        )
    found = SCALES[name]
    left, right = ([_step(press, side) for press in found.presses] for side in (0, 1))
    return [*left, *_middle(part, found), *reversed(right)]


def _step(press: Press, position: int) -> Step:
    return Step(
        value=f"{position}:{press.value}" if press.value else str(position),
        keys=(press.keys[position],),
        label=press.labels[position],
        description=phrase("%(letter)s is %(words)s.", letter="AB"[position], words=press.words),
        outcome="prefer",
        position=position,
        strength=press.strength,
        degree=press.degree,
    )


def _middle(part: dict[str, Any], found: Scale) -> list[Step]:
    """The steps that prefer neither side."""
    steps = []
    if part.get("tie", found.tie):
        label, keys = found.middle
        steps.append(Step("tie", keys, label, phrase("Both are equally good."), "tie"))
    if part.get("both_bad"):
        said = phrase("Neither is acceptable.")
        steps.append(Step("both_bad", found.both_bad, phrase("Both bad"), said, "both_bad"))
    if part.get("unsure"):
        steps.append(
            Step(
                "unsure",
                ("q",),
                phrase("Unsure"),
                phrase("I cannot tell which is better."),
                "unsure",
            )
        )
    return steps


def filled(part: dict[str, Any]) -> dict[str, Any]:
    """The part with the tie that its scale has by itself."""
    return {"tie": SCALES[part.get("scale", "llama2")].tie, **part}


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for a scale that does not exist."""
    scale(part)


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """The buttons in up to three groups: the left side's, the middle, the right side's."""
    groups: dict[str, list[Step]] = {"left": [], "middle": [], "right": []}
    for step in scale(part):
        groups["middle" if step.position is None else ("left", "right")[step.position]].append(
            step
        )
    return {"groups": [{"name": name, "steps": steps} for name, steps in groups.items() if steps]}


def best(part: dict[str, Any], stored: dict[str, Any]) -> int | None:
    chosen: int | None = stored.get("chosen")
    return chosen


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    if stored["outcome"] != "prefer":
        return OUTCOMES[stored["outcome"]]
    return together(" ", [letter(order, stored["chosen"]), _said(part, stored)])


def _said(part: dict[str, Any], stored: dict[str, Any]) -> str:
    """The words of the step that was pressed; of its strength, where the scale is another now."""
    name = part.get("scale", "llama2")
    presses = SCALES[name].presses if name in SCALES else ()
    for press in presses:
        if (press.strength, press.degree) == (stored["strength"], stored.get("degree")):
            return press.words
    return _WORDS[stored["strength"]][1] if stored["strength"] else phrase("better")


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part, of two completions. Raises InvalidAnswer."""
    displayed = shown.ids
    if len(displayed) != 2:
        raise InvalidAnswer(phrase("A pairwise question needs two completions."))
    step = _chosen_step(part, raw)
    if step.position is None:
        return {"type": "pairwise", "outcome": step.outcome, "completions": sorted(displayed)}
    counted = {} if step.degree is None else {"degree": step.degree}
    return {
        "type": "pairwise",
        "outcome": step.outcome,
        "chosen": displayed[step.position],
        "rejected": displayed[1 - step.position],
        "strength": step.strength,
        **counted,
    }


def _chosen_step(part: dict[str, Any], raw: Any) -> Step:
    if not isinstance(raw, dict) or set(raw) != {"choice"}:
        raise InvalidAnswer(phrase("An answer is one choice on the scale."))
    for step in scale(part):
        if step.value == raw["choice"]:
            return step
    raise InvalidAnswer(phrase("That choice is not on this question's scale."))


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    """The step that was pressed; none where the scale has it no more."""
    side = order.index(stored["chosen"]) if stored["outcome"] == "prefer" else None
    said = (stored["outcome"], side, stored.get("strength"), stored.get("degree"))
    for step in scale(part):
        if (step.outcome, step.position, step.strength, step.degree) == said:
            return {"choice": step.value}
    return {}


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
