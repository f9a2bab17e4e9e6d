"""The form of a rater's own keys: each command on a key of the list, no two on the same one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate import keys


class KeysForm(forms.Form):
    """What annotate.keys.Keys holds, as the account page sends it."""

    on = forms.BooleanField(label=_("Use the keys"), required=False)
    modifier = forms.ChoiceField(
        label=_("To be held with every key"), choices=list(keys.MODIFIERS.items())
    )

    def __init__(self, chosen: keys.Keys, data: Any = None) -> None:
        initial = {"on": chosen.on, "modifier": chosen.modifier, **chosen.commands}
        super().__init__(data, initial=initial)
        for name, (does, _code) in keys.COMMANDS.items():
            does = _("The list of keys") if name == "help" else does
            self.fields[name] = forms.ChoiceField(label=does, choices=list(keys.ALLOWED.items()))

    def commands(self) -> list[forms.BoundField]:
        """The fields of the commands, apart from the two that hold for all of them."""
        return [self[name] for name in keys.COMMANDS]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        taken: dict[str, str] = {}
        for name in keys.COMMANDS:
            code = data.get(name, "")
            if code and code in taken:
                self.add_error(name, self._conflict(name, taken[code], code))
            taken.setdefault(code, name)
        return data

    def chosen(self) -> keys.Keys:
        data = self.cleaned_data
        commands = {name: data[name] for name in keys.COMMANDS}
        return keys.Keys(data["on"], data["modifier"], commands)

    def _conflict(self, name: str, other: str, code: str) -> str:
        return _("“%(one)s” and “%(other)s” cannot both be on %(key)s.") % {
            "one": self.fields[name].label,
            "other": self.fields[other].label,
            "key": keys.ALLOWED[code],
        }
