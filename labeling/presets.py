"""The literature's instruments as data: what a lead picks, then edits. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    title: str
    summary: str
    question: str
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    "llama2": Preset(
        title="Llama 2",
        summary="Forced choice with four strengths on either side: significantly, better, "
        "slightly, negligibly better or unsure.",
        question="Which answer would you rather have, and by how much?",
        parts={"preference": {"type": "pairwise", "scale": "llama2"}},
    ),
    "ab": Preset(
        title="A or B",
        summary="Which of the two is better, without strengths.",
        question="Which answer is better?",
        parts={"preference": {"type": "pairwise", "scale": "ab"}},
    ),
}


def parts(name: str, *, tie: bool) -> dict[str, dict[str, Any]]:
    """The question's parts of a preset, with or without a tie. Raises KeyError on its name."""
    return {key: {**part, "tie": tie} for key, part in PRESETS[name].parts.items()}
