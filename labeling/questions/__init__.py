"""The instruments a rater answers with, one module each, pure.

A question is a form of named parts, ``{KEY: part_config}``; a part_config names its type. Every
module has ``clean``, ``to_preferences`` and ``scale``; the functions here do a whole form.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from models_runtime.records import Preference

QUESTION_TYPES = {"pairwise": "labeling.questions.pairwise"}

Parts = dict[str, dict[str, Any]]


class InvalidAnswer(ValueError):
    """What was sent does not answer the question. The message is one sentence for the rater."""


def load(name: str) -> ModuleType:
    """The module of a question type. Raises ValueError when there is none of that name."""
    if name not in QUESTION_TYPES:
        raise ValueError(f"There is no question type named {name!r}.")
    return import_module(QUESTION_TYPES[name])


def choices() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in QUESTION_TYPES]


def clean_parts(parts: Parts, raw: Any, displayed: list[int]) -> dict[str, Any]:
    """The stored answer ``{"v": 1, "parts": {KEY: {"type": ..., ...}}}``.

    ``displayed`` holds the completion ids from left to right as this rater saw them; the answer
    names ids alone. Raises InvalidAnswer.
    """
    if not isinstance(raw, dict) or set(raw) != set(parts):
        raise InvalidAnswer("The answer does not have the parts that the question asks for.")
    return {
        "v": 1,
        "parts": {
            key: load(part["type"]).clean(part, raw[key], displayed) for key, part in parts.items()
        },
    }


def preferences_of(
    parts: Parts, answer: dict[str, Any], trains_on: str
) -> tuple[list[Preference], list[list[int]]]:
    """What a stored answer says for training: ordered pairs, and pairs that tied.

    ``trains_on`` is QuestionVersion's: "rejected" turns every pair round, since there the chosen
    completion is the one that training should avoid.
    """
    preferences: list[Preference] = []
    ties: list[list[int]] = []
    for key, part in parts.items():
        if key not in answer["parts"]:
            continue
        ordered, tied = load(part["type"]).to_preferences(part, answer["parts"][key], trains_on)
        preferences += ordered
        ties += tied
    return preferences, ties
