"""Sentences of the files that know no Django: marked here for translation, translated where a page
shows them (annotate.language)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

_STORED = '{"message": '  # what a stored phrase begins with


class Phrase(str):
    """A sentence in English that still knows what it was made of. To everything else it is a
    string: it goes into a dict, an exception or JSON as it is."""

    message: str
    values: dict[str, object]


def phrase(message: str, **values: object) -> Phrase:
    """``message`` with its %(name)s filled in; whole numbers as the language writes them. The
    catalogue holds the message alone, without values: make messages looks for calls of this
    name."""
    shown = {name: f"{v:,}" if isinstance(v, int) else v for name, v in values.items()}
    made = Phrase(message % shown if values else message)
    made.message, made.values = message, values
    return made


def together(separator: str, pieces: Sequence[str]) -> Phrase:
    """Pieces that are phrases, or what needs no translation, in one."""
    names = {f"piece{number}": piece for number, piece in enumerate(pieces)}
    return phrase(separator.join(f"%({name})s" for name in names), **names)


def of(error: BaseException) -> str:
    """What an error says: the phrase that it was raised with, where it was."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Phrase) else str(error)


def mapped(text: str, change: Callable[[str], str]) -> str:
    """``change`` made to a string, or to the strings that a phrase was filled with."""
    if not isinstance(text, Phrase):
        return change(text)
    values = {
        name: mapped(value, change) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    return phrase(text.message, **values)


def stored(text: str) -> str:
    """One line for a file or a column, of which ``restored`` makes the same again. A phrase is
    JSON; any other string is itself, but for one that could be taken for a phrase."""
    if not isinstance(text, Phrase) and text.startswith(_STORED):
        text = phrase("%(text)s", text=text)
    return json.dumps(_as_data(text), ensure_ascii=False) if isinstance(text, Phrase) else text


def restored(text: str) -> str:
    """What was stored. What is no phrase, as all that older versions stored, is itself."""
    if not text.startswith(_STORED):
        return text
    try:
        return _from_data(json.loads(text))
    except (ValueError, TypeError, KeyError):
        return text


def within(text: str, length: int) -> str:
    """The phrase where it can be stored in so many characters, else as much of its English."""
    return text if len(stored(text)) <= length else str(text)[:length]


def _as_data(value: object) -> Any:
    if not isinstance(value, Phrase):
        return value if isinstance(value, int | float) else str(value)
    data: dict[str, Any] = {"message": value.message}
    if value.values:
        data["values"] = {name: _as_data(one) for name, one in value.values.items()}
    return data


def _from_data(data: dict[str, Any]) -> Phrase:
    values = {
        name: _from_data(value) if isinstance(value, dict) else value
        for name, value in data.get("values", {}).items()
    }
    return phrase(data["message"], **values)
