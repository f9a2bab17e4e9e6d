"""What an iteration's page says: the chain from prompts to promotion, the candidates' figures,
what to look at before promoting. Read from rows and from the evaluate jobs' results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from annotate import charts, job_bars, numerals, omissions
from annotate.method_titles import short_name
from labeling import human_wins
from labeling.human_wins import Wins
from labeling.iterations import plan_of
from labeling.models import Campaign, Completion, Iteration, Prompt
from models_runtime import jobs
from models_runtime.models import Checkpoint, Job
from training import pipeline, scorers
from training.models import Evaluation, TrainingRun
from training.runs import is_taken_up

# Curves worth a look while a method trains, in this order; others follow by name.
FIRST_CURVES = (
    "loss", "accuracy", "rewards/margins", "rewards/accuracies", "rewards/chosen",
    "rewards/rejected", "logps/chosen", "kl", "mean_length",
)  # fmt: skip
NOT_CURVES = {"step", "epoch"}
STAGES = ("sampling", "collecting", "training", "evaluating", "review")


@dataclass(frozen=True)
class Node:
    """One link of the chain. ``rows`` names the rows behind it (views.research.rows)."""

    title: str
    value: str
    notes: list[str]
    rows: str = ""
    url: tuple[str, Any] | None = None
    stage: str = ""
    job: dict[str, Any] | None = None


@dataclass(frozen=True)
class Candidate:
    """An evaluated checkpoint with the figures it is judged by."""

    evaluation: Evaluation
    against_first: dict[str, Any]
    against_parent: dict[str, Any]
    figures: dict[str, Any]
    first: dict[str, Any]
    guards: list[dict[str, Any]]
    panel: list[dict[str, Any]]
    checks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def checkpoint(self) -> Checkpoint:
        return self.evaluation.checkpoint

    @property
    def ok(self) -> bool:
        return all(guard["ok"] for guard in self.guards)


@dataclass(frozen=True)
class RunRow:
    run: TrainingRun
    bar: dict[str, Any]
    candidate: Candidate | None
    accuracy: float | None
    seconds: float | None
    again: bool  # whether it was cancelled, and would still be of use


def candidates(iteration: Iteration) -> list[Candidate]:
    """Finished evaluations, the newest first."""
    rows = iteration.evaluations.select_related("checkpoint", "run", "job").order_by("-id")
    return [candidate(row) for row in rows if row.result]


def ranked(iteration: Iteration, found: list[Candidate]) -> list[Candidate]:
    """The best first of those whose guards all hold, then the others, the newest first."""
    places = {row.pk: place for place, row in enumerate(pipeline.candidates(iteration))}
    return sorted(found, key=lambda one: places.get(one.evaluation.pk, len(places)))


def run_rows(iteration: Iteration, found: list[Candidate]) -> list[RunRow]:
    rows = iteration.runs.select_related("job", "snapshot", "output").order_by("id")
    by_run = {one.evaluation.run_id: one for one in found}
    return [
        RunRow(
            run=run,
            bar={"job": run.job, **job_bars.progress_of(run.job)},
            candidate=by_run.get(run.pk),
            accuracy=_accuracy(run),
            seconds=job_bars.took(run.job),
            again=run.job.state == "cancelled" and is_taken_up(iteration, run.role),
        )
        for run in rows
    ]


def left_out(runs: list[RunRow]) -> list[tuple[str, Job, list[str]]]:
    """(whose, its job, what it left out) of the runs and evaluations that left anything out."""
    found = [(f"run-{row.run.pk}", row.run.job, row.run.job.result) for row in runs]
    for row in runs:
        if row.candidate is not None:
            whose = _("evaluation of %(run)s") % {"run": f"run-{row.run.pk}"}
            judged = row.candidate.evaluation
            found.append((whose, judged.job, judged.result))
    told = [(whose, job, omissions.of(result)) for whose, job, result in found]
    return [one for one in told if one[2]]


def chain(iteration: Iteration, runs: list[RunRow], found: list[Candidate]) -> list[Node]:
    """prompts > samples > labels > snapshot > reward model > policy > promotion."""
    return [
        _prompts(iteration),
        _samples(iteration),
        _labels(iteration),
        _snapshot(iteration),
        _reward_model(runs),
        _policy(runs, found),
        _promotion(iteration),
    ]


def is_now(node: Node, iteration: Iteration) -> bool:
    state = iteration.failed_from if iteration.state == "failed" else iteration.state
    return bool(node.stage) and state in node.stage.split()


def win_rates(campaign: Campaign) -> tuple[charts.Trend | None, list[charts.Estimate]]:
    """The promoted (else the newest evaluated) candidate of each iteration over the first
    policy; with the judging reward model's opinion as the proxy."""
    rows = [charts.Estimate(_("start"), 0.5, 0.5, 0.5, 0.5)]
    for iteration in campaign.iterations.order_by("number"):
        one = _shown(iteration)
        if one is None:
            continue
        first = one.against_first
        rows.append(
            charts.Estimate(
                _("iteration %(n)d") % {"n": iteration.number},
                first.get("win_rate"),
                first.get("win_rate_low"),
                first.get("win_rate_high"),
                first.get("proxy_win_rate"),
            )
        )
    return (charts.trend(rows) if len(rows) > 1 else None), rows[1:]


def people(iteration: Iteration) -> list[tuple[str, Wins]]:
    """The blind comparison of the policy with its predecessor, by kind of rater: on all prompts,
    and on those that no policy was trained on."""
    rows = []
    old = human_wins.other_sampled(iteration)
    if old is None:
        return []
    for source, split, title in (
        ("person", None, _("People")),
        ("person", "heldout", _("People, held-out prompts only")),
        ("simulated", None, _("Simulated raters")),
        ("simulated", "heldout", _("Simulated raters, held-out prompts only")),
    ):
        wins = human_wins.between(iteration, iteration.policy, old, source, split)
        if wins.labels:
            rows.append((title, wins))
    return rows


def curves(job: Job) -> list[charts.Line]:
    """Every numeric metric of a job over its steps."""
    rows = jobs.metrics(job)
    names = {name for row in rows for name, value in row.items() if _is_number(value)}
    ranked = [name for name in FIRST_CURVES if name in names]
    ranked += sorted(names - set(FIRST_CURVES) - NOT_CURVES)
    drawn = [charts.line(name, _points(rows, name)) for name in ranked]
    return [one for one in drawn if one is not None]


def ancestry(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """The checkpoint and every one it came from, each with the run and the labels behind it."""
    line: list[dict[str, Any]] = []
    one: Checkpoint | None = checkpoint
    while one is not None:
        related = ("snapshot__campaign", "campaign", "iteration__campaign", "job")
        made_it = Q(output=one) | Q(checkpoint_batches__checkpoints=one)
        run = TrainingRun.objects.filter(made_it).select_related(*related).first()
        line.append({"checkpoint": one, "run": run, "snapshot": run.snapshot if run else None})
        one = one.parent
    return line


def candidate(evaluation: Evaluation) -> Candidate:
    """A finished evaluation as what it judged."""
    result = evaluation.result
    against, policies = result.get("against", {}), result.get("policies", {})
    one = Candidate(
        evaluation=evaluation,
        against_first=against.get("first", {}),
        against_parent=against.get("parent", {}),
        figures=policies.get("candidate", {}),
        first=policies.get("first", {}),
        guards=result.get("guards", []),
        panel=result.get("panel", []),
    )
    one.checks.extend(_checks(one, result))
    return one


def _checks(one: Candidate, result: dict[str, Any]) -> list[dict[str, Any]]:
    """What to weigh besides the guards: each with its figure, and whether it gives pause."""
    low = one.against_first.get("win_rate_low")
    right, start = one.figures.get("facts_right"), one.first.get("facts_right_low")
    own = result.get("self", {}).get("win_rate")
    gap = _difference(one.against_first.get("proxy_win_rate"), one.against_first.get("win_rate"))
    growth = _ratio(one.figures.get("mean_length"), one.first.get("mean_length"))
    return [
        _check(_("Wins over the first policy, low end"), low, "percent", low is None or low > 0.5),
        _check(
            _("Facts right"), right, "percent", right is None or start is None or right >= start
        ),
        _check(
            _("A policy against itself"), own, "percent", own is None or abs(own - 0.5) <= 0.05
        ),
        _check(_("Proxy above the judged rate by"), gap, "points", gap is None or gap < 0.1),
        _check(_("Mean length"), growth, "growth", growth is None or abs(growth) < 0.25),
    ]


def _check(title: str, value: float | None, form: str, ok: bool) -> dict[str, Any]:
    return {"title": title, "value": value, "form": form, "ok": ok}


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other - 1


def _shown(iteration: Iteration) -> Candidate | None:
    found = candidates(iteration)
    promoted = iteration.promotions.values_list("checkpoint_id", flat=True).first()
    chosen = [one for one in found if one.checkpoint.pk == promoted]
    return next(iter(chosen or found), None)


def _prompts(iteration: Iteration) -> Node:
    rows = Prompt.objects.filter(prompt_set__campaign=iteration.campaign)
    heldout = rows.filter(split="heldout").count()
    total = rows.count()
    if not total:
        return Node(_("Prompts"), numerals.whole(0), [_("none yet")], rows="prompts")
    share = {"share": numerals.percent(heldout / total)}
    note = _("%(share)s of them held out, by item") % share
    return Node(_("Prompts"), numerals.whole(total), [note], rows="prompts")


def _samples(iteration: Iteration) -> Node:
    batch = iteration.batches.select_related("job").first()
    taken_in = {"batch__iteration": iteration, "batch__ingested_at__isnull": False}
    done = Completion.objects.filter(**taken_in).count()
    notes = []
    if batch:
        names = Checkpoint.objects.in_bulk([row["checkpoint"] for row in batch.samplers])
        notes.append(", ".join(str(one) for one in names.values()))
        drawn_at = dict.fromkeys(row["temperature"] for row in batch.samplers)
        notes.append(" / ".join(numerals.localised(f"T {one:g}") for one in drawn_at))
        notes += omissions.of(batch.job.result)
    bar = {"job": batch.job, **job_bars.progress_of(batch.job)} if batch else None
    running = bar if bar and bar["job"].state in ("queued", "running") else None
    value = numerals.whole(done) if done else "–"
    return Node(_("Samples"), value, notes, "samples", stage="sampling", job=running)


def _labels(iteration: Iteration) -> Node:
    target = plan_of(iteration).target_labels if iteration.plan else 0
    notes = [_("by people, of %(n)s wanted") % {"n": numerals.whole(target)}]
    if others := iteration.labels_others:
        notes.append(_("and %(n)s simulated") % {"n": numerals.whole(others)})
    value = numerals.whole(iteration.labels_people)
    return Node(_("Labels"), value, notes, rows="labels", stage="collecting")


def _snapshot(iteration: Iteration) -> Node:
    snapshot = iteration.snapshot
    if snapshot is None:
        return Node(_("Snapshot"), "–", [_("frozen when collecting ends")])
    value = f"{snapshot.sha256[:4]}…{snapshot.sha256[-2:]}"
    counts = snapshot.counts.get("comparisons", {})
    kept = counts.get("kept", 0)
    dropped = numerals.whole(sum(counts.values()) - kept)
    note = _("%(kept)s comparisons kept, %(dropped)s dropped")
    notes = [note % {"kept": numerals.whole(kept), "dropped": dropped}]
    if snapshot.holds_erased_since:
        notes.append(_("holds texts of somebody who was erased"))
    return Node(_("Snapshot"), value, notes, url=("snapshot", snapshot.pk))


def _reward_model(runs: list[RunRow]) -> Node:
    rows = [row for row in runs if row.run.role == "reward_model"]
    if not rows:
        return Node(_("Reward model"), "–", [_("learns who would win")], stage="training")
    policy = next((row.run for row in runs if row.run.role == "policy"), None)
    own = scorers.own_of((row.run for row in rows), policy)
    row = next(row for row in rows if row.run == own)
    value = "–" if row.accuracy is None else numerals.percent(row.accuracy, 1)
    notes = [_("right on held-out comparisons")] if row.accuracy is not None else []
    return Node(
        _("Reward model"),
        value,
        notes or [row.run.job.get_state_display()],
        url=("job", row.run.job_id),
        stage="training",
        job=_active(row),
    )


def _policy(runs: list[RunRow], found: list[Candidate]) -> Node:
    rows = [row for row in runs if row.run.role == "policy"]
    if not rows:
        return Node(_("Policy"), "–", [_("learns to win")], stage="training evaluating review")
    row = rows[-1]
    best = found[0].against_first.get("win_rate") if found else None
    value = "–" if best is None else numerals.percent(best, 1)
    won = [_("wins over the first policy")]
    notes = won if best is not None else [row.run.job.get_state_display()]
    return Node(
        f"{_('Policy')} · {short_name(row.run.method)}",
        value,
        notes,
        url=("job", row.run.job_id),
        stage="training evaluating review",
        job=_active(row),
    )


def _promotion(iteration: Iteration) -> Node:
    promotion = iteration.promotions.select_related("checkpoint", "by").first()
    if promotion:
        by = _("by %(name)s") % {"name": promotion.by} if promotion.by else _("by the gate")
        return Node(
            _("Promotion"),
            str(promotion.checkpoint),
            [by],
            url=("checkpoint", promotion.checkpoint_id),
        )
    said = {"rejected": _("rejected"), "review": _("waits for a person")}
    return Node(_("Promotion"), "–", [said.get(iteration.state, _("a person decides"))])


def _active(row: RunRow) -> dict[str, Any] | None:
    return row.bar if row.run.job.state in ("queued", "running") else None


def _accuracy(run: TrainingRun) -> float | None:
    if run.role == "policy":
        return None
    metrics = run.job.result.get("metrics", {})
    found = metrics.get("accuracy", metrics.get("heldout/accuracy"))
    return found if _is_number(found) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _points(rows: list[dict[str, Any]], name: str) -> list[charts.Point]:
    return [
        (float(row["step"]), float(row[name]))
        for row in rows
        if _is_number(row.get(name)) and _is_number(row.get("step"))
    ]
