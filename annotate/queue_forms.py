"""Forms of queues: whom a campaign is offered to, and the groups and skills there are."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.care_forms import LimitField
from annotate.forms import RowsField, printable
from labeling import groups
from labeling.models import Campaign, RaterGroup, User
from labeling.queues import MOST, Rules


class QueueForm(forms.Form):
    """Whom a campaign is offered to, and how much of it to one rater."""

    groups = RowsField(
        label=_("Groups"),
        queryset=RaterGroup.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Raters of any of these. None ticked: of every group, and of none."),
    )
    skills = RowsField(
        label=_("Skills"),
        queryset=RaterGroup.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Raters who have all of these."),
    )
    by_language = forms.BooleanField(
        label=_("Only prompts in a rater's languages"),
        required=False,
        help_text=_(
            "As raters say on their account page. A prompt that names no language is for "
            "everybody."
        ),
    )
    most_answers = LimitField(
        label=_("Answers of one rater in all"),
        required=False,
        min_value=0,
        max_value=MOST,
        help_text=_("Empty: no limit."),
    )
    most_daily = LimitField(
        label=_("Answers of one rater in 24 hours"),
        required=False,
        min_value=0,
        max_value=MOST,
        help_text=_("Empty: no limit."),
    )

    def __init__(self, campaign: Campaign, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = RaterGroup.objects.filter(project=campaign.project_id).order_by("name")
        for name, kind in (("groups", "group"), ("skills", "skill")):
            field: Any = self.fields[name]
            field.queryset = rows.filter(kind=kind)

    @staticmethod
    def initial_of(rules: Rules) -> dict[str, Any]:
        wanted = {"groups": rules.groups, "skills": rules.groups}
        return {**vars(rules), **wanted}

    def rules(self) -> Rules:
        data = self.cleaned_data
        return Rules(
            groups=frozenset(row.pk for row in [*data["groups"], *data["skills"]]),
            by_language=data["by_language"],
            most_answers=data["most_answers"] or 0,
            most_daily=data["most_daily"] or 0,
        )


class GroupForm(forms.Form):
    """A new group or skill."""

    name = forms.CharField(label=_("Name"), max_length=groups.LONGEST_NAME, validators=[printable])
    kind = forms.ChoiceField(label=_("Kind"), choices=RaterGroup.KINDS, initial="group")


class RenameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=groups.LONGEST_NAME, validators=[printable])


class MembersForm(forms.Form):
    """People who are put in, or taken out."""

    people = RowsField(
        queryset=User.objects.none(),
        to_field_name="public_id",
        error_messages={"required": _("Choose at least one person.")},
    )

    def __init__(self, group: RaterGroup, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["people"]
        field.queryset = User.objects.filter(
            memberships__project=group.project_id, kind="person"
        ).distinct()

    def sentence(self) -> str:
        return " ".join(str(error) for errors in self.errors.values() for error in errors)
