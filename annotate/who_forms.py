"""Who rates a new campaign: groups that are there, and groups that are made with it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.forms import RowsField
from labeling import groups, queues
from labeling.models import Campaign, RaterGroup, User
from labeling.queues import Rules

MOST_NEW = 10


class WhoFields(forms.Form):
    """The simplest of what a campaign's own page of its queue has."""

    groups = RowsField(
        label=gettext_lazy("Groups and skills"),
        queryset=RaterGroup.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    new_groups = forms.CharField(
        label=gettext_lazy("New groups"),
        required=False,
        max_length=900,
        help_text=gettext_lazy(
            "Names, separated by commas. They are made with the campaign; you put people in them "
            "under People."
        ),
    )
    by_language = forms.BooleanField(
        label=gettext_lazy("Only prompts in a rater's languages"), required=False
    )

    def clean_new_groups(self) -> list[str]:
        names = [" ".join(name.split()) for name in self.cleaned_data["new_groups"].split(",")]
        found = list(dict.fromkeys(name for name in names if name))
        if len(found) > MOST_NEW:
            raise forms.ValidationError(_("Ten new groups are the most."))
        for name in found:
            if len(name) > groups.LONGEST_NAME or not name.isprintable():
                said = _("“%(name)s” cannot be a group's name.")
                raise forms.ValidationError(said, params={"name": name})
        return found

    def check_groups(self, project: Any) -> None:
        """Whether what is chosen is of the project, and what is to be made is not there."""
        data = self.cleaned_data
        if project is None:
            return
        chosen = data.get("groups")
        if any(group.project_id != project.pk for group in (chosen or [])):
            self.add_error("groups", _("One of these groups belongs to another project."))
        rows = RaterGroup.objects.filter(project=project, name__in=data.get("new_groups") or [])
        if taken := rows.first():
            said = _("There is a group “%(name)s” already: tick it above.")
            error = forms.ValidationError(said, params={"name": taken.name})
            self.add_error("new_groups", error)

    def settle_groups(self, campaign: Campaign, actor: User) -> None:
        """Make what is to be made, and offer the campaign to the groups. Raises ValueError."""
        data = self.cleaned_data
        made = [
            groups.make(project=campaign.project, name=name, kind="group", actor=actor)
            for name in data["new_groups"]
        ]
        wanted = frozenset(group.pk for group in [*data["groups"], *made])
        rules = Rules(groups=wanted, by_language=data["by_language"])
        queues.settle(campaign=campaign, rules=rules, actor=actor)
