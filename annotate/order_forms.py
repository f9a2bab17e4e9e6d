"""The form of a campaign's order: which comparisons come first, and which chance alone chooses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate import language
from labeling import order
from labeling.models import Campaign
from labeling.order import STRATA, Order

RULES = (
    ("random", gettext_lazy("by chance")),
    ("imported", gettext_lazy("as the prompts were imported")),
    ("stratified", gettext_lazy("mixed: whatever was answered so far is a mixture of the whole")),
)
MIXTURES = (
    ("category,language", gettext_lazy("categories and languages")),
    ("category", gettext_lazy("categories")),
    ("language", gettext_lazy("languages")),
)
FIRST = (
    ("", gettext_lazy("nothing: all are alike")),
    ("column", gettext_lazy("a higher priority in the prompts' file")),
    ("tags", gettext_lazy("a higher priority of one of its tags")),
)


class TagLines(forms.CharField):
    """``tag: 5`` a line, as priorities by tag."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{tag}: {priority}" for tag, priority in value.items())

    def clean(self, value: Any) -> Any:
        found: dict[str, int] = {}
        for line in filter(str.strip, super().clean(value).splitlines()):
            tag, _colon, figure = (piece.strip() for piece in line.rpartition(":"))
            digits = figure.removeprefix("-")
            if not tag or not (digits.isascii() and digits.isdigit()) or len(digits) > 3:
                said = _("Write tag: number on each line; “%(line)s” is not.")
                raise forms.ValidationError(said, params={"line": line})
            if tag in found:
                said = _("“%(name)s” stands on two lines.")
                raise forms.ValidationError(said, params={"name": tag})
            found[tag[:100]] = int(figure)
        return found


class OrderForm(forms.Form):
    """``campaign`` is the one whose order it is."""

    rule = forms.ChoiceField(label=gettext_lazy("Order"), choices=RULES)
    strata = forms.ChoiceField(
        label=gettext_lazy("A mixture of"),
        choices=MIXTURES,
        help_text=gettext_lazy("For the mixed order."),
    )
    first = forms.ChoiceField(
        label=gettext_lazy("Before all others"), choices=FIRST, required=False
    )
    tags = TagLines(
        label=gettext_lazy("Priorities of tags"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "One a line, from -100 to 100: urgent: 5. A tag that is not named has 0; of several "
            "the highest counts."
        ),
    )
    reserve = forms.IntegerField(
        label=gettext_lazy("Kept for evaluation, in percent"),
        required=False,
        min_value=0,
        max_value=50,
        help_text=gettext_lazy(
            "Of the comparisons of each round that begins from now on. Prompt and pair are drawn "
            "by chance alone; no selection, quota or disagreement touches them, and no run trains "
            "on them."
        ),
    )

    def __init__(self, data: Any = None, *, campaign: Campaign) -> None:
        now = order.of(campaign)
        kept = round(100 * campaign.plan.get("reserve_share", 0))
        shown = {"rule": now.rule, "first": now.first, "tags": now.tags, "reserve": kept}
        super().__init__(data, initial={**shown, "strata": ",".join(now.strata)})

    def wanted(self) -> Order:
        data = self.cleaned_data
        strata = tuple(name for name in STRATA if name in data["strata"].split(","))
        return Order(data["rule"], strata, data["first"], data["tags"])

    def share(self) -> float:
        return (self.cleaned_data["reserve"] or 0) / 100

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"rule", "strata", "first", "tags"} <= data.keys():
            try:
                order.check(self.wanted())
            except order.Refused as error:
                self.add_error("tags", language.said_by(error))
        return data
