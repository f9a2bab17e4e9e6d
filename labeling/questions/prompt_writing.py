"""A prompt of the rater's own, in a use-case category (InstructGPT, appendix A.2).

part_config: ``{"type": "prompt_writing", "form": FORM, "categories": {KEY: TITLE}, "quota":
{KEY: N}, "min": 1, "pairs": 1..8}``. The forms:

    plain        any task; the rater takes care that tasks are diverse
    few_shot     an instruction, at least ``pairs`` queries with their responses, and the query
                 that is left to the model: a conversation of these turns
    user_based   a prompt for the use case that the card shows as its conversation

The browser posts ``text`` and, where there are categories, ``category``; few_shot posts
``query-N`` and ``response-N`` besides, N from 0, and ``query``, the last one. Stored: ``{"type":
"prompt_writing", "form": FORM, "category": KEY, "prompt": ID}``; the id is added when the text is
made a prompt of the campaign (labeling.written).
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Option, Raw, Said, Shown, Typed, texts
from models_runtime.phrases import phrase
from models_runtime.records import Message

FORMS = {
    "plain": phrase("any task"),
    "few_shot": phrase("an instruction with examples"),
    "user_based": phrase("a prompt for the use case on the card"),
}
CATEGORIES = {
    "generation": phrase("Generation"),
    "open_qa": phrase("Open QA"),
    "brainstorming": phrase("Brainstorming"),
    "chat": phrase("Chat"),
    "rewrite": phrase("Rewrite"),
    "summarisation": phrase("Summarisation"),
    "classification": phrase("Classification"),
    "other": phrase("Other"),
    "closed_qa": phrase("Closed QA"),
    "extraction": phrase("Extraction"),
}
PAIRS, MOST_PAIRS = 2, 8
OPTIONS = (
    Option(
        "form", "choice", phrase("The rater writes"), choices=tuple(FORMS.items()), default="plain"
    ),
    Option(
        "categories",
        "titles",
        phrase("Use-case categories"),
        phrase("The rater names one of them. Empty: InstructGPT's ten."),
    ),
    Option(
        "quota",
        "counts",
        phrase("Wanted of each category"),
        phrase("Shown to raters, with how many the campaign has."),
    ),
    texts.LEAST,
    Option(
        "pairs",
        "whole",
        phrase("Examples at least"),
        phrase("Of an instruction with examples."),
        PAIRS,
        (),
        1,
        8,
    ),
)


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for an unknown form, a category without a name, a quota of none."""
    texts.check_choice(part, "form", FORMS)
    texts.check_least(part)
    categories, quota = _categories(part), part.get("quota", {})
    if not isinstance(categories, dict) or not all(map(_is_name, categories.items())):
        raise ValueError(
            phrase("Categories are names with titles, each at most 100 characters long.")
        )
    if not isinstance(quota, dict) or not all(map(_is_count, quota.values())):
        raise ValueError(phrase("A quota is a number of prompts for each category."))
    if unknown := sorted(set(quota) - set(categories)):
        raise ValueError(
            phrase("The quota names %(unknown)s, which is no category.", unknown=unknown[0])
        )
    if not _is_count(_pairs(part)) or not 1 <= _pairs(part) <= MOST_PAIRS:
        raise ValueError(
            phrase("An instruction has 1 to %(most_pairs)s examples.", most_pairs=MOST_PAIRS)
        )


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """The categories with what is written and wanted of each, and the rows of examples."""
    quota = part.get("quota", {})
    categories = [
        {
            "value": key,
            "title": title,
            "written": shown.written.get(key, 0),
            "wanted": quota.get(key),
            "full": key in quota and shown.written.get(key, 0) >= quota[key],
        }
        for key, title in _categories(part).items()
    ]
    rows = [
        {
            "query": f"query-{n}",
            "response": f"response-{n}",
            "number": n + 1,
            "extra": n >= _pairs(part),
        }
        for n in range(MOST_PAIRS if _form(part) == "few_shot" else 0)
    ]
    return {
        **texts.bounds(part),
        "form": _form(part),
        "categories": categories,
        "rows": rows,
        "first_extra": _pairs(part) + 1,
    }


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    typed(part, raw, shown)
    return {"type": "prompt_writing", "form": _form(part), "category": _category(part, raw)}


def typed(part: dict[str, Any], raw: Any, shown: Shown) -> list[Typed]:
    """The prompt, after whatever else was typed to make it."""
    category = _category(part, raw)
    if _form(part) != "few_shot":
        text = texts.typed(raw, "text", texts.least_of(part), phrase("the prompt"))
        return [Typed(text, kind="prompt", field="text", category=category)]
    instruction = texts.typed(raw, "text", texts.least_of(part), phrase("the instruction"))
    pairs, query = _examples(part, raw), texts.typed(raw, "query", 1, phrase("the last query"))
    notes = [Typed(instruction, field="text")]
    for number, (asked, answered) in pairs.items():
        notes += [
            Typed(asked, field=f"query-{number}"),
            Typed(answered, field=f"response-{number}"),
        ]
    messages = _conversation(instruction, list(pairs.values()), query)
    last = Typed(query, kind="prompt", field="query", messages=messages, category=category)
    return [*notes, last]


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    return {"category": stored["category"]}


def to_preferences(part: dict[str, Any], stored: dict[str, Any], trains_on: str) -> Said:
    """None: nothing was compared."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    titles = _categories(part)
    category = titles.get(stored["category"], stored["category"])
    return phrase("a prompt: %(category)s", category=category)


def _form(part: dict[str, Any]) -> str:
    return str(part.get("form", "plain"))


def _categories(part: dict[str, Any]) -> Any:
    return part.get("categories") or CATEGORIES


def _pairs(part: dict[str, Any]) -> Any:
    return part.get("pairs", PAIRS)


def _is_name(entry: tuple[Any, Any]) -> bool:
    return all(isinstance(text, str) and 0 < len(text) <= 100 for text in entry)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _category(part: dict[str, Any], raw: Any) -> str:
    category = raw.get("category") if isinstance(raw, dict) else None
    if category not in _categories(part):
        raise InvalidAnswer(phrase("Choose the category that the prompt belongs to."))
    return str(category)


def _examples(part: dict[str, Any], raw: Any) -> dict[int, tuple[str, str]]:
    """(query, response) by number of the row; a row that is blank altogether is none."""
    found = {}
    for number in range(MOST_PAIRS):
        fields = f"query-{number}", f"response-{number}"
        if any(texts.is_there(raw, field) for field in fields):
            query = texts.typed(
                raw, fields[0], 1, phrase("the query of example %(n)s", n=number + 1)
            )
            response = texts.typed(
                raw, fields[1], 1, phrase("the response of example %(n)s", n=number + 1)
            )
            found[number] = query, response
    if len(found) < _pairs(part):
        raise InvalidAnswer(
            phrase(
                "Write at least %(pairs)s examples: %(n)s are there.",
                pairs=_pairs(part),
                n=len(found),
            )
        )
    return found


def _conversation(instruction: str, pairs: list[tuple[str, str]], query: str) -> list[Message]:
    """The instruction goes before the first query; the model answers the last one."""
    messages: list[Message] = []
    for asked, answered in pairs:
        messages += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answered},
        ]
    messages.append({"role": "user", "content": query})
    messages[0] = {"role": "user", "content": f"{instruction}\n\n{messages[0]['content']}"}
    return messages
