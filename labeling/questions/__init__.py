"""The instruments a rater answers with, one module each, pure.

A question is a form of named parts, ``{KEY: part_config}``; a part_config names its type, and
``"required": false`` makes the part one that may stay empty. A module of a type has

    check(part)                             ValueError: what is wrong with a part_config
    clean(part, raw, shown)                 what is stored; InvalidAnswer for what answers nothing
    to_preferences(part, stored, trains_on) ordered pairs and tied pairs, for training
    controls(part, shown)                   what the template of the type draws, as plain data

and, where it applies,

    typed(part, raw, shown)                 the texts that a person typed, which are stored apart
    asked(part, shown)                      whether it is asked at all, after the earlier parts:
                                            what was sent for one that is not is not read
    asks(part)                              whether it asks anything on any card, or only shows
                                            something
    is_empty(part, raw, shown)              whether a part that may stay empty was left so, where
                                            that is not that all of its fields are blank
    best(part, stored)                      the one completion it puts above all others, or None
    words(part, stored, order)              what it says, for the drawer of last answers
    given(part, stored, order)              the fields that say it, as a form posts them, but for
                                            typed texts: clean turned round, for an answer that
                                            is taken back
    desirable(stored, trains_on)            {completion id: whether to make it likelier}, for
                                            methods that learn without pairs
    points(part, stored, trains_on)         {completion id: {ASPECT: 0 to 1}}, how good it was
                                            found by itself; the overall verdict under ""
    INSTANT                                 one press answers a form that has this part alone
    VOTES, or votes(part)                   its preferences are a verdict on the completions
    TEACHES                                 what it can train besides: see ``teaches``
    NEEDS_TEXTS                             Shown.texts is to be filled
    OPTIONS                                 what a lead may set about a part, as Option rows in
                                            the order of the form; "title" and "required" belong
                                            to every part and are not among them
    filled(part)                            the part with those defaults that depend on its
                                            other settings, for that form

``raw`` is ``{FIELD: text}`` as a form sends it: field KEY-FIELD, or KEY-FIELD-POSITION for what
is said of one completion, by its place in the order this rater saw. ``clean`` turns places into
completion ids, so nothing stored depends on a side. The functions here do a whole form.

A template finds what was given before (an answer taken back, or refused) in ``part.given``, by
FIELD or FIELD-POSITION.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from models_runtime.phrases import phrase, together
from models_runtime.records import Message, Preference

QUESTION_TYPES = {
    "pairwise": "labeling.questions.pairwise",
    "ranking": "labeling.questions.ranking",
    "rating": "labeling.questions.rating",
    "flags": "labeling.questions.flags",
    "safety_bin": "labeling.questions.safety_bin",
    "thumbs": "labeling.questions.thumbs",
    "confidence": "labeling.questions.confidence",
    "checklist": "labeling.questions.checklist",
    "criteria": "labeling.questions.criteria",
    "rationale": "labeling.questions.rationale",
    "critique": "labeling.questions.critique",
    "rewrite": "labeling.questions.rewrite",
    "demonstration": "labeling.questions.demonstration",
    "prompt_writing": "labeling.questions.prompt_writing",
    "conversation": "labeling.questions.conversation",
    "arena": "labeling.questions.arena",
    "red_team": "labeling.questions.red_team",
}

Parts = dict[str, dict[str, Any]]
Raw = dict[str, str]
Said = tuple[list[Preference], list[list[int]]]  # ordered pairs, tied pairs

KEY = re.compile(r"[a-z][a-z0-9_]{0,29}")


class InvalidAnswer(ValueError):
    """What was sent does not answer the question. The message is one sentence for the rater."""


@dataclass(frozen=True)
class Shown:
    """Completion ids from left to right as this rater saw them, and the one that the form's
    earlier parts put above all others (None while there is no such). ``texts`` holds what each
    completion says, where a part needs it; ``written`` how many prompts of each category raters
    have written, where a part shows it."""

    ids: list[int]
    best: int | None = None
    texts: Mapping[int, str] = field(default_factory=dict)
    written: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """One setting of a part_config, from which the form of a new campaign makes a field.

        flag    true or false                      a box to tick
        whole   a number from ``low`` to ``high``  a number field
        choice  one of ``choices``                 a select of (value, title)
        line    a text                             one line
        lines   ["a", "b"]                         a text area, one entry a line
        ordered ["a", "b"]                         a line each, with buttons for their order
        titles  {"key": "Title"}                   a text area, ``key: Title`` a line
        counts  {"name": 3}                        a text area, ``name: 3`` a line

    An empty field leaves the setting out, so that the type's own default holds; ``default`` says
    what that is.
    """

    name: str
    kind: Literal["flag", "whole", "choice", "line", "lines", "ordered", "titles", "counts"]
    title: str
    help: str = ""
    default: Any = None
    choices: tuple[tuple[str, str], ...] = ()
    low: int = 0
    high: int = 100_000


@dataclass(frozen=True)
class Typed:
    """A text that a person typed. It never enters the label: it is kept apart, erasable.

    A note is kept as it is. An answer becomes a completion of the prompt and a prompt becomes a
    prompt of the campaign; the stored part then names its id as ``completion`` or ``prompt``.
    ``about`` is the completion that the text is about.
    """

    text: str
    kind: Literal["note", "answer", "prompt"] = "note"
    field: str = ""  # which of the part's texts, where it has several
    about: int | None = None
    messages: list[Message] | None = None  # of a prompt: the conversation, text being its end
    category: str = ""  # of a prompt

    def slot(self, key: str) -> str:
        """KEY, KEY/field, KEY/field/completion: which text of the form it is."""
        parts = [key, self.field, str(self.about) if self.about else ""]
        return "/".join(part for part in parts if part)


@dataclass(frozen=True)
class Cleaned:
    """A whole answer ``{"v": 1, "parts": {KEY: {"type": ..., ...}}}``, and its typed texts."""

    answer: dict[str, Any]
    typed: list[tuple[str, Typed]]  # (KEY, text)


def load(name: str) -> ModuleType:
    """The module of a question type. Raises ValueError when there is none of that name."""
    if name not in QUESTION_TYPES:
        raise ValueError(phrase("There is no question type named %(name)s.", name=repr(name)))
    return import_module(QUESTION_TYPES[name])


def choices() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in QUESTION_TYPES]


def check_parts(parts: Any) -> None:
    """Raises ValueError, one sentence, unless ``parts`` is a form that can be asked."""
    if not isinstance(parts, dict) or not parts:
        raise ValueError(phrase("A question has at least one part."))
    for key, part in parts.items():
        if not KEY.fullmatch(key):
            raise ValueError(
                phrase(
                    "%(key)s is no name of a part: a letter, then a-z, 0-9 and _.", key=repr(key)
                )
            )
        if not isinstance(part, dict) or "type" not in part:
            raise ValueError(phrase("The part %(key)s names no type.", key=key))
        load(part["type"]).check(part)


def raw_parts(parts: Parts, posted: dict[str, str]) -> dict[str, Raw]:
    """The fields of each part, from those of a whole form: KEY-FIELD gives raw[KEY][FIELD]."""
    raw: dict[str, Raw] = {key: {} for key in parts}
    for name, value in posted.items():
        key, dash, field = name.partition("-")
        if dash and key in raw:
            raw[key][field] = value
    return raw


def clean_parts(
    parts: Parts,
    raw: Any,
    displayed: Sequence[int],
    texts: Callable[[], Mapping[int, str]] = dict,
) -> Cleaned:
    """The answer to store. ``displayed`` holds the completion ids from left to right as this
    rater saw them; the answer names ids alone. ``texts`` gives what the completions say, and is
    asked where a part needs to know. Raises InvalidAnswer."""
    if not isinstance(raw, dict) or set(raw) != set(parts):
        raise InvalidAnswer(
            phrase("The answer does not have the parts that the question asks for.")
        )
    shown = Shown(list(displayed), texts=texts() if needs_texts(parts) else {})
    stored: dict[str, Any] = {}
    typed: list[tuple[str, Typed]] = []
    for key, part in parts.items():
        module = load(part["type"])
        is_empty = getattr(module, "is_empty", _is_blank)
        if not part.get("required", True) and is_empty(part, raw[key], shown):
            continue
        if hasattr(module, "asked") and not module.asked(part, shown):
            continue
        stored[key] = module.clean(part, raw[key], shown)
        if hasattr(module, "typed"):
            typed += [(key, text) for text in module.typed(part, raw[key], shown)]
        if hasattr(module, "best") and shown.best is None:
            shown = replace(shown, best=module.best(part, stored[key]))
    if not stored:
        raise InvalidAnswer(phrase("Answer at least one part of the question."))
    return Cleaned({"v": 1, "parts": stored}, typed)


def _is_blank(part: dict[str, Any], raw: Any, shown: Shown) -> bool:
    return isinstance(raw, dict) and not any(str(value).strip() for value in raw.values())


def needs_texts(parts: Parts) -> bool:
    return any(getattr(load(part["type"]), "NEEDS_TEXTS", False) for part in parts.values())


def is_instant(parts: Parts) -> bool:
    """Whether one press answers the whole form, but for parts that only show something."""
    asking = [part for part in parts.values() if asks(part)]
    return len(asking) == 1 and getattr(load(asking[0]["type"]), "INSTANT", False)


def asks(part: dict[str, Any]) -> bool:
    """Whether there is anything to answer in a part, whatever the card."""
    module = load(part["type"])
    return bool(module.asks(part)) if hasattr(module, "asks") else True


def preferences_of(parts: Parts, answer: dict[str, Any], trains_on: str) -> Said:
    """What a stored answer says for training: ordered pairs, and pairs that tied.

    One part votes on the completions: the one with ``"trains": true``, else the first whose type
    votes; two votes of one person on one pair would undo or double each other. What a type adds
    besides (a rewrite above what it rewrote) is added. ``trains_on`` is QuestionVersion's:
    "rejected" turns every vote round, since there the chosen completion is to be avoided.
    """
    voter = voting_part(parts)
    preferences: list[Preference] = []
    ties: list[list[int]] = []
    for key, part in parts.items():
        if key not in answer["parts"] or (_votes(part) and key != voter):
            continue
        ordered, tied = load(part["type"]).to_preferences(part, answer["parts"][key], trains_on)
        preferences += ordered
        ties += tied
    return preferences, ties


def points_of(parts: Parts, answer: dict[str, Any], trains_on: str) -> dict[int, dict[str, float]]:
    """By completion id, the place on each aspect's scale, from 0 to 1 in the training direction:
    under "KEY.ASPECT", or KEY where a part asks for one thing; under "" the part's overall
    verdict, of the first part that has one."""
    found: dict[int, dict[str, float]] = {}
    for key, part in parts.items():
        module = load(part["type"])
        if key not in answer["parts"] or not hasattr(module, "points"):
            continue
        for pk, given in module.points(part, answer["parts"][key], trains_on).items():
            named = {_aspect(key, part, name): value for name, value in given.items()}
            found[pk] = {**named, **found.get(pk, {})}
    return found


def _aspect(key: str, part: dict[str, Any], name: str) -> str:
    if not name:
        return ""
    return f"{key}.{name}" if part.get("aspects") else key


def voting_part(parts: Parts) -> str | None:
    """The KEY of the part whose preferences train, None when no part votes."""
    voters = [key for key, part in parts.items() if _votes(part)]
    marked = [key for key in voters if parts[key].get("trains")]
    return next(iter(marked or voters), None)


def teaches(parts: Parts) -> set[str]:
    """What can be trained from the answers to a form: "preferences" (pairs of completions),
    "demonstrations" (answers to imitate), "thumbs" or "ratings" (of completions one by one)."""
    taught = {lesson for part in parts.values() for lesson in _teaches(part)}
    return taught | ({"preferences"} if voting_part(parts) else set())


def _teaches(part: dict[str, Any]) -> tuple[str, ...]:
    module = load(part["type"])
    found: tuple[str, ...] = getattr(module, "TEACHES", ())
    thumbs = ("thumbs",) if hasattr(module, "desirable") else ()
    rates = hasattr(module, "points") and part.get("over") != "item"
    return (*found, *thumbs, *(("ratings",) if rates else ()))


def _votes(part: dict[str, Any]) -> bool:
    module = load(part["type"])
    found = module.votes(part) if hasattr(module, "votes") else getattr(module, "VOTES", False)
    return bool(found)


def written_completions(answer: dict[str, Any]) -> list[int]:
    """Ids of the completions that the rater wrote in this answer."""
    parts = answer["parts"].values()
    return [part["completion"] for part in parts if part.get("completion") is not None]


def words_of(parts: Parts, answer: dict[str, Any], order: Sequence[int]) -> str:
    """What an answer says, in words, with the letters that this rater saw."""
    said = []
    for key in sorted(answer["parts"], key=[*parts, *answer["parts"]].index):
        stored = answer["parts"][key]
        module = load(stored["type"])
        if hasattr(module, "words"):
            said.append(module.words(parts.get(key, {}), stored, list(order)))
    return together("; ", [word for word in said if word])


def given(parts: Parts, answer: dict[str, Any], order: Sequence[int]) -> dict[str, Raw]:
    """A stored answer as the form posted it, but for typed texts, which are not in it: by KEY and
    by the places of the order that this rater saw."""
    found: dict[str, Raw] = {}
    for key, stored in answer["parts"].items():
        module = load(stored["type"])
        if key in parts and hasattr(module, "given"):
            found[key] = module.given(parts[key], stored, list(order))
    return found


def put_text(found: dict[str, Raw], slot: str, text: str, order: Sequence[int]) -> None:
    """Add a typed text to ``given``'s fields, by the slot that it stood in."""
    key, field, *about = slot.split("/")
    fields = found.setdefault(key, {})
    fields[field] = text
    if about and int(about[0]) in order:
        fields[f"{field}-{list(order).index(int(about[0]))}"] = text


def letter(order: Sequence[int], completion: int) -> str:
    """The letter that this rater saw on a completion."""
    return "ABCDEFGHI"[list(order).index(completion)] if completion in order else "?"
