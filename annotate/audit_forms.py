"""The form above the audit log: every field may stay empty."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate import language, object_links
from annotate.audit_log import Filter
from annotate.audit_words import VERBS
from annotate.forms import DayField
from labeling.models import Campaign, User
from models_runtime.models import Project


def _day() -> DayField:
    return DayField(required=False, widget=forms.DateInput(attrs={"type": "date"}))


class AuditForm(forms.Form):
    """Read from the address, so that a search can be kept as a link. Only what is the reader's
    own can be chosen: of other projects not even the existence shows."""

    project = forms.ModelChoiceField(
        Project.objects.none(), label=_("Project"), to_field_name="slug", empty_label=None
    )
    text = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
        help_text=_("A name, a word of what was done, or a number."),
    )
    verb = forms.ChoiceField(label=_("What was done"), required=False)
    person = forms.ModelChoiceField(
        User.objects.none(),
        label=_("Who"),
        required=False,
        to_field_name="public_id",
        empty_label=_("anybody"),
    )
    campaign = forms.ModelChoiceField(
        Campaign.objects.none(),
        label=_("Campaign"),
        required=False,
        to_field_name="slug",
        empty_label=_("any"),
    )
    kind = forms.ChoiceField(label=_("To what"), required=False)
    since = _day()
    until = _day()

    def __init__(self, projects: list[Project], data: Any) -> None:
        chosen = next((p for p in projects if p.slug == data.get("project")), projects[0])
        # The other fields offer what the project has, so it is never empty.
        super().__init__({**data.dict(), "project": data.get("project") or chosen.slug})
        own = Project.objects.filter(pk__in=[project.pk for project in projects])
        self.fields["project"].queryset = own.order_by("name", "pk")  # type: ignore[attr-defined]
        people = User.objects.filter(memberships__project=chosen).distinct().order_by("username")
        self.fields["person"].queryset = people  # type: ignore[attr-defined]
        campaigns = Campaign.objects.filter(project=chosen).order_by("name", "pk")
        self.fields["campaign"].queryset = campaigns  # type: ignore[attr-defined]
        self.fields["verb"].choices = [("", _("anything")), *_said((v, v) for v in VERBS)]  # type: ignore[attr-defined]
        kinds = _said(object_links.KINDS.items())
        self.fields["kind"].choices = [("", _("anything")), *kinds]  # type: ignore[attr-defined]
        self.fields["since"].label, self.fields["until"].label = _("From day"), _("Until")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", _("This day is before the first one."))
        return data

    def wanted(self) -> Filter:
        """What the valid form asks for; a day is one of the server's time zone, and all of it."""
        data = self.cleaned_data
        names = ("project", "verb", "person", "campaign", "kind", "text")
        after = data["until"] and data["until"] + timedelta(days=1)
        return Filter(
            **{name: data[name] for name in names},
            since=_midnight(data["since"]),
            until=_midnight(after),
        )


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


def _said(pairs: Any) -> list[tuple[str, str]]:
    """Choices in the reader's language and its order."""
    said = [(str(value), language.translated(words)) for value, words in pairs]
    return sorted(said, key=lambda choice: choice[1].casefold())
