"""The form of what a run trains on: filters of the rows, and weights of the frozen sets."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from annotate import language, numerals
from annotate.forms import option_field
from labeling.models import Iteration, Snapshot
from training.configs import BadOption, Filters

MOST_SETS = 12  # offered beside the iteration's own
DAYS = ("since", "until")


class DataForm(forms.Form):
    """Filters, and a weight for each set that can be mixed with the iteration's own labels. What
    is left empty filters nothing and mixes nothing in."""

    def __init__(self, iteration: Iteration, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.snapshots = [*([iteration.snapshot] if iteration.snapshot else [])]
        self.snapshots += mixable_with(iteration)
        for option in dataclasses.fields(Filters):
            self.fields[option.name] = option_field(option, option.default)
            self.fields[option.name].required = False
        for name in DAYS:
            self.fields[name].widget = forms.DateInput(attrs={"type": "date"})
        for place, snapshot in enumerate(self.snapshots):
            self.fields[f"weight_{snapshot.pk}"] = _weight(snapshot, own=place == 0)

    @property
    def filter_fields(self) -> list[forms.BoundField]:
        return [self[option.name] for option in dataclasses.fields(Filters)]

    @property
    def weight_fields(self) -> list[forms.BoundField]:
        """None where there is nothing to mix with."""
        weights = [self[f"weight_{snapshot.pk}"] for snapshot in self.snapshots]
        return weights if len(weights) > 1 else []

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            Filters.parse(self.filters())
        except BadOption as error:
            raise forms.ValidationError(language.said_by(error)) from error
        return cleaned

    def filters(self) -> dict[str, Any]:
        """Those that were set, as training.runs.start_run takes them."""
        given = {one.name: self.cleaned_data.get(one.name) for one in dataclasses.fields(Filters)}
        return {name: value for name, value in given.items() if value not in (None, "")}

    def mixture(self) -> list[tuple[Snapshot, float]]:
        """The sets with their weights, the iteration's own first; empty where nothing is mixed
        in."""
        found = [
            (snapshot, self.cleaned_data.get(f"weight_{snapshot.pk}"))
            for snapshot in self.snapshots
        ]
        others = [(snapshot, weight) for snapshot, weight in found[1:] if weight]
        return [(found[0][0], found[0][1] or 1.0), *others] if others else []


def mixable_with(iteration: Iteration) -> list[Snapshot]:
    """What was imported, and the newest labels of each other campaign, newest first. Snapshots of
    a campaign hold those before them, so its own earlier ones would only repeat labels."""
    rows = Snapshot.objects.filter(project=iteration.campaign.project_id)
    rows = rows.exclude(counts__has_key="model")  # every round makes one: a menu full of them
    newest: set[int] = {iteration.campaign_id}
    found: list[Snapshot] = []
    for snapshot in rows.select_related("campaign").order_by("-pk"):
        if snapshot.is_imported or snapshot.campaign_id not in newest:
            found.append(snapshot)
        if not snapshot.is_imported:
            newest.add(snapshot.campaign_id)
        if len(found) == MOST_SETS:
            break
    return found


def _weight(snapshot: Snapshot, *, own: bool) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "any"})
    label = _("These labels") if own else _named(snapshot)
    initial = 1.0 if own else None
    return forms.FloatField(
        label=label, min_value=0.0, initial=initial, required=False, widget=widget
    )


def _named(snapshot: Snapshot) -> str:
    kept = numerals.whole(snapshot.counts.get("comparisons", {}).get("kept", 0))
    if snapshot.is_imported:
        name = snapshot.counts["imported"]["name"]
        said = _("%(name)s, imported: %(n)s comparisons (snapshot %(number)s)")
    else:
        name = snapshot.campaign.name
        said = _("%(name)s: %(n)s comparisons (snapshot %(number)s)")
    return said % {"name": name, "n": kept, "number": snapshot.pk}
