"""A free chat with two hidden models, each in a thread of its own, then one vote on the whole.

part_config: ``{"type": "arena", "turns": 1..50, "models": [NAME, ...]}``, beside a part that
compares two completions (pairwise, on the scale ab with both_bad). It stores nothing: the vote is
a label on the two threads' first replies, which stand for what follows them (labeling.threads).
Names are shown once the label is stored.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Shown, live
from models_runtime.phrases import phrase

LIVE = "arena"
OPTIONS = (live.TURNS, live.MODELS)
check = live.check
asked = live.never_asked
replies = live.a_pair
controls = live.no_controls
to_preferences = live.no_preferences


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    raise InvalidAnswer(phrase("An arena is judged by its vote."))
