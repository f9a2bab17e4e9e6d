"""Which labels are to be listed, as an address says it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.forms import DayField
from labeling.judgements import SOURCES
from labeling.label_list import SAID, SIDES, Wanted
from labeling.models import Campaign, User

SAID_TITLES = {
    "significantly": _("significantly better"),
    "better": _("better"),
    "slightly": _("slightly better"),
    "negligibly": _("negligibly better"),
    "prefer": _("any preference"),
    "tie": _("tie"),
    "both_bad": _("both bad"),
    "unsure": _("unsure"),
}
SIDE_TITLES = {"first": _("the first text"), "second": _("the second text")}
SOURCE_TITLES = {"person": _("people"), "program": _("programs"), "simulated": _("simulated")}


class LabelsForm(forms.Form):
    """Everything may stay empty. Names are of those who have a seat in the campaign."""

    rater = forms.CharField(label=_("Rater"), max_length=150, required=False)
    said = forms.ChoiceField(
        label=_("Answer"),
        choices=[("", _("any")), *((name, SAID_TITLES[name]) for name in SAID)],
        required=False,
    )
    side = forms.ChoiceField(
        label=_("Chosen"),
        choices=[("", _("either")), *((name, SIDE_TITLES[name]) for name in SIDES)],
        required=False,
    )
    source = forms.ChoiceField(
        label=_("By"),
        choices=[("", _("anybody")), *((name, SOURCE_TITLES[name]) for name in SOURCES)],
        required=False,
    )
    since = DayField(
        label=_("From day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = DayField(
        label=_("To day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    reserved = forms.BooleanField(label=_("Kept for evaluation only"), required=False)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62)

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        self.campaign = campaign
        super().__init__(*args, **kwargs)

    def clean_rater(self) -> User | None:
        name = self.cleaned_data["rater"]
        if not name:
            return None
        found = User.objects.filter(username=name, seats__campaign=self.campaign).first()
        if found is None:
            raise forms.ValidationError(_("Nobody of that name has answered here."))
        return found

    def wanted(self) -> Wanted:
        """Of a form that is valid or was not sent."""
        return Wanted(**self.cleaned_data) if self.is_bound else Wanted()
