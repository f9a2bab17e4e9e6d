"""The form of a token: what a program may do for somebody, in which project, for how long."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import access, language
from annotate.forms import printable
from labeling.models import User
from labeling.tokens import SCOPES
from models_runtime.models import Project

DAYS = [(7, _("a week")), (30, _("30 days")), (90, _("90 days")), (365, _("a year"))]


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        validators=[printable],
        help_text=_("What it is for, so that you know later which one to revoke."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    project = forms.ModelChoiceField(
        queryset=Project.objects.none(),
        label=_("Project"),
        empty_label=None,
        help_text=_("It sees nothing of others."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=[(name, language.later(does)) for name, does in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Never more than your own roles let you do."),
        error_messages={"required": _("Choose at least one thing that the token may do.")},
    )
    days = forms.TypedChoiceField(label=_("Valid for"), choices=DAYS, coerce=int, initial=90)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = access.projects(user, *access.STAFF).order_by("name", "pk")
        self.fields["project"].queryset = offered  # type: ignore[attr-defined]
