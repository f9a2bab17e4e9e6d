"""Four times the text takes four times the work, counted in bytecodes, whatever it is made of.

What C and Rust do is not counted: searches (bounded in formulas.py) and nh3's parser.
"""

import sys
from types import FrameType
from typing import Any

import pytest

from labeling.rendering import render, visible
from tests.hostile.sizes import PIECES, repeated

pytestmark = pytest.mark.long

SMALL = 1_000  # characters
MOST = 4.6


def bytecodes(work: Any, text: str) -> int:
    """How many bytecodes Python runs for it; the same on every machine."""
    ran = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal ran
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        ran += event == "opcode"
        return count

    work("warm up *a* $x$ [a](http://x.example) `b`")
    before = sys.gettrace()
    sys.settrace(count)
    try:
        work(text)
    finally:
        sys.settrace(before)
    return ran


@pytest.mark.parametrize("name", PIECES)
def test_rendering_is_linear_in_length(name):
    small, large = (bytecodes(render, repeated(name, n)) for n in (SMALL, 4 * SMALL))
    assert large <= MOST * small


@pytest.mark.parametrize("name", ["letters", "unseen characters", "tag characters", "emoji"])
def test_the_raw_view_is_linear_in_length(name):
    small, large = (bytecodes(visible, repeated(name, n)) for n in (SMALL, 4 * SMALL))
    assert large <= MOST * max(small, 100)


def test_the_count_tells_quadratic_work_from_linear():
    def quadratic(text: str) -> None:
        for end in range(len(text)):
            for _ in text[:end:10]:
                pass

    assert bytecodes(quadratic, "a" * 800) > 2 * MOST * bytecodes(quadratic, "a" * 200)
