"""Forms: what a browser may send, checked before any service is called."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from annotate import language
from annotate.method_titles import option_label
from labeling.models import Assignment, Conversation, Flag
from training import runs
from training.configs import METHODS

SEED = "seed"  # of a run, beside its method's own options
DIRECTIONS = [
    ("chosen", _("Raters pick the better answer")),
    ("rejected", _("Raters pick the worse one (a red team)")),
]


def printable(value: str) -> None:
    """A name also stands where no marker can show an invisible character: in a tab's title, in a
    file's name, beside the two answers."""
    if not value.isprintable():
        raise forms.ValidationError(
            _("It holds a character that cannot be seen or that turns the reading direction."),
            code="invisible",
        )


# A day that is later or earlier has no midnight in every zone.
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2199, 12, 31)


class DayField(forms.DateField):
    def __init__(self, **options: Any) -> None:
        bounds = [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]
        super().__init__(validators=bounds, **options)


class RowsField(forms.ModelMultipleChoiceField):
    """Several rows by their ids. A number that no database holds is no choice: Django asks the
    database for it, which fails."""

    def clean(self, value: Any) -> Any:
        for one in value or ():
            if str(one).isdecimal() and len(str(one)) > 18:
                raise forms.ValidationError(
                    self.error_messages["invalid_choice"], "invalid_choice", {"value": one}
                )
        return super().clean(value)


class SignInForm(AuthenticationForm):
    """One answer for a wrong password, an unknown name and a disabled account."""

    error_messages = {
        "invalid_login": _("That name and password do not match. Mind capital letters."),
        "inactive": _("That name and password do not match. Mind capital letters."),
    }


def _number(version: str) -> int | None:
    """Of "v7"."""
    return int(version[1:]) if version else None


class RequestForm(forms.Form):
    """A form that a script or one button sends: its errors are one sentence."""

    def sentence(self) -> str:
        return " ".join(str(error) for errors in self.errors.values() for error in errors)


class AnswerForm(RequestForm):
    """What goes with an answer. The key is made by the browser before its first try."""

    idempotency_key = forms.UUIDField(error_messages={"required": _("The answer has no key.")})
    # The versions of question and guidelines that the card showed. "v1": a bare number could be
    # an id's.
    asked = forms.RegexField(r"^v[0-9]{1,6}$", required=False)
    told = forms.RegexField(r"^v[0-9]{1,6}$", required=False)
    active_ms = forms.IntegerField(min_value=0, max_value=24 * 3600 * 1000, required=False)
    layout = forms.RegexField(r"^[a-z_]+/[a-z]+\Z", max_length=30, required=False)

    def clean_asked(self) -> int | None:
        return _number(self.cleaned_data["asked"])

    def clean_told(self) -> int | None:
        return _number(self.cleaned_data["told"])


class SayForm(RequestForm):
    """A message in a talk; what it may hold is the service's to say."""

    text = forms.CharField(strip=False, required=False)
    idempotency_key = forms.UUIDField(error_messages={"required": _("The message has no key.")})


class SkipForm(RequestForm):
    reason = forms.ChoiceField(
        choices=Assignment.SKIP_REASONS,
        error_messages={
            "required": _("Say why you skip it."),
            "invalid_choice": _("That is no reason to skip."),
        },
    )


class LeaveForm(RequestForm):
    """Why somebody leaves a talk in the middle; without a reason it simply ends."""

    reason = forms.ChoiceField(
        choices=Conversation.LEAVE_REASONS,
        required=False,
        error_messages={"invalid_choice": _("That is no reason to leave.")},
    )


class UndoForm(RequestForm):
    """``assignment``: which of the last ten. ``last``: the newest when the page was drawn."""

    assignment = forms.UUIDField(required=False)
    last = forms.UUIDField(required=False)


class FlagForm(RequestForm):
    code = forms.ChoiceField(
        choices=Flag.CODES,
        error_messages={
            "required": _("Say what is wrong."),
            "invalid_choice": _("That is no flag."),
        },
    )


class PromptsForm(RequestForm):
    """More prompts for a campaign that exists."""

    prompts = forms.FileField(error_messages={"required": _("Choose a JSONL or CSV file.")})
    licence = forms.CharField(max_length=200, required=False)


class SuggestionsForm(RequestForm):
    """Cards with suggested answers for a campaign that exists."""

    suggestions = forms.FileField(error_messages={"required": _("Choose a JSONL file.")})


class SuggestersForm(RequestForm):
    named = forms.BooleanField(required=False)


class QuestionForm(forms.Form):
    """The question of a campaign that exists; its instrument stays."""

    text = forms.CharField(label=_("Question"), max_length=500, validators=[printable])
    trains_on = forms.ChoiceField(
        label=_("Direction"),
        choices=DIRECTIONS,
        help_text=_(
            "Turned round, it holds for answers to the new version; what was answered before "
            "keeps its own."
        ),
    )
    based_on = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class GuidelinesForm(forms.Form):
    markdown = forms.CharField(
        label=_("Guidelines"),
        required=False,
        max_length=100_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text=_("Markdown. Raters open them with g."),
    )
    must_confirm = forms.BooleanField(
        label=_("Raters confirm this version"),
        required=False,
        help_text=_(
            "Before the next card each rater reads what changed and confirms it; who did, and "
            "when, is kept."
        ),
    )
    based_on = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class RolesForm(RequestForm):
    """What somebody may do in a project: at least one of the roles."""

    ROLES = (
        ("rater", _("Rater"), _("compares answers")),
        ("lead", _("Lead"), _("makes campaigns, adds people")),
        ("researcher", _("Researcher"), _("trains, evaluates, promotes")),
    )
    roles = forms.MultipleChoiceField(
        choices=[(role, title) for role, title, _does in ROLES],
        error_messages={
            "required": _("Choose at least one role; to keep somebody out, deactivate them."),
            "invalid_choice": _("%(value)s is no role."),
        },
    )


class PersonForm(RolesForm):
    """Somebody new."""

    username = forms.CharField(
        label=_("Name to sign in with"),
        max_length=150,
        error_messages={"required": _("Give them a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )


class SimulateForm(RequestForm):
    count = forms.IntegerField(min_value=1, max_value=5000)


class PromoteForm(RequestForm):
    checkpoint = forms.IntegerField(error_messages={"required": _("Choose a checkpoint.")})


def run_form(method: str, initial: dict[str, Any]) -> type[forms.Form]:
    """A form of the method's own options, and of the run's seed."""
    seed = forms.IntegerField(
        label=_("Seed"),
        help_text=_("Empty: the iteration's own, the same for every run of its kind."),
        required=False,
        initial="",
        min_value=0,
        max_value=runs.MOST_SEED,
    )
    form = option_form(METHODS[method][1], initial)
    return type("RunForm", (form,), {SEED: seed})


def option_form(kind: type[Any], initial: dict[str, Any]) -> type[forms.Form]:
    """A form made of a config dataclass: field, help and bounds."""
    fields = {
        option.name: option_field(option, initial.get(option.name, option.default))
        for option in dataclasses.fields(kind)
    }
    return type("RunForm", (forms.Form,), fields)


def choice(label: Any, titles: dict[str, Any], initial: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=list(titles.items()), initial=initial)


def option_field(option: dataclasses.Field[Any], initial: Any) -> forms.Field:
    """A form's field for an option described as in training.configs.base."""
    common: dict[str, Any] = {
        "label": language.translated(option_label(option.name)),
        "help_text": language.translated(option.metadata.get("help")),
        "initial": initial,
    }
    low, high = option.metadata.get("low"), option.metadata.get("high")
    if choices := option.metadata.get("choices"):
        return forms.ChoiceField(choices=[(c, language.translated(c)) for c in choices], **common)
    if isinstance(option.default, bool):
        return forms.BooleanField(required=False, **common)
    if isinstance(option.default, int):
        return forms.IntegerField(min_value=low, max_value=high, **common)
    if isinstance(option.default, float):
        widget = forms.NumberInput(attrs={"step": "any"})
        return forms.FloatField(widget=widget, min_value=low, max_value=high, **common)
    return forms.CharField(required=False, **common)
