"""Checkpoints of a run that goes on: chosen on a page of their own, told of on the run's."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.checkpoint_forms import STEPS, CheckpointsForm
from models_runtime import resumable
from models_runtime.models import Job
from models_runtime.states import StaleState
from training import checkpoint_batches
from training.models import CheckpointBatch, TrainingRun


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def rate_checkpoints(request: SignedInRequest, pk: int) -> HttpResponse:
    """Choose steps of a run and have raters compare them."""
    job = access.job_for_researcher(request.user, pk)
    run = TrainingRun.objects.filter(job=job).select_related("campaign", "iteration").first()
    if run is None or run.role not in checkpoint_batches.OF_A_POLICY:
        raise Http404
    form = CheckpointsForm(run.campaign, resumable.steps(job), request.POST or None)
    if request.method == "POST" and form.is_valid() and _asked(request, run, form):
        return redirect("job", pk=pk)
    context = {"job": job, "run": run, "form": form}
    status = 400 if form.errors else 200
    return render(request, "research/rate_checkpoints.html", context, status=status)


def of_run(job: Job) -> list[CheckpointBatch]:
    """What was asked about a run's checkpoints, the newest first."""
    rows = CheckpointBatch.objects.filter(run__job=job).order_by("-pk")
    rows = rows.select_related("keeping", "publishing", "batch__job")
    return list(rows.prefetch_related("checkpoints"))


def _asked(request: SignedInRequest, run: TrainingRun, form: CheckpointsForm) -> bool:
    try:
        checkpoint_batches.ask(run, form.cleaned_data[STEPS], form.options(), actor=request.user)
    except (StaleState, ValueError) as error:
        messages.error(request, language.said_by(error))
        return False
    messages.success(
        request, _("The checkpoints are kept, published and sampled while the run goes on.")
    )
    return True
