"""The form of a campaign's overlap: how many labels a comparison gets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import language
from labeling import adaptive
from labeling.adaptive import MOST, Rule
from labeling.models import Campaign


class OverlapForm(forms.Form):
    """``campaign`` is the one whose overlap it is."""

    least = forms.IntegerField(
        label=_("Labels a comparison, at least"),
        min_value=1,
        max_value=MOST,
        help_text=_("For comparisons that are built from now on."),
    )
    rule = forms.ChoiceField(
        label=_("More labels"), choices=[("", _("never")), *Campaign.MORE], required=False
    )
    most = forms.IntegerField(
        label=_("At most"),
        min_value=0,
        max_value=MOST,
        required=False,
        help_text=_("With 2 and 3, a third is asked where two differ, nobody where they agree."),
    )
    sure = forms.IntegerField(
        label=_("Believed enough, in percent"),
        min_value=51,
        max_value=99,
        required=False,
        help_text=_(
            "What an outcome is believed once its labels are weighed by how often their raters "
            "are right. At 80 %, simulated raters of mixed accuracy needed a third fewer labels "
            "than three each, for results at least as good."
        ),
    )

    def __init__(self, data: Any = None, *, campaign: Campaign) -> None:
        self.campaign = campaign
        rule = adaptive.of(campaign)
        now = {"least": rule.least, "rule": rule.rule, "sure": round(100 * rule.sure)}
        super().__init__(data, initial={**now, "most": rule.most or 3})

    def rule_of(self) -> Rule:
        data, before = self.cleaned_data, adaptive.of(self.campaign)
        sure = data["sure"] / 100 if data["sure"] else before.sure
        if not data["rule"]:
            return Rule(data["least"], sure=before.sure)
        return Rule(data["least"], data["rule"], data["most"] or 0, sure)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"least", "rule", "most", "sure"} <= data.keys():
            try:
                adaptive.check(self.campaign, self.rule_of())
            except ValueError as error:
                place = "rule" if adaptive.why_not(self.campaign) else "most"
                self.add_error(place, language.said_by(error))
        return data
