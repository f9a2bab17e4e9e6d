"""The form of a new campaign: what is asked, of which prompts, about which policy."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from annotate import access, language
from annotate.care_forms import CareFields
from annotate.check_forms import ChecksForm
from annotate.forms import DIRECTIONS, choice, printable
from annotate.limit_forms import BudgetFields, QuotaFields
from annotate.method_titles import METHOD_TITLES, TUNERS
from annotate.part_forms import PartForms
from annotate.pay_forms import PayFields
from annotate.who_forms import WhoFields
from labeling import presets
from labeling.checks import Checks
from labeling.iterations import parse_plan
from labeling.models import RaterGroup, User
from labeling.presets import PRESETS, Preset
from labeling.questions import Parts, combining
from models_runtime.models import Checkpoint, Project
from models_runtime.pairing import STRATEGIES
from training import lessons

FILES = ("prompts", "gold")  # a browser sends them once, and never shows them again
FIRST = "llama2"  # the preset that the page opens with
# The settings of a plan that a preset changes in the form.
SUGGESTED = (
    "completions_per_comparison", "k", "margin", "double_share", "start_training", "method",
)  # fmt: skip
MARGINS = {
    "none": _("none"),
    "small": _("small: 1, 2/3, 1/3, 0"),
    "large": _("large: 3, 2, 1, 0"),
}
# How pairs are selected (models_runtime.pairing), in words that need no paper.
STRATEGY_TITLES = {
    "random": _("random"),
    "easy": _("easy: the two least alike"),
    "hard": _("hard: the two most alike"),
    "centroid": _("centroid: a typical one of each of two groups"),
    "across": _("across: of different policies"),
}


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


class CampaignForm(CareFields, PayFields, BudgetFields, QuotaFields, WhoFields, ChecksForm):
    """A new campaign on one page: what is asked, of which prompts, about which policy.

    ``parts`` holds the instruments as forms of their own. ``shown`` names the preset that they
    were taken from.
    """

    preset = forms.ChoiceField(
        label=_("Instrument"),
        choices=[(key, language.later(preset.title)) for key, preset in PRESETS.items()],
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
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
    completions_per_comparison = forms.IntegerField(
        label=_("Answers on a card"),
        min_value=0,
        max_value=9,
        required=False,
        help_text=_("0 shows the prompt alone, for writing and for talks."),
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
    gold = forms.FileField(
        label=_("Items with a known answer"),
        required=False,
        help_text=_(
            "JSONL, for training, test and gold: prompt, completions, expected, purpose, "
            "explanation. They can also be made of the campaign's own cards later."
        ),
    )
    first_policy = forms.ModelChoiceField(Checkpoint.objects.none(), label=_("First policy"))
    target_labels = forms.IntegerField(
        label=_("Labels an iteration"), min_value=1, max_value=1_000_000, initial=700
    )
    labels_per_comparison = forms.IntegerField(
        label=_("Labels a comparison"), min_value=1, max_value=9
    )
    double_share = forms.FloatField(
        label=_("Share labelled twice"),
        min_value=0,
        max_value=1,
        help_text=_("For agreement between raters."),
    )
    start_training = forms.ChoiceField(
        label=_("Training starts"),
        choices=[("auto", _("at the target")), ("person", _("when somebody presses the button"))],
    )
    k = forms.IntegerField(label=_("Completions a prompt"), min_value=2, max_value=64)
    temperature = TemperaturesField(
        label=_("Temperatures"),
        help_text=_("Several, such as 0.8, 1.2: completions are sampled at each of them."),
    )
    max_new_tokens = forms.IntegerField(
        label=_("Longest completion, in tokens"), min_value=1, max_value=65536, initial=64
    )

    PLANNED = (
        "target_labels", "double_share", "strategy", "method", "margin", "start_training", "k",
        "max_new_tokens",
    )  # fmt: skip

    def __init__(
        self, user: User, *args: Any, parts: PartForms | None = None, **kwargs: Any
    ) -> None:
        start = {**preset_fields(FIRST), "repeat_after": Checks().repeat_after}
        kwargs["initial"] = {**start, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        projects = access.projects(user, "lead")
        self._offer("project", projects)
        policies = Checkpoint.objects.filter(project__in=projects, kind="policy", state="ready")
        self._offer("first_policy", policies.order_by("id"))
        self._offer("groups", RaterGroup.objects.filter(project__in=projects).order_by("name"))
        self.fields["groups"].initial = []
        self.fields["repeat_after"].required = False
        self.fields["strategy"] = choice(
            _("Pairs are selected"), {name: STRATEGY_TITLES[name] for name in STRATEGIES}, "random"
        )
        self.fields["method"] = choice(
            _("Training method"), {name: METHOD_TITLES[name] for name in TUNERS}, "raft"
        )
        self.fields["margin"] = choice(
            _("Margin in the reward model's loss, by rated strength"), MARGINS, "none"
        )
        self.parts = parts or self._parts()

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        field.initial = rows.first()

    def _parts(self) -> PartForms:
        """What was sent; the preset's own where nothing was."""
        sent = PartForms.sent(self.data) if self.is_bound else PartForms([])
        chosen = self["preset"].value()
        return sent if len(sent) else preset_parts(chosen if chosen in PRESETS else FIRST)

    def clean_repeat_after(self) -> int:
        return int(self.cleaned_data["repeat_after"] or Checks().repeat_after)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        policy, project = data.get("first_policy"), data.get("project")
        if policy and project and policy.project_id != project.pk:
            self.add_error("first_policy", _("That policy belongs to another project."))
        if data.get("preset") and data.get("completions_per_comparison") is None:
            data["completions_per_comparison"] = PRESETS[data["preset"]].completions
        self._check_parts(data)
        self.check_budget(data.get("pay_per") or "")
        self.check_quotas()
        self.check_groups(project)
        if not self.errors:
            self._check_plan(data)
        return data

    def _check_parts(self, data: dict[str, Any]) -> None:
        preset, shown = data.get("preset"), data.get("shown")
        if not preset:
            return
        if shown and shown != preset:
            said = _("The parts below are another instrument's: show those of this one first.")
            self.add_error("preset", said)
        if not self.parts.is_valid():
            self.add_error(None, self.parts.fault or _("A part needs another look."))
            return
        try:
            combining.check(self.asked(), data.get("completions_per_comparison") or 0)
        except ValueError as error:
            self.add_error(None, language.said_by(error))

    def _check_plan(self, data: dict[str, Any]) -> None:
        shown = data["completions_per_comparison"]
        if shown > data["k"] * len(data["temperature"]):
            said = _("A card shows %(n)d answers: sample at least as many of each prompt.")
            self.add_error("k", forms.ValidationError(said, params={"n": shown}))
            return
        try:
            plan = parse_plan(self.plan(data))
        except ValueError as error:
            self.add_error("strategy", language.said_by(error))
            return
        refusal = lessons.refusal(plan, self.asked()) if data.get("preset") else ""
        if refusal and plan.start_training == "auto":
            self.add_error("start_training", language.translated(refusal))

    def asked(self) -> Parts:
        """The question's parts, as the lead left them: every one through its form."""
        if self.parts.forms and self.parts.forms[0].is_bound:
            return self.parts.parts()
        return presets.parts(self.cleaned_data["preset"], tie=False)

    def plan(self, data: dict[str, Any] | None = None) -> dict[str, Any]:
        data = self.cleaned_data if data is None else data
        return {
            **PRESETS[data["preset"]].settings(),
            **{name: data[name] for name in (*self.PLANNED, "completions_per_comparison")},
            "temperature": data["temperature"][0],
            "more_temperatures": data["temperature"][1:],
            "comparisons": -(-data["target_labels"] // data["labels_per_comparison"]),
        }


def preset_parts(name: str) -> PartForms:
    """A preset's parts as forms to change."""
    return PartForms.of(presets.parts(name, tie=False))


def preset_fields(name: str) -> dict[str, Any]:
    """What a preset suggests for the fields of the form."""
    preset: Preset = PRESETS[name]
    plan = parse_plan(preset.settings())
    temperatures = [plan.temperature, *plan.more_temperatures]
    return {
        "preset": name,
        "shown": name,
        "trains_on": preset.trains_on,
        "guidelines": language.translated(preset.guidelines),
        "labels_per_comparison": preset.labels,
        "temperature": ", ".join(f"{one:g}" for one in temperatures),
        **{field: getattr(plan, field) for field in SUGGESTED},
    }


def typed_fields(form: CampaignForm) -> dict[str, Any]:
    """What stands in a sent form, to show it again unfinished and without faults."""
    return {
        name: field.widget.value_from_datadict(form.data, {}, name)
        for name, field in form.fields.items()
        if name not in FILES
    }
