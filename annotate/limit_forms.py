"""Forms of a campaign's limits: budget, deadline and quotas; of a pilot; and of a clone."""

from __future__ import annotations

import functools
import zoneinfo
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate import language
from annotate.forms import printable
from labeling import pilots, quotas, spend
from labeling.models import Campaign
from labeling.quotas import Wanted
from labeling.spend import Limits

MOMENT = "%Y-%m-%dT%H:%M"  # as a browser sends and wants it
YEARS = range(2000, 2200)  # a moment at the end of all years is none in every zone


class MomentField(forms.Field):
    """A day and a time of a zone that another field names; a datetime of no zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT)

    def to_python(self, value: Any) -> datetime | None:
        if not value:
            return None
        said = _("Write a day and a time, such as 2027-03-31 18:00.")
        try:
            moment = datetime.fromisoformat(str(value)).replace(tzinfo=None)
        except ValueError:
            raise forms.ValidationError(said) from None
        if moment.year not in YEARS:
            raise forms.ValidationError(said)
        return moment

    def prepare_value(self, value: Any) -> Any:
        return value.strftime(MOMENT) if isinstance(value, datetime) else value


class QuotaLines(forms.CharField):
    """``name: 300`` or ``name: 30 %`` a line, as quotas of one kind."""

    widget = forms.Textarea

    def __init__(self, *, kind: str, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=20_000, **kwargs)
        self.kind = kind

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(
            f"{one.name}: {one.amount}{' %' if one.unit == 'percent' else ''}"
            for one in value
            if one.kind == self.kind
        )

    def clean(self, value: Any) -> Any:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        found = [self._wanted(line) for line in lines]
        names = [one.name for one in found]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            said = _("“%(name)s” stands on two lines.")
            raise forms.ValidationError(said, params={"name": twice})
        return found

    def _wanted(self, line: str) -> Wanted:
        name, _colon, amount = (piece.strip() for piece in line.rpartition(":"))
        unit = "percent" if amount.endswith("%") else "labels"
        figure = amount.removesuffix("%").strip().replace(",", "").replace(" ", "")
        if not name or not (figure.isascii() and figure.isdigit()) or len(figure) > 9:
            said = _("Write name: number or name: share on each line; “%(line)s” is not.")
            raise forms.ValidationError(said, params={"line": line})
        return Wanted(self.kind, name[:100], int(figure), unit)


class BudgetFields(forms.Form):
    """The most that a campaign may cost, and its last moment."""

    limit_labels = forms.IntegerField(
        label=gettext_lazy("Most labels"), required=False, min_value=1, max_value=1_000_000_000
    )
    limit_hours = forms.DecimalField(
        label=gettext_lazy("Most active hours"),
        required=False,
        min_value=0,
        max_digits=9,
        decimal_places=2,
    )
    limit_money = forms.DecimalField(
        label=gettext_lazy("Most money"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=2,
        help_text=gettext_lazy("In the currency of the pay."),
    )
    deadline = MomentField(
        label=gettext_lazy("Deadline"),
        required=False,
        help_text=gettext_lazy("Raters see it. At that moment the campaign pauses by itself."),
    )
    zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        max_length=50,
        initial="UTC",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=gettext_lazy("By its place, such as Europe/Berlin."),
    )

    def zones(self) -> list[str]:
        return zones()

    def clean_zone(self) -> str:
        zone = str(self.cleaned_data["zone"]).strip().replace(" ", "_") or "UTC"
        if zone not in zones():
            raise forms.ValidationError(_("There is no time zone of that name."))
        return zone

    def budget_errors(self) -> bool:
        return any(self[name].errors for name in BUDGET)

    def limits(self) -> Limits:
        data = self.cleaned_data
        zone, ends = data["zone"], data["deadline"]
        return Limits(
            data["limit_labels"],
            data["limit_hours"],
            data["limit_money"],
            ends.replace(tzinfo=zoneinfo.ZoneInfo(zone)) if ends else None,
            zone,
        )

    def check_budget(self, pay_per: str) -> None:
        """Says by its field what cannot be."""
        if not set(BUDGET) <= self.cleaned_data.keys():
            return
        try:
            spend.check(self.limits(), pay_per)
        except spend.Refused as error:
            money = self.cleaned_data["limit_money"] is not None
            hours = self.cleaned_data["limit_hours"]
            place = "limit_hours" if hours is not None and hours <= 0 else "limit_money"
            self.add_error(place if money or hours is not None else None, language.said_by(error))


BUDGET = ("limit_labels", "limit_hours", "limit_money", "deadline", "zone")


class QuotaFields(forms.Form):
    """How many labels of which prompts."""

    by_category = QuotaLines(
        kind="category",
        label=gettext_lazy("By category of the prompts"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "One a line, in labels or in shares of the target: code: 300 or code: 30 %."
        ),
    )
    by_language_of = QuotaLines(
        kind="language",
        label=gettext_lazy("By language of the prompts"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("By its code, as the prompts have it: de: 50 %."),
    )

    def wanted(self) -> list[Wanted]:
        return [*self.cleaned_data["by_category"], *self.cleaned_data["by_language_of"]]

    def check_quotas(self) -> None:
        for name in ("by_category", "by_language_of"):
            if name in self.cleaned_data:
                try:
                    quotas.check(self.cleaned_data[name])
                except quotas.Refused as error:
                    self.add_error(name, language.said_by(error))


class BudgetForm(BudgetFields):
    """The limits of a campaign that exists."""

    def __init__(self, campaign: Campaign, data: Any = None) -> None:
        super().__init__(data, initial=budget_initial(spend.limits_of(campaign)))
        self.campaign = campaign

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self.check_budget(self.campaign.pay_per)
        return data


class QuotaForm(QuotaFields):
    """The quotas of a campaign that exists."""

    fill = forms.BooleanField(
        label=gettext_lazy("Draw prompts to fill them"),
        required=False,
        help_text=gettext_lazy(
            "From the next round on prompts are sampled in the shares that are still missing, and "
            "not as they come."
        ),
    )

    def __init__(self, campaign: Campaign, data: Any = None) -> None:
        wanted = quotas.wanted_of(campaign)
        now = {"fill": campaign.plan.get("fill_quotas", False)}
        super().__init__(data, initial={"by_category": wanted, "by_language_of": wanted, **now})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self.check_quotas()
        return data


class PilotForm(forms.Form):
    """How a draft is opened as a pilot."""

    size = forms.IntegerField(
        label=gettext_lazy("Comparisons"),
        initial=50,
        min_value=pilots.SMALLEST,
        max_value=pilots.LARGEST,
    )
    overlap = forms.IntegerField(
        label=gettext_lazy("Labels each"),
        initial=pilots.LEAST_OVERLAP,
        min_value=pilots.LEAST_OVERLAP,
        max_value=pilots.MOST_OVERLAP,
        help_text=gettext_lazy("By different raters, so that their agreement can be told."),
    )


class CloneForm(forms.Form):
    """What a clone is called, and whether it has the prompts too."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, validators=[printable])
    prompts = forms.BooleanField(
        label=gettext_lazy("With its prompts"),
        required=False,
        help_text=gettext_lazy("Those that were imported; what raters wrote stays where it is."),
    )


def budget_initial(limits: Limits) -> dict[str, Any]:
    """A deadline stands in the zone in which it was written."""
    ends = limits.deadline.astimezone(zoneinfo.ZoneInfo(limits.zone)) if limits.deadline else None
    return {
        "limit_labels": limits.labels,
        "limit_hours": limits.hours,
        "limit_money": limits.money,
        "deadline": ends,
        "zone": limits.zone,
    }


@functools.cache
def zones() -> list[str]:
    """UTC, and every zone that is named after a place."""
    places = {
        *("Africa", "America", "Asia", "Atlantic"),
        *("Australia", "Europe", "Indian", "Pacific"),
    }
    known = zoneinfo.available_timezones()
    return ["UTC", *sorted(name for name in known if name.partition("/")[0] in places)]
