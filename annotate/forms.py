"""Forms: what a browser may send, checked before any service is called."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from annotate import access
from labeling.models import Assignment, Flag, User
from labeling.presets import PRESETS
from models_runtime.models import Checkpoint, Project
from models_runtime.pairing import STRATEGIES
from training.configs import METHODS

METHOD_TITLES = {
    "raft": _("Best of K, fine-tuned (RAFT)"),
    "dpo": _("Direct preference optimisation (DPO)"),
    "sft": _("Supervised fine-tuning (SFT)"),
    "reward": _("Reward model"),
}
DIRECTIONS = [
    ("chosen", _("Raters pick the better answer")),
    ("rejected", _("Raters pick the worse one (a red team)")),
]
# The methods that make a policy out of preferences.
TUNERS = ("raft", "dpo", "sft")
MARGINS = {
    "none": _("none"),
    "small": _("small: 1, 2/3, 1/3, 0"),
    "large": _("large: 3, 2, 1, 0"),
}


def printable(value: str) -> None:
    """A name also stands where no marker can show an invisible character: in a tab's title, in a
    file's name, beside the two answers."""
    if not value.isprintable():
        raise forms.ValidationError(
            _("It holds a character that cannot be seen or that turns the reading direction."),
            code="invisible",
        )


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
    # The version of the question that the card showed. "v1": a bare number could be an id's.
    asked = forms.RegexField(r"^v[0-9]{1,6}$", required=False)
    active_ms = forms.IntegerField(min_value=0, max_value=24 * 3600 * 1000, required=False)
    layout = forms.RegexField(r"^[a-z_]+/[a-z]+\Z", max_length=30, required=False)


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


class TemperaturesField(forms.CharField):
    """One or a few numbers, separated by commas; a list of floats."""

    LOW, HIGH, MOST = 0.01, 5.0, 4

    def clean(self, value: Any) -> Any:
        words = super().clean(value).replace(",", " ").split()
        try:
            found = list(dict.fromkeys(float(word) for word in words))
        except ValueError:
            found = []
        if not found or not all(self.LOW <= one <= self.HIGH for one in found):
            raise forms.ValidationError(_("Write numbers between 0.01 and 5, such as 0.8, 1.2."))
        if len(found) > self.MOST:
            raise forms.ValidationError(_("Four temperatures are the most."))
        return found


class CampaignForm(forms.Form):
    """A new campaign on one page: what is asked, of which prompts, about which policy."""

    preset = forms.ChoiceField(
        label=_("Instrument"),
        choices=[(key, preset.title) for key, preset in PRESETS.items()],
        initial="llama2",
    )
    tie = forms.BooleanField(label=_("Raters may call it a tie"), required=False)
    project = forms.ModelChoiceField(Project.objects.none(), label=_("Project"))
    name = forms.CharField(label=_("Name"), max_length=200, validators=[printable])
    question = forms.CharField(
        label=_("Question"),
        max_length=500,
        validators=[printable],
        required=False,
        help_text=_("Shown above the judgement bar. Empty: the instrument's own."),
    )
    trains_on = forms.ChoiceField(
        label=_("Direction"),
        choices=DIRECTIONS,
        help_text=_(
            "Training, agreement and exports follow it; stored labels keep what was asked."
        ),
    )
    guidelines = forms.CharField(
        label=_("Guidelines"),
        required=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_("Markdown. Raters open them with g; every label keeps the version it had."),
    )
    prompts = forms.FileField(
        label=_("Prompts"),
        required=False,
        help_text=_(
            'JSONL with lines such as {"prompt": "Why is the sky blue?"}, or CSV with a column '
            "named prompt. A fault in any line, named with its number, imports nothing."
        ),
    )
    licence = forms.CharField(label=_("Licence of the prompts"), max_length=200, required=False)
    first_policy = forms.ModelChoiceField(Checkpoint.objects.none(), label=_("First policy"))
    target_labels = forms.IntegerField(
        label=_("Labels an iteration"), min_value=1, max_value=1_000_000, initial=700
    )
    labels_per_comparison = forms.IntegerField(
        label=_("Labels a comparison"), min_value=1, max_value=9, initial=1
    )
    double_share = forms.FloatField(
        label=_("Share labelled twice"),
        min_value=0,
        max_value=1,
        initial=0.1,
        help_text=_("For agreement between raters."),
    )
    start_training = forms.ChoiceField(
        label=_("Training starts"),
        choices=[("auto", _("at the target")), ("person", _("when somebody presses the button"))],
    )
    k = forms.IntegerField(label=_("Completions a prompt"), min_value=2, max_value=64, initial=4)
    temperature = TemperaturesField(
        label=_("Temperatures"),
        initial="0.8",
        help_text=_("Several, such as 0.8, 1.2: completions are sampled at each of them."),
    )
    max_new_tokens = forms.IntegerField(
        label=_("Longest completion, in tokens"), min_value=1, max_value=65536, initial=64
    )

    PLANNED = (
        "target_labels", "double_share", "strategy", "method", "margin", "start_training", "k",
        "max_new_tokens",
    )  # fmt: skip

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = access.projects(user, "lead")
        self._offer("project", projects)
        policies = Checkpoint.objects.filter(project__in=projects, kind="policy", state="ready")
        self._offer("first_policy", policies.order_by("id"))
        self.fields["strategy"] = _choice(
            _("Pairs are selected"), {name: name for name in sorted(STRATEGIES)}, "random"
        )
        self.fields["method"] = _choice(
            _("Training method"), {name: METHOD_TITLES[name] for name in TUNERS}, "raft"
        )
        self.fields["margin"] = _choice(
            _("Margin in the reward model's loss, by rated strength"), MARGINS, "none"
        )

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        field.initial = rows.first()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        policy, project = data.get("first_policy"), data.get("project")
        if policy and project and policy.project_id != project.pk:
            self.add_error("first_policy", _("That policy belongs to another project."))
        return data

    def plan(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            **{name: data[name] for name in self.PLANNED},
            "temperature": data["temperature"][0],
            "more_temperatures": data["temperature"][1:],
            "comparisons": -(-data["target_labels"] // data["labels_per_comparison"]),
        }


class PromptsForm(RequestForm):
    """More prompts for a campaign that exists."""

    prompts = forms.FileField(error_messages={"required": _("Choose a JSONL or CSV file.")})
    licence = forms.CharField(max_length=200, required=False)


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
    """A form of the method's own options, from its config dataclass: field, help and bounds."""
    fields = {
        option.name: _option_field(option, initial.get(option.name, option.default))
        for option in dataclasses.fields(METHODS[method][1])
    }
    return type("RunForm", (forms.Form,), fields)


def _choice(label: Any, titles: dict[str, Any], initial: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=list(titles.items()), initial=initial)


def _option_field(option: dataclasses.Field[Any], initial: Any) -> forms.Field:
    common: dict[str, Any] = {
        "label": option.name.replace("_", " ").capitalize(),
        "help_text": option.metadata.get("help", ""),
        "initial": initial,
    }
    low, high = option.metadata.get("low"), option.metadata.get("high")
    if choices := option.metadata.get("choices"):
        return forms.ChoiceField(choices=[(c, c) for c in choices], **common)
    if isinstance(option.default, bool):
        return forms.BooleanField(required=False, **common)
    if isinstance(option.default, int):
        return forms.IntegerField(min_value=low, max_value=high, **common)
    if isinstance(option.default, float):
        widget = forms.NumberInput(attrs={"step": "any"})
        return forms.FloatField(widget=widget, min_value=low, max_value=high, **common)
    return forms.CharField(required=False, **common)
