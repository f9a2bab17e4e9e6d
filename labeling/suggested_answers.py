"""An answer that somebody suggested, and what a rater made of it. Pure.

A suggestion is kept with its comparison, and is nobody's label:

    {"v": 1, "parts": {KEY: {...}}, "texts": {SLOT: text}, "by": name, "trains_on": "chosen"}

``parts`` as a label's answer has them, by completion id, of those parts that were suggested;
``texts`` what is typed into them, by the slot that a rater's own text would have
(KEY/field/completion); ``trains_on`` the direction of the question that it answers: turned round,
it would answer another one. What a rater changed is the difference of their label to it, and is
stored nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labeling import questions
from labeling.imports.shapes import BadRow
from labeling.questions import Cleaned, InvalidAnswer, Parts, Raw
from models_runtime.phrases import phrase

Suggestion = dict[str, Any]
NEVER = ("prompt_writing", "conversation", "arena", "red_team")  # types about no given completion
_TYPED = ("text", "texts")
# What need not be said.
_LEFT_OUT: dict[str, dict[str, Any]] = {"ranking": {"unranked": [], "unrankable": []}}
# What storing a label adds to a part: ids of what its texts became.
_MADE = ("completion", "prompt")


def as_posted(parts: Parts, suggested: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Raw]:
    """The fields that a form would post for a row's ``suggested``, by KEY, its completions lying
    in the row's order, with these ``texts``. Raises BadRow, one sentence."""
    if strange := sorted(set(suggested) - set(parts)):
        raise BadRow(phrase("The question has no part named %(name)s.", name=strange[0]))
    order = list(range(len(texts)))
    posted = {
        key: _fields(key, part, suggested[key], order)
        for key, part in parts.items()
        if key in suggested
    }
    stored = cleaned(parts, posted, order, texts).answer["parts"]
    for key in posted:
        _check_kept(key, suggested[key], stored[key])
    return posted


def cleaned(
    parts: Parts, posted: Mapping[str, Raw], ids: Sequence[int], texts: Sequence[str]
) -> Cleaned:
    """The answer with these completion ids, in the order of ``texts``. Raises BadRow."""
    asked = {key: part for key, part in parts.items() if key in posted}
    said = dict(zip(ids, texts, strict=True))
    try:
        found = questions.clean_parts(asked, dict(posted), ids, lambda: said)
    except InvalidAnswer as error:
        raise BadRow(error.args[0]) from error
    if empty := sorted(set(asked) - set(found.answer["parts"])):
        raise BadRow(phrase("Nothing is suggested for the part %(key)s.", key=empty[0]))
    return found


def suggestion(found: Cleaned, *, by: str, trains_on: str) -> Suggestion:
    texts = {typed.slot(key): typed.text for key, typed in found.typed}
    return {**found.answer, "texts": texts, "by": by, "trains_on": trains_on}


def given(parts: Parts, suggested: Suggestion, order: Sequence[int]) -> dict[str, Raw]:
    """The suggestion as a form posts it, by KEY, for a rater who sees this order."""
    found = questions.given(parts, suggested, order)
    for slot, text in suggested["texts"].items():
        questions.put_text(found, slot, text, order)
    return {key: fields for key, fields in found.items() if key in parts}


def repaired(
    suggested: Suggestion, answer: Mapping[str, Any], texts: Mapping[str, str | None]
) -> dict[str, bool | None]:
    """For each part that was suggested, whether the rater's answer differs from it; None where
    that cannot be known any more. ``texts`` are the rater's by slot, None for an erased one."""
    return {key: _differs(key, suggested, answer, texts) for key in suggested["parts"]}


def _differs(
    key: str,
    suggested: Suggestion,
    answer: Mapping[str, Any],
    texts: Mapping[str, str | None],
) -> bool | None:
    stored = answer["parts"].get(key)
    if stored is None or _said(stored) != _said(suggested["parts"][key]):
        return True
    wanted, typed = _of_part(key, suggested["texts"]), _of_part(key, texts)
    if None in typed.values():
        return None
    return wanted != typed


def _said(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stored.items() if name not in _MADE}


def _of_part(key: str, texts: Mapping[str, str | None]) -> dict[str, str | None]:
    return {slot: text for slot, text in texts.items() if slot.split("/")[0] == key}


def _fields(key: str, part: dict[str, Any], said: Any, order: list[int]) -> Raw:
    """The fields of one part."""
    if part["type"] in NEVER:
        raise BadRow(phrase("No answer can be suggested for the part %(key)s.", key=key))
    if not isinstance(said, dict) or said.get("type", part["type"]) != part["type"]:
        raise BadRow(_not_stored(key, part))
    module = questions.load(part["type"])
    fields: Raw = {}
    if hasattr(module, "given"):
        stored = {**_LEFT_OUT.get(part["type"], {}), **said}
        try:
            fields = module.given(part, stored, order)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise BadRow(_not_stored(key, part)) from error
    return {**fields, **_typed(key, part, said, order)}


def _typed(key: str, part: dict[str, Any], said: dict[str, Any], order: list[int]) -> Raw:
    texts = said.get("texts", [])
    if not isinstance(texts, list) or len(texts) not in (0, len(order)):
        raise BadRow(phrase("texts of the part %(key)s must be one for each answer.", key=key))
    fields = {f"text-{place}": text for place, text in enumerate(texts)}
    if "text" in said:
        fields["text"] = said["text"]
    if not all(isinstance(text, str) for text in fields.values()):
        raise BadRow(_not_stored(key, part))
    return fields


def _check_kept(key: str, said: dict[str, Any], stored: dict[str, Any]) -> None:
    """Nothing that the row says may be lost or taken for something else."""
    for name, value in said.items():
        if name not in _TYPED and (name not in stored or not _alike(value, stored[name])):
            raise BadRow(
                phrase(
                    "%(name)s of the part %(key)s is not what such an answer can hold.",
                    name=name,
                    key=key,
                )
            )


def _alike(one: Any, other: Any) -> bool:
    return bool(_ordered(one) == _ordered(other))


def _ordered(value: Any) -> Any:
    """The value without the order of its lists, which says nothing that given did not read."""
    if isinstance(value, dict):
        return {name: _ordered(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(item) for item in value), key=lambda item: json.dumps(item))
    return f"{type(value).__name__} {value}"


def _not_stored(key: str, part: dict[str, Any]) -> str:
    return phrase(
        "The answer to the part %(key)s is not in the form in which a %(type)s is stored.",
        key=key,
        type=part["type"],
    )
