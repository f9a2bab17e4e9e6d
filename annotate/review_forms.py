"""The forms of a lead's review: decisions, what is sent back, exclusions."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.forms import DayField, RequestForm, printable
from labeling import adjudications, send_backs
from labeling.models import Adjudication, Exclusion

MASK = "[…]"  # what stands for a text that was masked


class DecisionForm(RequestForm):
    """One of the buttons: ``kind`` says which."""

    kind = forms.ChoiceField(choices=[one for one in Adjudication.KINDS if one[0] != "undone"])
    text = forms.CharField(required=False, max_length=adjudications.LONGEST)
    more = forms.IntegerField(
        required=False, min_value=1, max_value=adjudications.MOST_MORE, initial=1
    )


class SendBackForm(RequestForm):
    label = forms.IntegerField(min_value=1)
    text = forms.CharField(max_length=send_backs.LONGEST)


class ExclusionForm(forms.Form):
    """From the beginning of a day, in the reader's time."""

    from_day = DayField(
        label=_("Labels given since"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_(
            "From the beginning of that day until now. What they answer after now counts again; "
            "to stop that, take their role as a rater away."
        ),
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Exclusion.REASONS)
    text = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=adjudications.LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For whoever reads this later; the rater does not see it."),
    )

    def clean_from_day(self) -> dt.date:
        day: dt.date = self.cleaned_data["from_day"]
        if day > timezone.localdate():
            raise forms.ValidationError(_("Choose a day that has begun."))
        return day

    def from_at(self) -> dt.datetime:
        return beginning(self.cleaned_data["from_day"])


def beginning(day: dt.date) -> dt.datetime:
    """The first moment of a day."""
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


class MaskForm(RequestForm):
    """What is to be masked in every text of a comparison, one a line, and by what."""

    finds = forms.CharField(
        required=False,
        max_length=20_000,
        error_messages={"max_length": _("Write at most 20,000 characters to be masked.")},
    )
    mask = forms.CharField(
        required=False,
        max_length=100,
        validators=[printable],
        error_messages={"max_length": _("What stands instead has at most 100 characters.")},
    )

    def lines(self) -> list[str]:
        return [line for line in self.cleaned_data["finds"].splitlines() if line.strip()]

    def instead(self) -> str:
        return self.cleaned_data["mask"] or MASK


def texts_in(posted: dict[str, Any]) -> dict[str, str]:
    """The passages of a redaction as their form sends them."""
    start = "passage-"
    return {
        name.removeprefix(start): text for name, text in posted.items() if name.startswith(start)
    }
