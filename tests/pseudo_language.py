"""A language in which every translated sentence stands between ⟦ and ⟧, and a reader of pages
that finds what stands outside of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.utils.translation import trans_real

from annotate.templatetags import drawn

OPENS, CLOSES = "⟦", "⟧"
SPOKEN = ("aria-label", "title", "placeholder", "alt", "data-confirm", "data-empty", "data-none")
SPOKEN += ("data-aside",)
SILENT = {"script", "style", "code", "kbd", "pre", "textarea"}
VOID = {"meta", "link", "input", "img", "br", "hr", "source", "wbr", "path", "rect", "line"}
VOID |= {"circle", "col"}


class Marked:
    """Stands in for the German catalogue: puts marks around what it holds, and nothing else."""

    def __init__(self) -> None:
        self.catalogue = trans_real.DjangoTranslation("de")._catalog

    def gettext(self, message: str) -> str:
        said = message.split("\x04")[-1]
        return f"{OPENS}{said}{CLOSES}" if message and self.catalogue.get(message) else said

    def ngettext(self, one: str, many: str, n: int) -> str:
        said = one if n == 1 else many
        return f"{OPENS}{said}{CLOSES}" if self.catalogue.get((one, 0)) else said

    def to_language(self) -> str:
        return "de"


def speak(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on German is that language. Buttons that a process draws once are drawn anew, and
    none of these is kept for the tests that follow."""
    monkeypatch.setitem(trans_real._translations, "de", Marked())
    monkeypatch.setattr(drawn, "_buttons", drawn._buttons.__wrapped__)


class Reader(HTMLParser):
    """What a page says: (where, text) in its order. Text of people and models is left out: it
    stands in elements that htmx is kept from, or that find their own direction."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[tuple[str, bool]] = []
        self.flow: list[str] = []
        self.attributes: list[str] = []

    @property
    def silent(self) -> bool:
        return bool(self.stack) and self.stack[-1][1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        theirs = "hx-disable" in given or given.get("dir") == "auto" or "mono" in classes
        theirs = theirs or given.get("translate") == "no" or tag in SILENT
        if tag == "button" and given.get("name") == "language":
            theirs = True  # each language in its own words
        if not self.silent:
            self.attributes += [given[name] for name in SPOKEN if name in given]
            if tag == "input" and given.get("type") == "submit":
                self.attributes.append(given.get("value", ""))
        if tag not in VOID:
            self.stack.append((tag, self.silent or theirs))

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.flow.append(data)


def outside(text: str) -> Iterator[str]:
    """The pieces of a text between ⟧ and ⟦."""
    depth, piece = 0, ""
    for character in text:
        if character == OPENS:
            depth += 1
            yield piece
            piece = ""
        elif character == CLOSES:
            depth -= 1
        elif depth <= 0:
            piece += character
    yield piece


def unmarked(page: str, known: list[str]) -> list[str]:
    """What a page says in no language: pieces with a word in them that is not ``known``."""
    reader = Reader()
    reader.feed(page)
    said = [*reader.attributes, "\n".join(reader.flow)]
    found = []
    for text in said:
        for piece in outside(text):
            found += [line for line in piece.split("\n") if _words(line, known)]
    return [" ".join(line.split()) for line in found]


def _words(line: str, known: list[str]) -> list[str]:
    for name in sorted(known, key=len, reverse=True):
        line = line.replace(name, " ")
    line = re.sub(r"[0-9a-f]{2,}…[0-9a-f]{2}|[0-9a-f]{32,}", " ", line)  # hashes
    return re.findall(r"[^\W\d_]{2,}", line)
