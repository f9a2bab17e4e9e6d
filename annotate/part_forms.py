"""The parts of a question as forms, made of what each instrument says may be set about it.

Names of fields: ``parts-N-type``, ``parts-N-key``, ``parts-N-title`` and so on, in the order of
N. Every change (a part more, fewer, elsewhere) is a round trip, so it works without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate import language
from labeling import questions
from labeling.questions import Option, Parts

MOST = 12
_NUMBERED = re.compile(r"parts-([0-9]{1,3})-type")
_MOVE = re.compile(r"(remove|up|down)-([0-9]{1,3})")
_LINE = re.compile(r"(raise|lower|drop|line)-([0-9]{1,3})-([0-9]{1,2})")


class PairsField(forms.CharField):
    """``name: value`` a line, as a dict. ``convert`` makes the value of its text."""

    widget = forms.Textarea

    def __init__(self, *, convert: Callable[[str], Any] = str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convert = convert

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}: {said}" for name, said in value.items())

    def clean(self, value: Any) -> Any:
        found = {}
        for line in super().clean(value).splitlines():
            if not line.strip():
                continue
            name, colon, said = (piece.strip() for piece in line.partition(":"))
            try:
                found[name] = self.convert(said) if colon and name and said else None
            except ValueError:
                found[name] = None
            if found[name] is None:
                raise forms.ValidationError(
                    _("Write name: value on each line; “%(line)s” is not."), params={"line": line}
                )
        return found


class LinesField(forms.CharField):
    """One entry a line, as a list. What a preset brings is offered in the lead's language, and is
    the campaign's own wording from there on."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(language.translated(line) for line in value)

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]


class OrderedLines(forms.Widget):
    """A text field a line, NAME-0, NAME-1 and so on; drawn by parts/ordered.html."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        numbered = re.compile(rf"{re.escape(name)}-([0-9]{{1,2}})")
        found = {int(m[1]): data[key] for key in data if (m := numbered.fullmatch(key))}
        return "\n".join(" ".join(str(found[n]).split()) for n in sorted(found))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


class PartForm(forms.Form):
    """One part. Made by part_form, which adds a field for each option of its type."""

    type = forms.CharField(widget=forms.HiddenInput)
    key = forms.RegexField(rf"^{questions.KEY.pattern}\Z", widget=forms.HiddenInput)
    title = forms.CharField(label=gettext_lazy("Title"), max_length=200, required=False)
    required = forms.BooleanField(label=gettext_lazy("Must be answered"), required=False)

    options: tuple[Option, ...] = ()

    def name(self) -> str:
        return language.translated(str(self["type"].value()).replace("_", " "))

    def boxes(self) -> list[forms.BoundField]:
        flags = [self[option.name] for option in self.options if option.kind == "flag"]
        return [self["required"], *flags]

    def others(self) -> list[forms.BoundField]:
        apart = ("flag", "ordered")
        return [self[option.name] for option in self.options if option.kind not in apart]

    def ordered(self) -> list[dict[str, Any]]:
        """Lines in an order, with an empty one at the end for one more."""
        part = str(self.prefix).partition("-")[2]
        fields = [self[option.name] for option in self.options if option.kind == "ordered"]
        return [
            {"field": field, "part": part, "lines": [*_lines(field.value()), ""]}
            for field in fields
        ]

    def part(self) -> dict[str, Any]:
        """The part_config; what stands empty is left out, so that the type's default holds."""
        data = self.cleaned_data
        part = {"type": data["type"]}
        if data["title"].strip():
            part["title"] = data["title"].strip()
        if not data["required"]:
            part["required"] = False
        for option in self.options:
            value = data[option.name]
            if option.kind == "flag" or value not in EMPTY:
                part[option.name] = value
        return part


EMPTY: tuple[Any, ...] = (None, "", [], {})


def part_form(
    number: int,
    type_name: str,
    part: dict[str, Any] | None = None,
    key: str = "",
    data: Any = None,
) -> PartForm:
    """The form of part ``number``. Raises ValueError for a type that does not exist."""
    module = questions.load(type_name)
    options = tuple(getattr(module, "OPTIONS", ()))
    fields = {option.name: _field(option) for option in options}
    made = type("PartForm", (PartForm,), {**fields, "options": options})
    prefix = f"parts-{number}"
    if part is None:
        return made(data, prefix=prefix)
    filled = module.filled(part) if hasattr(module, "filled") else part
    initial = {"required": True, **_defaults(options), **filled, "key": key}
    return made(initial=initial, prefix=prefix)


class PartForms:
    """All parts of a question, in order."""

    def __init__(self, forms: list[PartForm]) -> None:
        self.forms = forms
        self.fault = ""

    @classmethod
    def of(cls, parts: Parts) -> PartForms:
        rows = enumerate(parts.items())
        return cls([part_form(n, part["type"], part, key) for n, (key, part) in rows])

    @classmethod
    def sent(cls, data: Mapping[str, Any]) -> PartForms:
        """The parts that a browser sent; a type that does not exist is passed over."""
        numbers = sorted(int(m[1]) for name in data if (m := _NUMBERED.fullmatch(name)))
        found = []
        for number in numbers[:MOST]:
            name = data[f"parts-{number}-type"]
            if name in questions.QUESTION_TYPES:
                found.append(part_form(number, name, data=data))
        return cls(found)

    def __iter__(self) -> Any:
        return iter(self.forms)

    def __len__(self) -> int:
        return len(self.forms)

    def is_valid(self) -> bool:
        """Whether each form is right by itself, and no two have one key."""
        if not any(form.is_bound for form in self.forms):
            return True  # a preset's own
        right = all([form.is_valid() for form in self.forms])
        keys = [form.cleaned_data["key"] for form in self.forms] if right else []
        if len(set(keys)) < len(keys):
            self.fault = _("Two parts have one name.")
        return right and not self.fault

    def parts(self) -> Parts:
        return {form.cleaned_data["key"]: form.part() for form in self.forms}


def changed(sent: PartForms, act: str, added: str) -> PartForms:
    """The parts after a press: one more of the type ``added``, one fewer, one elsewhere. What a
    form holds that is not right yet stays as it was typed."""
    rows = [(form.prefix, _as_typed(form)) for form in sent.forms]
    parts = [part for _prefix, part in rows]
    if act == "add" and added in questions.QUESTION_TYPES and len(parts) < MOST:
        parts.append({"type": added, "key": _free_key(added, parts)})
    elif line := _LINE.fullmatch(act):
        for form, part in zip(sent.forms, parts, strict=True):
            if form.prefix == f"parts-{line[2]}":
                _move_line(form, part, line[1], int(line[3]))
    elif move := _MOVE.fullmatch(act):
        prefixes = [prefix for prefix, _part in rows]
        prefix = f"parts-{move[2]}"
        if prefix in prefixes:
            _move(parts, prefixes.index(prefix), move[1])
    return PartForms([_again(number, part) for number, part in enumerate(parts)])


def _move(parts: list[dict[str, Any]], place: int, verb: str) -> None:
    part = parts.pop(place)
    if verb != "remove":
        parts.insert(max(0, place + (-1 if verb == "up" else 1)), part)


def _move_line(form: PartForm, part: dict[str, Any], verb: str, place: int) -> None:
    for option in form.options:
        lines = _lines(part.get(option.name)) if option.kind == "ordered" else []
        if place < len(lines):
            line = lines.pop(place)
            if verb != "drop":
                lines.insert(max(0, place + {"raise": -1, "lower": 1}.get(verb, 0)), line)
            part[option.name] = "\n".join(lines)


def _lines(text: Any) -> list[str]:
    return [line.strip() for line in str(text or "").splitlines() if line.strip()]


def _as_typed(form: PartForm) -> dict[str, Any]:
    return {name: form[name].value() for name in form.fields}


def _again(number: int, typed: dict[str, Any]) -> PartForm:
    """A form that shows what was typed, without faults."""
    form = part_form(number, str(typed["type"]), {"type": typed["type"]}, str(typed["key"]))
    form.initial = {**form.initial, **typed}
    return form


def _free_key(name: str, parts: list[dict[str, Any]]) -> str:
    taken = {part["key"] for part in parts}
    numbered = (f"{name}_{n}" for n in range(2, len(parts) + 3))
    return next(key for key in (name, *numbered) if key not in taken)


def _defaults(options: tuple[Option, ...]) -> dict[str, Any]:
    return {option.name: option.default for option in options if option.default is not None}


def _field(option: Option) -> forms.Field:
    common: dict[str, Any] = {
        "label": language.translated(option.title),
        "help_text": language.translated(option.help),
        "required": False,
    }
    area: dict[str, Any] = {**common, "widget": forms.Textarea(attrs={"rows": 4})}
    makers: dict[str, Callable[[], forms.Field]] = {
        "flag": lambda: forms.BooleanField(**common),
        "whole": lambda: forms.IntegerField(min_value=option.low, max_value=option.high, **common),
        "choice": lambda: forms.ChoiceField(choices=_choices(option), **common),
        "line": lambda: forms.CharField(max_length=500, **common),
        "lines": lambda: LinesField(max_length=20_000, **area),
        "ordered": lambda: LinesField(max_length=20_000, **{**common, "widget": OrderedLines}),
        "titles": lambda: PairsField(max_length=20_000, **area),
        "counts": lambda: PairsField(max_length=20_000, convert=int, **area),
    }
    return makers[option.kind]()


def _choices(option: Option) -> list[tuple[str, str]]:
    """A choice without a default may be left open."""
    blank = [] if option.default is not None else [("", _("not set"))]
    return [*blank, *((value, language.translated(said)) for value, said in option.choices)]
