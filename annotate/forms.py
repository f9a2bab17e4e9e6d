"""Forms: what a browser may send, checked before any service is called."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _

from labeling.models import Assignment, Flag


class SignInForm(AuthenticationForm):
    """One answer for a wrong password, an unknown name and a disabled account."""

    error_messages = {
        "invalid_login": _("That name and password do not match. Mind capital letters."),
        "inactive": _("That name and password do not match. Mind capital letters."),
    }


class RequestForm(forms.Form):
    """A form that a script or one button sends: its errors are one sentence."""

    def sentence(self) -> str:
        return " ".join(str(error) for errors in self.errors.values() for error in errors)


class AnswerForm(RequestForm):
    """What goes with an answer. The key is made by the browser before its first try."""

    idempotency_key = forms.UUIDField(error_messages={"required": _("The answer has no key.")})
    active_ms = forms.IntegerField(min_value=0, max_value=24 * 3600 * 1000, required=False)
    layout = forms.RegexField(r"^[a-z_]+/[a-z]+$", max_length=30, required=False)


class SkipForm(RequestForm):
    reason = forms.ChoiceField(
        choices=Assignment.SKIP_REASONS,
        error_messages={
            "required": _("Say why you skip it."),
            "invalid_choice": _("That is no reason to skip."),
        },
    )


class FlagForm(RequestForm):
    code = forms.ChoiceField(
        choices=Flag.CODES,
        error_messages={
            "required": _("Say what is wrong."),
            "invalid_choice": _("That is no flag."),
        },
    )
