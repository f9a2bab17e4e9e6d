"""Which methods can learn from the answers to a question."""

from __future__ import annotations

import pytest

from labeling.iterations import Plan
from training import lessons

PAIR = {"type": "pairwise", "scale": "ab"}
THUMB, WRITTEN, FLAGS = {"type": "thumbs"}, {"type": "demonstration"}, {"type": "flags"}
EACH, OF_THE_PROMPT = {"type": "rating", "over": "each"}, {"type": "rating", "over": "item"}


@pytest.mark.parametrize(
    ("part", "method", "sentence"),
    [
        (PAIR, "raft", ""),
        (PAIR, "kto", ""),
        (PAIR, "spin", ""),
        (THUMB, "kto", ""),
        (EACH, "kto", ""),
        (THUMB, "conditional", ""),
        (EACH, "conditional", ""),
        (EACH, "hindsight", lessons.ONE_BY_ONE),
        (WRITTEN, "sft", ""),
        (WRITTEN, "spin", ""),
        (THUMB, "dpo", lessons.ONE_BY_ONE),
        (EACH, "sft", lessons.ONE_BY_ONE),
        (WRITTEN, "kto", lessons.ONLY_DEMONSTRATIONS),
        (OF_THE_PROMPT, "kto", lessons.NOTHING),
        (FLAGS, "sft", lessons.NOTHING),
    ],
)
def test_a_plan_is_refused_unless_its_method_learns_from_such_answers(
    part: dict[str, str], method: str, sentence: str
) -> None:
    assert lessons.refusal(Plan(method=method), {"a": part}) == sentence
