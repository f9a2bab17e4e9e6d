"""The forms of a page, and what a browser may send with them: what stands there, nothing, or what
no form should hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

WRONG = "\u00a7-1"  # neither a word of any language, nor a number, nor a choice
TICKED = ("checkbox", "radio")


@dataclass
class Field:
    name: str
    kind: str
    value: str = ""
    sent: bool = True  # as the page stands


@dataclass
class Form:
    action: str
    fields: list[Field] = field(default_factory=list)
    presses: list[tuple[str, str]] = field(default_factory=list)  # buttons with a name

    def as_it_stands(self) -> dict[str, list[str]]:
        return self._sent([(one.name, one.value) for one in self.fields if one.sent])

    def empty(self) -> dict[str, list[str]]:
        return self._sent([(one.name, one.value) for one in self.fields if one.kind == "hidden"])

    def wrong(self) -> dict[str, list[str]]:
        return self._sent([(one.name, WRONG) for one in self.fields])

    def _sent(self, pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
        data: dict[str, list[str]] = {}
        for name, value in [*pairs, *self.presses[:1]]:
            data.setdefault(name, []).append(value)
        return data


def posted(page: str) -> list[Form]:
    """The forms that change something."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.inside: Form | None = None
        self.choosing: Field | None = None
        self.writing: Field | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self.inside = Form(given.get("action", ""))
            self.forms.append(self.inside)
        elif self.inside is not None and "disabled" not in given:
            self._control(tag, given, self.inside)

    def _control(self, tag: str, given: dict[str, str], form: Form) -> None:
        name, kind, value = given.get("name", ""), given.get("type", tag), given.get("value", "")
        if tag == "option" and self.choosing is not None:
            if "selected" in given or not self.choosing.value:
                self.choosing.value = value
        elif not name or kind == "file":
            return
        elif tag == "button" or kind == "submit":
            form.presses.append((name, value))
        elif tag in ("input", "select", "textarea"):
            sent = "checked" in given if kind in TICKED else True
            form.fields.append(Field(name, kind, value, sent))
            self.choosing = form.fields[-1] if tag == "select" else None
            self.writing = form.fields[-1] if tag == "textarea" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None
        elif tag == "textarea":
            self.writing = None

    def handle_data(self, data: str) -> None:
        if self.writing is not None:
            self.writing.value += data
