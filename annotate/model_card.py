"""A checkpoint's model card: README.md as model hubs read it, written from rows when it is asked
for. What lies in the artefact store is never touched: its identity is that of its files.

    of(checkpoint) -> Card     the front matter as data, the body as Markdown
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotate import evidence, numerals, omissions, outcomes, training_cost
from annotate.language import translated
from annotate.markdown_text import code, inert, yaml
from annotate.method_titles import ABOUT, METHOD_TITLES
from annotate.templatetags.concord import guard_title, guard_value
from annotate.training_cost import Cost
from labeling.models import PromptSet, Snapshot
from labeling.preference_sets import IMPORTED
from models_runtime.models import Checkpoint, Job
from training.configs import Filters
from training.models import TrainingRun

UNKNOWN = "unknown"  # the hubs' own word for a licence that nobody stated
PIPELINES = {"policy": "text-generation", "reward_model": "text-classification"}


@dataclass(frozen=True)
class Card:
    """What a checkpoint is, in two parts."""

    front: dict[str, Any]
    body: str

    @property
    def text(self) -> str:
        """README.md."""
        return f"---\n{yaml(self.front)}---\n\n{self.body}"


@dataclass(frozen=True)
class _Known:
    """What the rows say of a checkpoint; ``line`` goes from it to the first policy."""

    checkpoint: Checkpoint
    line: list[dict[str, Any]]
    prompt_sets: list[PromptSet]

    @property
    def root(self) -> Checkpoint:
        found: Checkpoint = self.line[-1]["checkpoint"]
        return found

    @property
    def run(self) -> TrainingRun | None:
        return self.line[0]["run"]

    @property
    def runs(self) -> list[TrainingRun]:
        return [link["run"] for link in self.line if link["run"]]


def of(checkpoint: Checkpoint) -> Card:
    """The card, in the language that is spoken."""
    line = evidence.ancestry(checkpoint)
    campaigns = {link["run"].campaign_id for link in line if link["run"]}
    sets = PromptSet.objects.filter(campaign__in=campaigns).order_by("id")
    known = _Known(checkpoint, line, list(sets))
    sections = (
        _what(known), _data(known), _method(known), _metrics(known), _limits(known),
        _lineage(known), _licences(known), _cost(known),
    )  # fmt: skip
    title = f"# {inert(checkpoint.name)}\n"
    return Card(_front(known), "\n".join([title, *map(_section, sections)]))


Section = tuple[str, list[str]]  # its title, and its lines of Markdown


def _section(section: Section) -> str:
    title, lines = section
    return "\n".join([f"## {title}", "", *lines, ""])


def _list(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _front(known: _Known) -> dict[str, Any]:
    """The metadata that hubs index."""
    row, run = known.checkpoint, known.run
    front: dict[str, Any] = {"license": _licence(known.root), "library_name": "transformers"}
    if row.kind in PIPELINES:
        front["pipeline_tag"] = PIPELINES[row.kind]
    if known.root != row:
        front |= {"base_model": [_origin(known.root)], "base_model_relation": "finetune"}
    if known.runs:
        front["datasets"] = [_dataset(one) for run in known.runs for one in _sets(run)]
        spent = training_cost.of(_jobs(known.runs))
        front["co2_eq_emissions"] = {"emissions": round(spent.grams, 4), "source": "estimate"}
    front["tags"] = ["concord", "rlhf", row.kind, *([run.method] if run else [])]
    return front


def _sets(run: TrainingRun) -> list[Snapshot]:
    """What it trained on: its own labels, and whatever was mixed with them."""
    return [part.snapshot for part in run.parts.all()] or [run.snapshot]


def _dataset(snapshot: Snapshot) -> str:
    """Not the address of a data set on a hub, but of the labels here."""
    return f"{snapshot.campaign.slug}/snapshot-{snapshot.sha256[:12] or snapshot.pk}"


def _origin(root: Checkpoint) -> str:
    """Its name on the hub it was fetched from, else the one it was registered under."""
    return str(root.facts.get("hub") or root.name)


def _licence(root: Checkpoint) -> str:
    return str(root.facts.get("licence") or UNKNOWN)


def _what(known: _Known) -> Section:
    row = known.checkpoint
    said = _("A %(kind)s of the project %(project)s, registered %(day)s.") % {
        "kind": row.get_kind_display(),
        "project": inert(row.project.name),
        "day": numerals.moment(row.created_at),
    }
    facts = {
        _("Architecture"): inert(row.facts.get("architecture", "")),
        _("Parameters"): _whole(row.facts.get("parameters")),
        _("Context length, tokens"): _whole(row.facts.get("context_length")),
        _("Identity (sha256 of its files' names and contents)"): code(row.sha256),
    }
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    return _("What it is"), [said, "", *_list(lines)]


def _whole(value: object) -> str:
    return numerals.whole(value) if isinstance(value, int) else ""


def _data(known: _Known) -> Section:
    run = known.run
    if run is None:
        said = _("Registered as it was: what it was trained on is not known here.")
        return _("Data"), [said]
    counts = run.snapshot.counts
    compared, labelled = counts.get("comparisons", {}), counts.get("labels", {})
    lines = [
        _("Snapshot of labels: %(name)s, sha256 %(sha256)s")
        % {"name": run.snapshot.pk, "sha256": code(run.snapshot.sha256)},
        *_mixed_in(run),
        *_filtered(run),
        _("Campaign: %(name)s") % {"name": inert(run.campaign.name)},
        _("Labels by people: %(n)s") % {"n": numerals.whole(labelled.get("person", 0))},
        _("Labels by simulated raters: %(n)s")
        % {"n": numerals.whole(labelled.get("simulated", 0))},
        _("Labels by programs: %(n)s") % {"n": numerals.whole(labelled.get("program", 0))},
        _("Comparisons kept: %(n)s") % {"n": numerals.whole(compared.get("kept", 0))},
        *_left_out(run, compared),
    ]
    return _("Data"), _list(lines)


def _mixed_in(run: TrainingRun) -> list[str]:
    said = _("Mixed with it: snapshot %(name)s, sha256 %(sha256)s")
    return [said % {"name": one.pk, "sha256": code(one.sha256)} for one in _sets(run)[1:]]


def _filtered(run: TrainingRun) -> list[str]:
    """The filters that were set; what each left out is counted below."""
    usual = dataclasses.asdict(Filters())
    asked = [(n, v) for n, v in run.select.get("filters", {}).items() if v != usual.get(n)]
    shown = ", ".join(code(f"{name} = {value}") for name, value in sorted(asked))
    return [_("Filters: %(filters)s") % {"filters": shown}] if asked else []


def _left_out(run: TrainingRun, compared: dict[str, int]) -> list[str]:
    """Comparisons that gave no preference, then what the run itself could not use."""
    why = [(translated(reason), n) for reason, n in sorted(compared.items()) if n]
    kept = translated("kept")
    said = [f"{inert(reason)} {numerals.whole(n)}" for reason, n in why if reason != kept]
    dropped = [_("Comparisons dropped: %(why)s") % {"why": ", ".join(said)}] if said else []
    return dropped + omissions.of(run.job.result)


def _method(known: _Known) -> Section:
    run = known.run
    if run is None:
        return _("Method"), [_("Not trained here.")]
    title = METHOD_TITLES.get(run.method) or inert(run.method)
    about = ABOUT.get(run.method, "")
    options = [code(f"{name} = {value}") for name, value in sorted(run.options.items())]
    seed = code(f"seed = {run.job.seed}")
    lines = [f"**{title}** {about}", "", *_list([seed, *options])]
    return _("Method"), lines


def _metrics(known: _Known) -> Section:
    lines = [*_judged(known.checkpoint), *_learned(known.run)]
    return _("Metrics"), _list(lines or [_("Neither evaluated nor measured in training.")])


def _judged(checkpoint: Checkpoint) -> list[str]:
    """The newest evaluation: win rates with their intervals, and every guard."""
    rows = checkpoint.evaluations.select_related("checkpoint", "run", "job").order_by("-id")
    found = next((evidence.candidate(row) for row in rows if row.result), None)
    if found is None:
        return []
    lines = [
        _wins(_("Wins over the first policy"), found.against_first),
        _wins(_("Wins over the policy it was trained from"), found.against_parent),
    ]
    for guard in found.guards:
        held = _("held") if guard["ok"] else _("NOT held")
        lines.append(f"{guard_title(guard['name'])}: {guard_value(guard)} ({held})")
    return [line for line in lines if line]


def _wins(title: str, against: dict[str, Any]) -> str:
    rate, low = against.get("win_rate"), against.get("win_rate_low")
    high = against.get("win_rate_high")
    if rate is None:
        return ""
    figures = {"title": title, "rate": numerals.percent(rate, 1)}
    if low is None or high is None:
        return _("%(title)s: %(rate)s, no interval") % figures
    figures |= {"low": numerals.percent(low, 1), "high": numerals.percent(high, 1)}
    return _("%(title)s: %(rate)s (95 %% interval %(low)s to %(high)s)") % figures


def _learned(run: TrainingRun | None) -> list[str]:
    """What the training job measured: a reward model's held-out accuracy, the last step's."""
    metrics = run.job.result.get("metrics", {}) if run else {}
    figures = {name: metrics.get(name) for name in ("accuracy", "n", "length_baseline")}
    named = {f"heldout/{name}": value for name, value in figures.items()}
    for name, value in (metrics.get("train") or {}).items():
        named[f"train/{name}"] = value
    shown = [code(f"{name} = {v:.6g}") for name, v in named.items() if _is_figure(v)]
    return [*(outcomes.of(run.job.result) if run else []), *shown]


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limits(known: _Known) -> Section:
    people = sum(run.snapshot.counts.get("labels", {}).get("person", 0) for run in known.runs)
    lines = [
        _("Win rates and accuracies hold for the campaign's own held-out prompts, no others."),
        _("It says what its raters preferred, which need not be true, safe or fair."),
    ]
    if known.runs and not people:
        lines.append(_("No person's label is in it: simulated raters or programs gave them all."))
    if not known.checkpoint.evaluations.exists() and known.checkpoint.kind == "policy":
        lines.append(_("This policy has not been evaluated."))
    if any(run.snapshot.holds_erased_since for run in known.runs):
        lines.append(_("Some labels hold texts of somebody who was erased since: train anew."))
    if any(run.campaign.demo_world for run in known.runs):
        lines.append(_("It was trained in the demo world, whose questions and facts are few."))
    return _("Limits"), _list(lines)


def _lineage(known: _Known) -> Section:
    titles = (_("Checkpoint"), _("Method"), _("Snapshot"), _("By people"), _("Simulated"))
    rows = [[inert(link["checkpoint"].name), *_behind(link["run"])] for link in known.line]
    table = [titles, ("---",) * len(titles), *rows]
    return _("Lineage, back to the first policy"), [f"| {' | '.join(row)} |" for row in table]


def _behind(run: TrainingRun | None) -> list[str]:
    if run is None:
        return [_("registered as it was"), "", "", ""]
    labels = run.snapshot.counts.get("labels", {})
    by_source = [numerals.whole(labels.get(name, 0)) for name in ("person", "simulated")]
    return [inert(run.method), code(run.snapshot.sha256[:12]), *by_source]


def _licences(known: _Known) -> Section:
    base = {"name": inert(_origin(known.root)), "licence": inert(_licence(known.root))}
    lines = [_("Base model %(name)s: %(licence)s") % base]
    for row in known.prompt_sets:
        shown = {"name": inert(row.name), "licence": inert(row.licence or UNKNOWN)}
        lines.append(_("Prompts %(name)s: %(licence)s") % shown)
    imported = {one.pk: one for run in known.runs for one in _sets(run) if one.is_imported}
    for one in imported.values():
        told = one.counts[IMPORTED]
        shown = {"name": inert(told["name"]), "licence": inert(told.get("licence") or UNKNOWN)}
        lines.append(_("Imported set %(name)s: %(licence)s") % shown)
    return _("Licences"), _list(lines)


def _jobs(runs: list[TrainingRun]) -> list[Job]:
    """The runs' own jobs, and those of the reward models that they learned from."""
    by_models = TrainingRun.objects.filter(output__runs_from__in=runs).select_related("job")
    return [run.job for run in (*runs, *by_models)]


def _cost(known: _Known) -> Section:
    if known.run is None:
        return _("Cost"), [_("Not trained here.")]
    own, all_of_it = training_cost.of([known.run.job]), training_cost.of(_jobs(known.runs))
    assumed = {
        "cpu": numerals.whole(settings.CPU_WATTS),
        "device": numerals.whole(settings.DEVICE_WATTS),
        "grams": numerals.whole(settings.GRAMS_PER_KWH),
    }
    basis = _(
        "Seconds are measured; energy and CO2 are estimates: %(cpu)s W a CPU core, %(device)s W "
        "an accelerator, for every second at work, and %(grams)s g of CO2 equivalent a kWh. "
        "Sampling, evaluation, cooling and idle machines are not counted."
    )
    lines = [
        _("This run: %(cost)s") % {"cost": _spent(own)},
        _("All training in its lineage, reward models included: %(cost)s")
        % {"cost": _spent(all_of_it)},
    ]
    return _("Cost"), [*_list(lines), "", basis % assumed]


def _spent(cost: Cost) -> str:
    return _("%(cpu)s CPU-seconds, %(device)s device-seconds, %(kwh)s kWh, %(grams)s g CO2") % {
        "cpu": numerals.whole(cost.cpu_seconds),
        "device": numerals.whole(cost.device_seconds),
        "kwh": numerals.fixed(cost.kilowatt_hours, 4),
        "grams": numerals.fixed(cost.grams, 2),
    }
