"""The researcher's pages: an iteration with its chain and its candidates, jobs with curves and
logs, checkpoints with their lineage, snapshots with their export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import (
    access,
    evidence,
    job_bars,
    language,
    model_card,
    omissions,
    outcomes,
    panels,
    room,
)
from annotate.access import SignedInRequest
from annotate.data_forms import DataForm
from annotate.forms import SEED, PromoteForm, run_form
from annotate.method_titles import ABOUT, METHOD_TITLES, RECIPE_TITLES, SCORERS, TUNERS
from annotate.views import checkpoints, graphs
from labeling import iterations, rendering
from labeling.aggregates import TITLES
from labeling.model_preferences import MADE
from labeling.models import Completion, Iteration, Label, Prompt
from labeling.preference_sets import IMPORTED
from models_runtime import attempts, jobs
from models_runtime.models import Checkpoint, Job
from models_runtime.states import StaleState
from training import frozen_sets, on_request, pipeline, runs
from training.configs import METHODS

PAGE = 50
LOG_BYTES = 16_384
FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
DECIDED = ("promoted", "rejected")
JOB_ACTS: dict[str, Callable[..., Job | None]] = {
    "stop": jobs.request_stop,
    "retry": jobs.requeue,
    "cancel": jobs.cancel,
    "again": runs.run_again,
}


@never_cache
@require_safe
@access.signed_in
def iteration(request: SignedInRequest, slug: str, number: int) -> HttpResponse:
    row = access.iteration_for_staff(request.user, slug, number)
    fragment = request.headers.get("HX-Request") == "true"
    template = "research/_live.html" if fragment else "research/iteration.html"
    return render(request, template, _context(request, row))


@never_cache
@require_POST
@access.signed_in
def promote(request: SignedInRequest, slug: str, number: int) -> HttpResponse:
    """Make a candidate the policy. Of two people who decide, one does."""
    row = access.iteration_for_researcher(request.user, slug, number)
    form = PromoteForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect("iteration", slug=slug, number=number)
    candidates = Checkpoint.objects.filter(evaluations__iteration=row)
    chosen = get_object_or_404(candidates.distinct(), pk=form.cleaned_data["checkpoint"])
    try:
        pipeline.promote(row, chosen, actor=request.user)
    except (StaleState, ValueError) as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("%(name)s is the policy now.") % {"name": chosen})
    return redirect("iteration", slug=slug, number=number)


@never_cache
@require_POST
@access.signed_in
def reject(request: SignedInRequest, slug: str, number: int) -> HttpResponse:
    row = access.iteration_for_researcher(request.user, slug, number)
    try:
        pipeline.give_up(row, actor=request.user)
    except StaleState as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("Rejected; the policy in force stays."))
    return redirect("iteration", slug=slug, number=number)


@never_cache
@require_POST
@access.signed_in
def retry(request: SignedInRequest, slug: str, number: int) -> HttpResponse:
    """Send a failed iteration back to where it failed."""
    row = access.iteration_for_researcher(request.user, slug, number)
    if row.state != "failed":
        messages.info(request, _("The iteration has not failed."))
        return redirect("iteration", slug=slug, number=number)
    try:
        pipeline.retry_iteration(row, actor=request.user)
    except StaleState as error:
        messages.error(request, language.said_by(error))
    return redirect("iteration", slug=slug, number=number)


@never_cache
@require_POST
@access.signed_in
def pause(request: SignedInRequest, slug: str, number: int, verb: str) -> HttpResponse:
    row = access.iteration_for_researcher(request.user, slug, number)
    iterations.set_paused(row, verb == "pause", actor=request.user)
    return redirect("iteration", slug=slug, number=number)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def new_run(request: SignedInRequest, slug: str, number: int, method: str) -> HttpResponse:
    """Another policy from the same snapshot, by a form made of the method's own options."""
    row = access.iteration_for_researcher(request.user, slug, number)
    if method not in ABOUT or method not in METHODS:
        raise Http404
    form = run_form(method, runs.defaults(row, method))(request.POST or None)
    data = DataForm(row, request.POST or None)
    valid = request.method == "POST" and all([form.is_valid(), data.is_valid()])
    if valid and _start_run(request, row, method, form, data):
        return redirect("iteration", slug=slug, number=number)
    context = {
        "iteration": row,
        "form": form,
        "data": data,
        "method": method,
        "title": METHOD_TITLES[method],
        "about": ABOUT[method],
        "room": room.needed(row.policy, method, _chosen(form)),
        "in_one_process": room.in_one_process(method),
        "can_run": _can_run(row, method),
    }
    status = 400 if form.errors or data.errors else 200
    return render(request, "research/new_run.html", context, status=status)


@never_cache
@require_safe
@access.signed_in
def rows(request: SignedInRequest, slug: str, number: int, kind: str) -> HttpResponse:
    """The rows behind a link of the chain, page by page."""
    row = access.iteration_for_staff(request.user, slug, number)
    if kind not in ROWS:
        raise Http404
    title, found = ROWS[kind](row)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {"iteration": row, "kind": kind, "title": title, "page": page}
    return render(request, "research/rows.html", context)


@never_cache
@require_safe
@access.signed_in
def job_list(request: SignedInRequest) -> HttpResponse:
    access.require_role(request.user, *access.STAFF)
    found = Job.objects.filter(project__in=access.projects(request.user, *access.STAFF))
    page = Paginator(found.order_by("-id"), PAGE).get_page(request.GET.get("page"))
    entries = [{"job": row, **job_bars.progress_of(row)} for row in page]
    return render(request, "research/jobs.html", {"entries": entries, "page": page})


@never_cache
@require_safe
@access.signed_in
def job(request: SignedInRequest, pk: int) -> HttpResponse:
    """A job: its bar, its curves, the end of its log, what it was told."""
    row = access.job_for_staff(request.user, pk)
    fragment = request.headers.get("HX-Request") == "true"
    template = "research/_job_live.html" if fragment else "research/job.html"
    context = {
        "job": row,
        "row": {"job": row, **job_bars.progress_of(row)},
        "run": getattr(row, "training_run", None),
        "evaluation": getattr(row, "evaluation", None),
        "left_out": omissions.of(row.result),
        "outcome": outcomes.of(row.result),
        "curves": evidence.curves(row),
        "panel": panels.of(row),
        "log": _log_tail(row),
        "config": sorted(_flat(row.config).items()),
        "active": row.state in ("queued", "running"),
        "again": runs.can_run_again(row),
        "asked": checkpoints.of_run(row),
        "may_act": access.can(request.user, row.project_id, "researcher"),
    }
    return render(request, template, context)


@never_cache
@require_safe
@access.signed_in
def job_metrics(request: SignedInRequest, pk: int) -> HttpResponse:
    """The curves' data as CSV."""
    found = jobs.metrics(access.job_for_staff(request.user, pk))
    names = sorted({name for row in found for name in row} - {"step"})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["step", *map(_cell, names)])
    writer.writerows([_cell(row.get(name)) for name in ("step", *names)] for row in found)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="job-{pk}.csv"'
    return response


@never_cache
@require_POST
@access.signed_in
def job_act(request: SignedInRequest, pk: int, verb: str) -> HttpResponse:
    """Stop (to go on later), retry, cancel for good; or put a new job in a cancelled one's place,
    and go there."""
    row = access.job_for_researcher(request.user, pk)
    try:
        made = JOB_ACTS[verb](row, actor=request.user)
    except StaleState as error:
        messages.error(request, language.said_by(error))
        made = None
    return redirect("job", pk=made.pk if made else pk)


@never_cache
@require_safe
@access.signed_in
def checkpoint_list(request: SignedInRequest) -> HttpResponse:
    access.require_role(request.user, *access.STAFF)
    found = access.checkpoints_for_staff(request.user).prefetch_related("promotions__campaign")
    page = Paginator(found.order_by("-id"), PAGE).get_page(request.GET.get("page"))
    return render(request, "research/checkpoints.html", {"page": page})


@never_cache
@require_safe
@access.signed_in
def checkpoint(request: SignedInRequest, pk: int) -> HttpResponse:
    """A checkpoint and its lineage: which labels trained it."""
    row = access.checkpoint_for_staff(request.user, pk)
    context = {
        "checkpoint": row,
        "line": evidence.ancestry(row),
        "children": row.children.order_by("id"),
        "promotions": row.promotions.select_related("campaign", "by").order_by("-id"),
        "facts": sorted(_flat(row.facts).items()),
        "files": sorted(row.manifest.items()),
        "card": rendering.render(model_card.of(row).body),
    }
    return render(request, "research/checkpoint.html", context)


@never_cache
@require_safe
@access.signed_in
def checkpoint_card(request: SignedInRequest, pk: int) -> HttpResponse:
    """The model card as README.md, in English: it goes with the weights, to whoever reads it."""
    row = access.checkpoint_for_staff(request.user, pk)
    with translation.override("en-gb"):
        text = model_card.of(row).text
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="README.md"'
    return response


@never_cache
@require_safe
@access.signed_in
def snapshot(request: SignedInRequest, pk: int) -> HttpResponse:
    row = access.snapshot_for_staff(request.user, pk)
    said = (IMPORTED, MADE)  # sentences of their own
    counts = {name: n for name, n in row.counts.items() if name not in said}
    context = {
        "snapshot": row,
        "counts": [
            ([TITLES.get(word, word) for word in name.split(".")], n)
            for name, n in sorted(_flat(counts).items())
        ],
        "files": sorted((name, value) for name, value in row.manifest.items()),
        "runs": frozen_sets.runs_on(row),
    }
    return render(request, "research/snapshot.html", context)


def _context(request: SignedInRequest, row: Iteration) -> dict[str, Any]:
    found = evidence.ranked(row, evidence.candidates(row))
    run_rows = evidence.run_rows(row, found)
    nodes = evidence.chain(row, run_rows, found)
    chart, estimates = evidence.win_rates(row.campaign)
    running = next((one for one in reversed(run_rows) if one.run.job.state == "running"), None)
    shown = running or (run_rows[-1] if run_rows else None)
    return {
        "iteration": row,
        "campaign": row.campaign,
        "nodes": [{"node": node, "now": evidence.is_now(node, row)} for node in nodes],
        "candidates": found,
        "best": found[0] if found else None,
        "runs": run_rows,
        "left_out": evidence.left_out(run_rows),
        "chart": chart,
        "estimates": estimates,
        "people": evidence.people(row),
        "shown": shown,
        "curves": evidence.curves(shown.run.job)[:6] if shown else [],
        "events": row.events.select_related("actor").order_by("-id")[:20],
        "working": _working(row),
        "stopped": [
            {"job": one, **job_bars.progress_of(one)} for one in pipeline.stopped_jobs(row)
        ],
        "is_researcher": access.can(request.user, row.campaign.project_id, "researcher"),
        "can_run": _can_run(row),
        "methods": [
            (name, METHOD_TITLES[name]) for name in (*TUNERS, *SCORERS) if _can_run(row, name)
        ],
        "recipes": [(name, title) for name, (title, _about) in RECIPE_TITLES.items()],
        "graphs": graphs.of_iteration(row),
        "decided": row.state in DECIDED,
    }


def _working(row: Iteration) -> list[dict[str, Any]]:
    active = Job.objects.filter(state__in=("queued", "running"))
    found = (
        active.filter(sampling_batch__iteration=row)
        | active.filter(training_run__iteration=row)
        | active.filter(checkpoint_batch__run__iteration=row)
        | active.filter(sampling_batch__asked_by__run__iteration=row)
        | active.filter(pairs_sampled_by__graph__iteration=row)
        | active.filter(pairs_rewarded_by__graph__iteration=row)
        | active.filter(evaluation__iteration=row)
    )
    return [{"job": one, **job_bars.progress_of(one)} for one in found.distinct().order_by("id")]


def _can_run(row: Iteration, method: str = "") -> bool:
    """Whether the iteration would take up what the method makes; of no method: a policy."""
    return row.snapshot_id is not None and runs.is_taken_up(row, _role_of(method))


def _role_of(method: str) -> str:
    return "reward_model" if method in SCORERS else "policy"


def _start_run(
    request: SignedInRequest, row: Iteration, method: str, form: Form, data: DataForm
) -> bool:
    if not _can_run(row, method):
        messages.error(request, _("Runs start once the labels are frozen, until the decision."))
        return False
    try:
        on_request.start_run(
            iteration=row,
            role=_role_of(method),
            method=method,
            options=_chosen(form),
            seed=form.cleaned_data[SEED],
            filters=data.filters(),
            mixture=data.mixture(),
            actor=request.user,
        )
    except ValueError as error:
        messages.error(request, language.said_by(error))
        return False
    messages.success(request, _("The run waits for a worker."))
    return True


def _chosen(form: Form) -> dict[str, Any]:
    """The options as they stand in the form: what was sent, or what it starts with."""
    if form.is_bound:
        found = {name: value for name, value in form.cleaned_data.items() if value is not None}
    else:
        found = {name: field.initial for name, field in form.fields.items()}
    return {name: value for name, value in found.items() if name != SEED}


def _cell(value: Any) -> Any:
    """A figure as it is; a text that a spreadsheet would run as a formula, as the text."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _log_tail(row: Job) -> str | None:
    """The end of the newest attempt's log; None when it lies on another machine."""
    path = attempts.attempt_folder(row) / "log.txt"
    if not row.attempt or not path.is_file():
        return None
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - LOG_BYTES))
        return handle.read().decode("utf-8", "replace")


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names; those in a list are counted from 1."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            flat |= _flat({str(n): one for n, one in enumerate(value, 1)}, f"{prefix}{name}.")
        elif isinstance(value, list):
            flat[f"{prefix}{name}"] = ", ".join(map(str, value))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _prompt_rows(row: Iteration) -> tuple[str, Any]:
    found = Prompt.objects.filter(prompt_set__campaign=row.campaign).order_by("id")
    return _("Prompts"), found.select_related("prompt_set")


def _sample_rows(row: Iteration) -> tuple[str, Any]:
    of_a_run = Q(batch__asked_by__run__iteration=row)
    found = Completion.objects.filter(
        Q(batch__iteration=row) | of_a_run, batch__ingested_at__isnull=False
    )
    return _("Samples"), found.select_related("prompt", "checkpoint", "batch").order_by(
        "prompt_id", "id"
    )


def _label_rows(row: Iteration) -> tuple[str, Any]:
    of_a_run = Q(comparison__batch__asked_by__run__iteration=row)
    found = Label.objects.filter(Q(comparison__iteration=row) | of_a_run).order_by("-id")
    related = (
        "rater", "supersedes", "comparison__prompt", "comparison__batch", "question_version"
    )  # fmt: skip
    return _("Labels"), found.select_related(*related)


ROWS: dict[str, Callable[[Iteration], tuple[str, Any]]] = {
    "prompts": _prompt_rows,
    "samples": _sample_rows,
    "labels": _label_rows,
}
