"""Which keys or columns of a prompt file mean what: one raw row to the prompts in it.

    messages              [{"role": "system" | "user" | "assistant", "content": text}, ...],
                          ending with the user's turn
    prompt                the user's turn as text, or such a list
    instruction + input   one user turn: the instruction, a blank line, the input (Self-Instruct;
                          ``instances: [{"input"}]`` gives one prompt for each instance, all
                          about one item)
    turns                 the first is the prompt; the others are kept as follow-ups, to be sent
                          after the first answer (MT-bench)
    system                goes first, as a system message

and beside one of them, each optional: id | question_id, category | type, tags (a list, or text
separated by commas), label (becomes a tag: XSTest's safe and unsafe), language, author, item,
source, priority (a whole number, higher ones first where the campaign's order heeds it), split
(train, or heldout in any of its usual names). Anything else is passed over and named in the
report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from models_runtime.phrases import phrase
from models_runtime.records import Message

HELD_OUT_SHARE = 0.15
MAX_CHARS = 100_000  # of one prompt, all its messages together
MAX_MESSAGES = 200
LENGTHS = {"source": 200, "category": 100, "language": 12, "author": 100, "item": 200, "id": 100}
_ALIASES = {"question_id": "id", "type": "category"}
_SPLITS = {
    "train": "train",
    **dict.fromkeys(
        ["heldout", "held_out", "held-out", "held out", "test", "validation", "valid", "eval"],
        "heldout",
    ),
}
_FORMS = ("messages", "prompt", "instruction", "turns")
KNOWN = frozenset(
    [*_FORMS, *LENGTHS, *_ALIASES, "input", "instances", "system", "tags", "label", "split"]
    + ["priority"]
)
HIGHEST = 100  # of a priority, and as far below zero


# Made once: a file has a hundred thousand rows.
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class BadRow(ValueError):
    """What is wrong with a row, as one sentence."""


@dataclass(frozen=True)
class PromptRow:
    """One prompt as the Prompt table keeps it. ``split_given``: the file said so itself."""

    messages: list[Message]
    sha256: str  # of the messages: equal conversations, equal identity
    item: str
    split: str
    follow_ups: list[str] = field(default_factory=list)
    source: str = ""
    category: str = ""
    tags: list[str] = field(default_factory=list)
    language: str = ""
    author: str = ""
    split_given: bool = False
    priority: int = 0


def messages_sha256(messages: list[Message]) -> str:
    """Hex sha256 of a conversation: equal conversations, equal identity."""
    return hashlib.sha256(_CANONICAL.encode(messages).encode()).hexdigest()


def split_of(item: str) -> str:
    """ "heldout" for 15 % of all items, else "train": by the item alone, so that it is the same
    in every file, campaign and year."""
    digest = hashlib.sha256(f"split:{item}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "heldout" if share < HELD_OUT_SHARE else "train"


def prompts(raw: dict[str, Any], source: str = "") -> list[PromptRow]:
    """The prompts of one row; ``source`` is used where the row names none. Raises BadRow."""
    aliased = {_ALIASES[key]: value for key, value in raw.items() if key in _ALIASES}
    raw = {**aliased, **raw}
    facts = {name: _short_text(raw, name) for name in LENGTHS}
    facts["source"] = _source(facts["source"] or source, facts.pop("id"))
    item = facts.pop("item") or facts["author"]
    split = _given_split(raw.get("split"))
    more: dict[str, Any] = {**facts, "tags": _tags(raw), "priority": _priority(raw)}
    found = list(_conversations(raw))
    if len(found) > 1 and not item:
        item = hashlib.sha256(str(raw["instruction"]).encode()).hexdigest()
    return [_prompt(messages, follow_ups, item, split, more) for messages, follow_ups in found]


def _prompt(
    messages: list[Message], follow_ups: list[str], item: str, split: str, facts: dict[str, Any]
) -> PromptRow:
    _check_conversation(messages, follow_ups)
    digest = messages_sha256(messages)
    item = item or digest
    return PromptRow(
        messages=messages,
        sha256=digest,
        item=item,
        split=split or split_of(item),
        split_given=bool(split),
        follow_ups=follow_ups,
        **facts,
    )


def _conversations(raw: dict[str, Any]) -> Iterator[tuple[list[Message], list[str]]]:
    """(messages, follow-ups) of every prompt in the row."""
    form = _form(raw)
    if form == "turns":
        first, *rest = _texts(raw["turns"], "turns")
        yield _with_system(raw, [_user(first)]), rest
    elif form == "instruction":
        for given in _inputs(raw):
            yield _with_system(raw, [_user(_joined(raw["instruction"], given))]), []
    elif form == "prompt" and isinstance(raw["prompt"], str):
        yield _with_system(raw, [_user(raw["prompt"])]), []
    else:
        yield _with_system(raw, _messages(raw[form], form)), []


def _form(raw: dict[str, Any]) -> str:
    present = [name for name in _FORMS if raw.get(name) is not None]
    if not present:
        raise BadRow(phrase("There is no prompt: give messages, prompt, instruction or turns."))
    if len(present) > 1:
        raise BadRow(phrase("Give one of %(present)s, not both.", present=" and ".join(present)))
    return present[0]


def _messages(value: Any, name: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        kind = phrase("a list of messages")
        if name == "prompt":
            kind = phrase("text or a list of messages")
        raise BadRow(phrase("%(name)s must be %(kind)s.", name=name, kind=kind))
    return [_message(message, number) for number, message in enumerate(value, 1)]


def _message(value: Any, number: int) -> Message:
    if not isinstance(value, dict) or set(value) != {"role", "content"}:
        raise BadRow(
            phrase(
                "Message %(number)s must have role and content and nothing else.", number=number
            )
        )
    if value["role"] not in ("system", "user", "assistant"):
        raise BadRow(
            phrase(
                "Message %(number)s has a role other than system, user and assistant.",
                number=number,
            )
        )
    return {"role": value["role"], "content": checked_text(value["content"], f"Message {number}")}


def _check_conversation(messages: list[Message], follow_ups: list[str]) -> None:
    roles = [message["role"] for message in messages]
    if len(messages) > MAX_MESSAGES:
        raise BadRow(
            phrase(
                "The conversation has more than %(max_messages)s messages.",
                max_messages=MAX_MESSAGES,
            )
        )
    if "system" in roles[1:]:
        raise BadRow(phrase("A system message must come first, and once."))
    turns = roles[1:] if roles[0] == "system" else roles
    if turns[::2] != ["user"] * len(turns[::2]) or "user" in turns[1::2]:
        raise BadRow(phrase("User and assistant must take turns, and the user begins."))
    if len(turns) % 2 == 0:
        raise BadRow(phrase("The conversation must end with the user's turn."))
    if sum(len(text) for text in [*(m["content"] for m in messages), *follow_ups]) > MAX_CHARS:
        raise BadRow(
            phrase("The prompt is longer than %(max_chars)s characters.", max_chars=MAX_CHARS)
        )


def _inputs(raw: dict[str, Any]) -> list[str]:
    if raw.get("instances") is None:
        return [_optional(raw, "input")]
    instances = raw["instances"]
    if not isinstance(instances, list) or not all(isinstance(i, dict) for i in instances):
        raise BadRow(phrase("instances must be a list of objects."))
    return [_optional(instance, "input") for instance in instances] or [""]


def _joined(instruction: Any, given: str) -> str:
    text = checked_text(instruction, "instruction")
    return f"{text}\n\n{given}" if given.strip() else text


def _with_system(raw: dict[str, Any], messages: list[Message]) -> list[Message]:
    if raw.get("system") is None:
        return messages
    return [{"role": "system", "content": checked_text(raw["system"], "system")}, *messages]


def _user(text: str) -> Message:
    return {"role": "user", "content": checked_text(text, "The prompt")}


def _source(source: str, key: str) -> str:
    """Where the prompt came from, with its id there: ``questions.jsonl#81``."""
    room = LENGTHS["source"] - len(key) - 1
    return f"{source[:room]}#{key}" if key else source[: LENGTHS["source"]]


def _given_split(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or value.strip().lower() not in _SPLITS:
        raise BadRow(phrase("split must be train or heldout."))
    return _SPLITS[value.strip().lower()]


def _priority(raw: dict[str, Any]) -> int:
    """As a number, or as a table's cell has it."""
    value = raw.get("priority")
    text = str(value).strip() if isinstance(value, int | str) else ""
    if value is None or value == "":
        return 0
    digits = text.removeprefix("-").removeprefix("+")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 3
    if isinstance(value, bool) or not is_number or abs(int(text)) > HIGHEST:
        raise BadRow(
            phrase("priority must be a whole number from -%(most)s to %(most)s.", most=HIGHEST)
        )
    return int(text)


def _tags(raw: dict[str, Any]) -> list[str]:
    value = raw.get("tags")
    if value is None and raw.get("label") is None:
        return []
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    tags = _texts(value, "tags") if value else []
    label = _optional(raw, "label")
    tags = [tag.strip() for tag in [*tags, *([label] if label else [])]]
    if any(len(tag) > 100 for tag in tags) or len(tags) > 50:
        raise BadRow(phrase("There may be 50 tags, of at most 100 characters each."))
    return list(dict.fromkeys(tags))


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise BadRow(phrase("%(name)s must be a list of texts.", name=name))
    return [checked_text(text, f"Each of {name}") for text in value]


def _short_text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = _optional({name: value}, name).strip()
    if len(text) > LENGTHS[name]:
        raise BadRow(
            phrase("%(name)s is longer than %(most)s characters.", name=name, most=LENGTHS[name])
        )
    return text


def _optional(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None or value == "":
        return ""
    return checked_text(value, name, blank=True)


def checked_text(value: Any, name: str, *, blank: bool = False) -> str:
    """Text that a database and a page can hold. Raises BadRow naming what is wrong."""
    if not isinstance(value, str):
        raise BadRow(phrase("%(name)s must be text.", name=name))
    if "\0" in value:
        raise BadRow(phrase("%(name)s holds a NUL character.", name=name))
    if not value.isascii() and not _is_unicode(value):
        raise BadRow(
            phrase("%(name)s holds half of a surrogate pair, which is no character.", name=name)
        )
    if not blank and not value.strip():
        raise BadRow(phrase("%(name)s is empty.", name=name))
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
