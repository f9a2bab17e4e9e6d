"""Hostile text (model output, prompts, guidelines) to HTML that is safe to put into a page.

Markdown is parsed with raw HTML off (markdown.py), its formulas become MathML (mathml.py), and
all of it is then reduced by nh3 to an allow-list (wall.py): two walls, of which either alone
should hold. Pure Python.

What a text can never do: bring an element, id, class, ``hx-`` or ``data-`` attribute of its own,
load anything, or hide a character. Links show the host they lead to, images become words,
headings are demoted below the page's own, invisible and direction-changing characters are
spelled out, and every block finds its own direction, so that a right-to-left override cannot
reach a neighbour. Time is linear in the length: what would not be is shown as plain text.
"""

from __future__ import annotations

import re

from labeling.rendering import markdown, wall
from labeling.rendering.characters import escape

RENDERER = "markdown-2"  # kept with the HTML; change it whenever the output changes

MAX_CHARS = 50_000
MAX_CELLS = 5_000  # of tables: the parser fills short rows up, 3 characters becoming 800


def render(text: str) -> str:
    """Safe HTML of a Markdown text; too long or too costly a text is shown plainly, and says so.

    It holds only wall.TAGS with wall.ATTRIBUTES, and no link but to http, https and mailto.
    """
    source, note = _capped(_normalised(text))
    body = None if _is_costly(source) else markdown.html_of(source)
    return wall.cleaned((_plain(source) if body is None else body) + note)


def visible(text: str) -> str:
    """The raw text as HTML for a ``pre``: escaped, invisible characters spelled out."""
    return escape(_normalised(text))


def stored(text: str, html: str, renderer: str) -> str:
    """The HTML that was kept with a text and its renderer's name: an older renderer's passes
    today's wall again, and a text that none has seen yet is shown as it is."""
    if not renderer:
        return visible(text)
    return html if renderer == RENDERER else wall.cleaned(html)


def _normalised(text: str) -> str:
    """One kind of line end; lone surrogates, which no page can carry, replaced."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def _capped(text: str) -> tuple[str, str]:
    if len(text) <= MAX_CHARS:
        return text, ""
    note = f"Only the first {MAX_CHARS:,} of {len(text):,} characters are shown."
    return text[:MAX_CHARS], f"<hr><p><em>{note}</em></p>"


def _is_costly(text: str) -> bool:
    """Whether a table in it would grow out of proportion; all else was measured to be linear."""
    pipes = [line.count("|") for line in text.split("\n") if "|" in line]
    return max(pipes, default=0) * len(pipes) > MAX_CELLS


def _plain(text: str) -> str:
    paragraphs = (part for part in re.split(r"\n{2,}", text) if part)
    return "".join(
        f'<p dir="auto">{escape(part).replace(chr(10), "<br>")}</p>' for part in paragraphs
    )
