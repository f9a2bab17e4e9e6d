"""Formulas in Markdown: ``$a$``, ``$$a$$``, ``\\(a\\)`` and ``\\[a\\]`` as rules of the parser.

A dollar is a formula's only if no space stands inside the pair and no letter or digit outside:
"$5 to $10", "US$5" and "$HOME:$PATH" stay text. A pair holds at most mathml.MAX_FORMULA_CHARS
characters, so that a search for its end is bounded, and the next dollar ends it or none does.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from labeling.rendering.mathml import MAX_FORMULA_CHARS

MAX_LINES = 100  # of a displayed formula
PAIRS = {"$": "$", "$$": "$$", "\\(": "\\)", "\\[": "\\]"}
DISPLAYED = ("$$", "\\[")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_REST_OF_LINE = re.compile(r"[ \t]*(?=\n|\Z)")


def install(parser: MarkdownIt) -> None:
    """Add the rules; tokens ``formula`` and ``formula_block`` carry the opening sign as markup."""
    parser.block.ruler.before(
        "fence", "formula_block", _block, {"alt": ["paragraph", "blockquote", "list"]}
    )
    parser.inline.ruler.before("escape", "formula", _inline)


def source(content: str, markup: str) -> str:
    """A formula as it was written."""
    return f"{markup}{content}{PAIRS[markup]}"


def _inline(state: StateInline, silent: bool) -> bool:
    opener = _opener(state.src, state.pos)
    if opener is None:
        return False
    start = state.pos + len(opener)
    end = _end(state.src, opener, start, min(state.posMax, start + MAX_FORMULA_CHARS))
    if end is None or not state.src[start:end].strip():
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = state.src[start:end], opener
    state.pos = end + len(opener)
    return True


def _opener(text: str, pos: int) -> str | None:
    """The sign that stands here; three dollars and more are none."""
    if text[pos] == "\\":
        return next((sign for sign in ("\\[", "\\(") if text.startswith(sign, pos)), None)
    if text[pos] != "$" or text[max(pos - 1, 0) : pos] == "$" or text.startswith("$$$", pos):
        return None
    return "$$" if text.startswith("$$", pos) else "$"


def _end(text: str, opener: str, start: int, limit: int) -> int | None:
    """Where the closing sign stands, before ``limit``."""
    if opener == "$":
        return _dollar(text, start, limit)
    end = text.find(PAIRS[opener], start, limit)
    return end if end > start else None


def _dollar(text: str, start: int, limit: int) -> int | None:
    end = text.find("$", start, limit)
    while end > 0 and _is_escaped(text, end, start):
        end = text.find("$", end + 1, limit)
    if end <= start or text[start].isspace() or text[end - 1].isspace():
        return None
    outside = text[max(start - 2, 0) : start - 1] + text[end + 1 : end + 2]
    return None if any(char.isalnum() for char in outside) else end


def _is_escaped(text: str, pos: int, start: int) -> bool:
    before = text[start:pos]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _block(state: StateBlock, first: int, end_line: int, silent: bool) -> bool:
    """Lines that begin with a displayed formula's sign and end with the other, none of them empty:
    within a formula, a line that begins with a plus is no list."""
    pos = state.bMarks[first] + state.tShift[first]
    opener = state.src[pos : pos + 2]
    if opener not in DISPLAYED or state.is_code_block(first):
        return False
    end = _end_of_lines(state.src, opener, pos + 2)
    last = None if end is None else _last_line(state, first, end_line, end)
    if last is None:
        return False
    if not silent:
        _push(state, first, last, opener)
        state.line = last + 1
    return True


def _end_of_lines(text: str, opener: str, start: int) -> int | None:
    end = text.find(PAIRS[opener], start, start + MAX_FORMULA_CHARS)
    if end < 0 or not text[start:end].strip() or not _REST_OF_LINE.match(text, end + 2):
        return None
    return None if _EMPTY_LINE.search(text, start, end) else end


def _last_line(state: StateBlock, first: int, end_line: int, end: int) -> int | None:
    """The line of the closing sign, if all lines to it belong to the same quote or list."""
    for line in range(first, min(end_line, first + MAX_LINES)):
        if line > first and (state.isEmpty(line) or state.sCount[line] < state.blkIndent):
            return None
        if end < state.eMarks[line]:
            return line
    return None


def _push(state: StateBlock, first: int, last: int, opener: str) -> None:
    lines = state.getLines(first, last + 1, state.blkIndent, False).strip()
    token = state.push("formula_block", "math", 0)
    token.content, token.markup = lines[2:-2], opener
    token.map = [first, last + 1]
