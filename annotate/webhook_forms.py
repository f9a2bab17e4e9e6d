"""The form of a webhook: where messages go, and which."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import language
from labeling import webhooks
from labeling.webhooks import TYPES, NotPossible


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://"}
        ),
        help_text=_("Messages are posted there as JSON. It has 15 seconds to answer."),
    )
    types = forms.MultipleChoiceField(
        label=_("What is sent"),
        choices=[(name, language.later(one.title)) for name, one in TYPES.items()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"url", "types"} <= data.keys():
            try:
                webhooks.check(data["url"], data["types"])
            except NotPossible as error:
                self.add_error("url", language.said_by(error))
        return data
