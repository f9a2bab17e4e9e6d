"""The form of time and pay: what a campaign's raters see of their own work."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import language
from labeling import pay
from labeling.models import Campaign
from labeling.pay import Counters


class AmountField(forms.DecimalField):
    """An amount of money; 0, which pays nothing, stands empty."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) and value else value or None


class PayFields(forms.Form):
    """What a lead settles about the counters on a rater's card."""

    shows_time = forms.BooleanField(
        label=_("Raters see their active time"),
        required=False,
        help_text=_(
            "As their browser measures it: with the page in front of them, and for no more than "
            "half a minute after the last sign of them. Never more than the time that passed."
        ),
    )
    pay_per = forms.ChoiceField(
        label=_("Raters see their pay"), choices=[("", _("no")), *Campaign.PAID], required=False
    )
    pay_amount = AmountField(
        label=_("Amount"), required=False, min_value=0, max_digits=10, decimal_places=4
    )
    pay_currency = forms.CharField(
        label=_("Currency"),
        required=False,
        max_length=3,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off"}),
        help_text=_("Its code in ISO 4217, such as EUR or USD."),
    )

    def counters(self) -> Counters:
        data = self.cleaned_data
        if not data["pay_per"]:
            return Counters(data["shows_time"])
        amount = data["pay_amount"] or Decimal(0)
        return Counters(data["shows_time"], data["pay_per"], amount, data["pay_currency"])

    def clean_pay_currency(self) -> str:
        return str(self.cleaned_data["pay_currency"]).upper()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"pay_per", "pay_amount", "pay_currency"} <= data.keys():
            try:
                pay.check(self.counters())
            except ValueError as error:
                place = "pay_currency" if data["pay_amount"] else "pay_amount"
                self.add_error(place, language.said_by(error))
        return data


class PayForm(PayFields):
    """The settings of a campaign that exists."""
