"""Text as HTML in which no character is invisible: a run of those is spelled out as a marker."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

# Invisible or direction-changing: control and format characters (but those that are drawn, as
# U+0600), line separators, fillers, joiners, selectors and tags, in which text can be smuggled.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# Where joiners and selectors belong to the writing: after a letter of a joining script, and
# in emoji. One at a time, so nothing can be smuggled in a run of them.
_IN_WRITING = re.compile(
    "(?<=[\u0620-\u0eff\u1000-\u109f\u1780-\u18af])[\u200c\u200d](?=[\u0620-\u18af])"
    "|(?<=[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff#*0-9])\ufe0f"
    "|(?<=[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
TITLE = re.compile(r"U\+[0-9A-F]{4,6}…?( ×\d+)?")


def escape(text: str) -> str:
    """Text as HTML, every run of invisible characters as one marker that names its first."""
    kept = {match.start() for match in _IN_WRITING.finditer(text)}
    return "".join(_pieces(text, kept))


def _pieces(text: str, kept: set[int]) -> Iterator[str]:
    done = 0
    for match in INVISIBLE.finditer(text):
        if match.end() - match.start() == 1 and match.start() in kept:
            continue
        yield html.escape(text[done : match.start()])
        yield _marker(match.group())
        done = match.end()
    yield html.escape(text[done:])


def _marker(run: str) -> str:
    name = f"U+{ord(run[0]):04X}"
    if len(run) > 1:
        name += f"{'…' if len(set(run)) > 1 else ''} ×{len(run)}"
    return f'<span class="ctl" title="{name}">{name}</span>'
