"""The form of what somebody is told, and how."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import language
from labeling import notices
from labeling.models import User
from labeling.notices import KINDS, MAILS, Choice


class NoticesForm(forms.Form):
    """For each kind that may concern the user: whether the pages say it, and how often mail."""

    def __init__(self, user: User, roles: set[str], data: Any = None) -> None:
        super().__init__(data)
        now = notices.choices_of(user)
        self.kinds = [name for name, kind in KINDS.items() if roles & set(kind.roles)]
        mails = [(name, language.later(said)) for name, said in MAILS.items()]
        for name in self.kinds:
            self.fields[f"{name}-page"] = forms.BooleanField(
                label=_("On the pages"), required=False, initial=now[name].page
            )
            self.fields[f"{name}-mail"] = forms.ChoiceField(
                label=_("By mail"), choices=mails, required=False, initial=now[name].mail
            )

    def rows(self) -> list[dict[str, Any]]:
        """A kind with its title and its two fields, in order."""
        return [
            {
                "title": language.translated(KINDS[name].title),
                "about": language.translated(KINDS[name].about),
                "page": self[f"{name}-page"],
                "mail": self[f"{name}-mail"],
            }
            for name in self.kinds
        ]

    def chosen(self) -> dict[str, Choice]:
        data = self.cleaned_data
        return {name: Choice(data[f"{name}-page"], data[f"{name}-mail"]) for name in self.kinds}
