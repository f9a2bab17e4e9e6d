"""The forms of training, test, gold and repeats: a lead's settings and items, a rater's word."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import language
from annotate.forms import RequestForm
from labeling import checks, contests, gold, marking
from labeling.checks import Checks
from labeling.marking import Rules
from labeling.questions import Parts, combining

PURPOSES = [
    ("training", _("Training: before the first card, explained at once")),
    ("qualification", _("Test: before the first card, with a pass mark")),
    ("gold", _("Gold: hidden among the cards")),
]


class PercentField(forms.DecimalField):
    """A share, written as percent with one decimal; 0 stands empty."""

    def __init__(self, **more: Any) -> None:
        super().__init__(required=False, min_value=0, max_value=50, decimal_places=1, **more)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, float):  # as it was typed
            return value
        return f"{value * 100:.1f}".removesuffix(".0") if value else None


class MarkField(forms.IntegerField):
    """A whole percentage; 0, which asks for nothing, stands empty."""

    def prepare_value(self, value: Any) -> Any:
        return value or None


class ChecksForm(forms.Form):
    """A campaign's settings."""

    trains_raters = forms.BooleanField(
        label=_("New raters are trained first"),
        required=False,
        help_text=_(
            "They answer the training items in order, and read after each what was expected and "
            "why."
        ),
    )
    gold_feedback = forms.BooleanField(
        label=_("Raters are told after a gold card"),
        required=False,
        help_text=_("What was expected and why, with a button to disagree."),
    )
    pass_mark = MarkField(
        label=_("Pass mark of the test"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_("Percent of the test items. Empty: no test."),
    )
    gold_share = PercentField(
        label=_("Gold among the cards"),
        help_text=_("Percent, drawn at random, none twice; 5 is one card in twenty."),
    )
    repeat_share = PercentField(
        label=_("Hidden repeats"),
        help_text=_(
            "Percent of cards that are an earlier one of the same rater, sides drawn anew."
        ),
    )
    repeat_after = forms.IntegerField(
        label=_("Cards before a repeat"),
        min_value=1,
        max_value=1000,
        help_text=_("At least so many lie between the two."),
    )

    def boxes(self) -> list[forms.BoundField]:
        return [self["trains_raters"], self["gold_feedback"]]

    def numbers(self) -> list[forms.BoundField]:
        return [self[name] for name in ("pass_mark", "gold_share", "repeat_share", "repeat_after")]

    def settings(self) -> Checks:
        data = self.cleaned_data
        return Checks(
            trains_raters=data["trains_raters"],
            pass_mark=data["pass_mark"] or 0,
            gold_share=float(data["gold_share"] or 0) / 100,
            gold_feedback=data["gold_feedback"],
            repeat_share=float(data["repeat_share"] or 0) / 100,
            repeat_after=data["repeat_after"],
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"pass_mark", "gold_share", "repeat_share", "repeat_after"} <= data.keys():
            try:
                checks.check(self.settings())
            except ValueError as error:
                self.add_error("repeat_share", language.said_by(error))
        return data


class GoldForm(forms.Form):
    """An item: what it is for, how it is judged, and why. What is expected is an answer, given
    with the question's own instruments beside these fields."""

    purpose = forms.ChoiceField(label=_("What it is for"), choices=PURPOSES)
    explanation = forms.CharField(
        label=_("Explanation"),
        required=False,
        max_length=gold.LONGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("Markdown. Raters read it where they are told what was expected."),
    )

    def __init__(self, *args: Any, parts: Parts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts = parts
        for key, part in parts.items():
            self.fields[f"judge-{key}"] = forms.BooleanField(
                label=language.translated(combining.name_of(key, part)), required=False
            )
            if part["type"] in ("pairwise", "rating"):
                self.fields[f"steps-{key}"] = forms.IntegerField(
                    label=_("Steps off that are still right"),
                    required=False,
                    min_value=0,
                    max_value=8,
                    help_text=_("Empty: any strength, as long as the outcome is the same.")
                    if part["type"] == "pairwise"
                    else "",
                )
            if part["type"] == "ranking":
                self.fields[f"tau-{key}"] = forms.FloatField(
                    label=_("Least Kendall τ"),
                    required=False,
                    min_value=-1,
                    max_value=1,
                    widget=forms.NumberInput(attrs={"step": "0.05"}),
                    help_text=_("1 is the same order, 0 unrelated, −1 the reverse."),
                )

    def judged(self) -> list[tuple[forms.BoundField, forms.BoundField | None]]:
        """For each part its box, and the field of its rule where it has one."""
        found = []
        for key in self.parts:
            rule = next((n for n in (f"steps-{key}", f"tau-{key}") if n in self.fields), None)
            found.append((self[f"judge-{key}"], self[rule] if rule else None))
        return found

    def rules(self, answered: Parts) -> Rules:
        """Of the parts that are judged and were answered."""
        data, found = self.cleaned_data, Rules()
        for key in self.parts:
            if data[f"judge-{key}"] and key in answered:
                said = {name: data.get(f"{name}-{key}") for name in ("steps", "tau")}
                found[key] = {name: value for name, value in said.items() if value is not None}
        return found


def fields_of(rules: Rules, parts: Parts) -> dict[str, Any]:
    """What the fields of a GoldForm stand at, for these rules; for none, every part is judged by
    the usual rule of its type."""
    wanted = rules or {
        key: dict(marking.DEFAULTS.get(part["type"], {})) for key, part in parts.items()
    }
    found: dict[str, Any] = {}
    for key, rule in wanted.items():
        found[f"judge-{key}"] = True
        found |= {f"{name}-{key}": value for name, value in rule.items()}
    return found


class GoldFileForm(RequestForm):
    gold = forms.FileField(error_messages={"required": _("Choose a JSONL file.")})


class ContestForm(RequestForm):
    """Why a rater disagrees."""

    text = forms.CharField(
        max_length=contests.LONGEST,
        error_messages={"required": _("Say why you disagree: the lead reads it.")},
    )


class DecisionForm(RequestForm):
    """What a lead makes of it."""

    ACTS = ("retire", "reject", "reopen")
    act = forms.ChoiceField(
        choices=[(act, act) for act in ACTS],
        error_messages={"required": _("Say what to do."), "invalid_choice": _("Say what to do.")},
    )
    reason = forms.CharField(max_length=contests.LONGEST, required=False)
