"""A conversation with a model that gives two replies a turn; the one that is put first goes on.

part_config: ``{"type": "conversation", "turns": 1..50, "models": [NAME, ...]}``, beside a part
that compares two completions (pairwise, on any scale), which is answered at every turn. It stores
nothing: each turn's label belongs to a comparison of its own.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Shown, live
from models_runtime.phrases import phrase

LIVE = "conversation"
OPTIONS = (live.TURNS, live.MODELS)
check = live.check
asked = live.never_asked
replies = live.a_pair
controls = live.no_controls
to_preferences = live.no_preferences


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    raise InvalidAnswer(phrase("A conversation is judged turn by turn."))
