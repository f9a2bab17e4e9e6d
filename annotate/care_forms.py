"""Forms of care: the lead's settings of a campaign, and a rater's own line."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.forms import RequestForm, printable
from labeling.care import LONGEST_WARNING, MOST_KINDS, Care


class LimitField(forms.IntegerField):
    """The most of something; 0, which is no limit, stands empty."""

    def prepare_value(self, value: Any) -> Any:
        return value or None


class KindsField(forms.CharField):
    """Categories and tags of prompts, with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        names = [" ".join(name.split()) for name in super().clean(value).split(",")]
        kinds = list(dict.fromkeys(name for name in names if name))
        if len(kinds) > MOST_KINDS or any(len(name) > 100 for name in kinds):
            raise forms.ValidationError(_("At most a hundred kinds, of 100 characters each."))
        return kinds


class CareFields(forms.Form):
    """What a lead settles where raters may meet harmful texts."""

    content_warning = forms.CharField(
        label=_("Content warning"),
        required=False,
        max_length=LONGEST_WARNING,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What raters may meet here. Empty: the campaign needs no care."),
    )
    needs_consent = forms.BooleanField(
        label=_("Raters agree first"),
        required=False,
        help_text=_("They read the warning and say yes before the first card."),
    )
    veiled = forms.BooleanField(
        label=_("Veil the texts"),
        required=False,
        help_text=_("Blurred on every card until the rater asks for them with v."),
    )
    daily_cards = LimitField(
        label=_("Cards in 24 hours"),
        required=False,
        min_value=0,
        max_value=32_000,
        help_text=_("The most a rater is shown of all campaigns with a warning. Empty: no limit."),
    )
    sensitive_kinds = KindsField(
        label=_("Kinds that need a yes of their own"),
        required=False,
        validators=[printable],
        help_text=_(
            "Categories and tags of prompts, with commas between them: only raters who say yes to "
            "one are shown it."
        ),
    )

    def care_boxes(self) -> list[forms.BoundField]:
        return [self["needs_consent"], self["veiled"]]

    def care(self) -> Care:
        data = self.cleaned_data
        return Care(
            content_warning=data["content_warning"],
            needs_consent=data["needs_consent"],
            veiled=data["veiled"],
            daily_cards=data["daily_cards"] or 0,
            sensitive_kinds=data["sensitive_kinds"],
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        others = ("needs_consent", "veiled", "daily_cards", "sensitive_kinds")
        asked = any(data.get(name) for name in others)
        if asked and not data.get("content_warning", "").strip():
            said = _("Write the warning first: the other settings need one.")
            self.add_error("content_warning", said)
        return data


class CareForm(CareFields):
    """The settings of a campaign that exists."""


class BoundaryForm(RequestForm):
    """What a rater does about a warning."""

    ACTS = ("consent", "withdraw", "leave", "return", "opt-in")
    act = forms.ChoiceField(
        choices=[(act, act) for act in ACTS],
        error_messages={"required": _("Say what to do."), "invalid_choice": _("Say what to do.")},
    )
    kind = forms.CharField(max_length=100, required=False)
