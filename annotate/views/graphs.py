"""Recipes on pages: a graph of jobs as one thing, with its rounds and what each has come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, job_bars, language, omissions
from annotate.access import SignedInRequest
from annotate.forms import option_form
from annotate.method_titles import RECIPE_TITLES
from labeling.models import Iteration
from models_runtime.models import Job
from models_runtime.states import StaleState
from training import pair_graphs
from training.configs.recipes import RECIPES
from training.models import PairGraph, PairRound


@dataclass(frozen=True)
class RoundRow:
    """A round with the bars of its jobs, in order, and what its pairs left out."""

    round: PairRound
    bars: list[dict[str, Any]]
    kept: int | None
    left_out: list[str]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def new_graph(request: SignedInRequest, slug: str, number: int, recipe: str) -> HttpResponse:
    """Start a recipe by a form made of its own options."""
    row = access.iteration_for_researcher(request.user, slug, number)
    if recipe not in RECIPES:
        raise Http404
    form = option_form(RECIPES[recipe], pair_graphs.defaults(row, recipe))(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = {name: value for name, value in form.cleaned_data.items() if value is not None}
        try:
            graph = pair_graphs.start(
                iteration=row, recipe=recipe, options=given, actor=request.user
            )
        except ValueError as error:
            messages.error(request, language.said_by(error))
        else:
            return redirect("graph", pk=graph.pk)
    title, about = RECIPE_TITLES[recipe]
    can_run = row.snapshot_id is not None and row.state in ("training", "evaluating", "review")
    context = {"iteration": row, "form": form, "title": title, "about": about, "can_run": can_run}
    status = 400 if form.errors else 200
    return render(request, "research/new_run.html", context, status=status)


@never_cache
@require_safe
@access.signed_in
def graph(request: SignedInRequest, pk: int) -> HttpResponse:
    row = access.graph_for_staff(request.user, pk)
    fragment = request.headers.get("HX-Request") == "true"
    template = "research/_graph_live.html" if fragment else "research/graph.html"
    title, _ = RECIPE_TITLES[row.recipe]
    rounds = [_row(one) for one in _rounds(row)]
    context = {
        "graph": row,
        "iteration": row.iteration,
        "title": title,
        "rounds": rounds,
        "of": pair_graphs.config_of(row).rounds,
        "settings": sorted(row.options.items()),
        "active": row.state == "running",
        "may_act": access.can(request.user, row.iteration.campaign.project_id, "researcher"),
    }
    return render(request, template, context)


@never_cache
@require_POST
@access.signed_in
def graph_act(request: SignedInRequest, pk: int, verb: str) -> HttpResponse:
    """Stop all of it (to go on later), go on, or cancel for good."""
    row = access.graph_for_researcher(request.user, pk)
    try:
        pair_graphs.ACTS[verb](row, actor=request.user)
    except (StaleState, ValueError) as error:
        messages.error(request, language.said_by(error))
    return redirect("graph", pk=pk)


def of_iteration(iteration: Iteration) -> list[dict[str, Any]]:
    """Its graphs, the newest first, each with how far it is."""
    rows = iteration.pair_graphs.order_by("-pk").prefetch_related("rounds")
    return [
        {
            "graph": one,
            "title": RECIPE_TITLES[one.recipe][0],
            "round": len(one.rounds.all()),
            "of": one.options.get("rounds", 1),
        }
        for one in rows
    ]


def _rounds(graph: PairGraph) -> Any:
    related = ("sampling", "rewarding", "pairs", "policy", "run__job", "run__output")
    return graph.rounds.select_related(*related)


def _row(one: PairRound) -> RoundRow:
    steps: list[Job] = [one.sampling, *([one.rewarding] if one.rewarding else [])]
    steps += [one.run.job] if one.run else []
    counts = dict(one.pairs.counts["comparisons"]) if one.pairs else {}
    kept = counts.pop("kept", None)
    return RoundRow(
        one,
        [{"job": job, **job_bars.progress_of(job)} for job in steps],
        kept,
        omissions.of({"dropped": counts}),
    )
