"""Forms of statements and payrolls: which days, what is disputed, and what a lead answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from annotate.forms import DayField, RequestForm
from labeling import earnings, pay_disputes
from labeling.currencies import DECIMALS
from labeling.earnings import Period

LONGEST_DAYS = 366


class PeriodForm(forms.Form):
    """A month, or the days from one to another; nothing chosen is the month of today."""

    month = forms.RegexField(
        r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])\Z",
        required=False,
        label=_("Month"),
        widget=forms.TextInput(attrs={"type": "month", "placeholder": "2026-03"}),
        error_messages={"invalid": _("Write a month as 2026-03.")},
    )
    starts = DayField(
        required=False, label=_("From day"), widget=forms.DateInput(attrs={"type": "date"})
    )
    ends = DayField(
        required=False,
        label=_("To, that day included"),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        this_month = {"month": f"{earnings.today():%Y-%m}"}
        super().__init__(_asked(data), initial=this_month, **options)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        starts, ends = data.get("starts"), data.get("ends")
        if bool(starts) != bool(ends):
            self.add_error("ends" if starts else "starts", _("Say both days, or neither."))
        _check_days(self, data)
        return data

    def period(self) -> Period:
        """What is asked for; the month of today where that cannot be."""
        if not self.is_valid():
            return Period.month(earnings.today())
        data = self.cleaned_data
        if data["starts"]:
            return Period(data["starts"], data["ends"])
        if data["month"]:
            year, month = map(int, data["month"].split("-"))
            return Period.month(dt.date(year, month, 1))
        return Period.month(earnings.today())


def _asked(data: QueryDict | None) -> Mapping[str, Any] | None:
    """What a form of days shows as it was asked: nothing asked for is the month of today, and the
    days that make a month are that month, so that another can be chosen instead."""
    if data is None or not any(data.get(name) for name in ("month", "starts", "ends")):
        return None
    try:
        days = Period(*(dt.date.fromisoformat(data.get(name, "")) for name in ("starts", "ends")))
        return {"month": f"{days.starts:%Y-%m}"} if days.is_month else data
    except (ValueError, OverflowError):
        return data


def _check_days(form: forms.Form, data: dict[str, Any]) -> None:
    starts, ends = data.get("starts"), data.get("ends")
    if starts and ends and ends < starts:
        form.add_error("ends", _("The last day comes before the first."))
    elif starts and ends and (ends - starts).days >= LONGEST_DAYS:
        form.add_error("ends", _("At most a year at a time."))


class DisputeForm(RequestForm):
    """What is wrong with a line, in the rater's words."""

    starts = DayField()
    ends = DayField()
    text = forms.CharField(
        label=_("What is wrong?"),
        max_length=pay_disputes.LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        error_messages={"required": _("Say in a sentence what is wrong.")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        _check_days(self, data)
        return data

    def period(self) -> Period:
        return Period(self.cleaned_data["starts"], self.cleaned_data["ends"])


class DisputeAnswerForm(RequestForm):
    """A lead's answer; an amount only where it is upheld."""

    verdict = forms.ChoiceField(
        choices=[("upheld", _("Uphold")), ("declined", _("Decline"))],
        error_messages={"required": _("Uphold it or decline it.")},
    )
    reply = forms.CharField(
        label=_("What the rater reads"),
        max_length=pay_disputes.LONGEST,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        error_messages={"required": _("Write a sentence that the rater reads.")},
    )
    granted = forms.DecimalField(
        label=_("Amount granted"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=4,
        help_text=_("Paid with the days in which you answer. Leave it empty to grant nothing."),
    )
    currency = forms.ChoiceField(label=_("Currency"), required=False, choices=())

    def __init__(self, data: QueryDict | None = None, currency: str = "", **options: Any) -> None:
        super().__init__(data, initial={"currency": currency}, **options)
        codes = [("", "–"), *((code, code) for code in sorted(DECIMALS))]
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency"), required=False, choices=codes
        )

    def amount(self) -> Decimal:
        return self.cleaned_data["granted"] or Decimal(0)
