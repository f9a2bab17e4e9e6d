"""The lead's pages: campaigns, one's live progress, and the acts on it."""

from __future__ import annotations

import contextlib
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, disputed, figures, job_bars, language, pace, reviews, shares, uploads
from annotate.access import SignedInRequest
from annotate.campaign_forms import STRATEGY_TITLES
from annotate.forms import PromptsForm, SimulateForm
from annotate.method_titles import METHOD_TITLES
from labeling import (
    adjudications,
    campaigns,
    card_questions,
    conversations,
    disputes,
    flags,
    order,
    pay,
    pay_disputes,
    pilots,
    prompts,
    quotas,
    slots,
    spend,
)
from labeling.models import Campaign, Flag, Iteration, Prompt, User
from models_runtime import jobs
from models_runtime.models import Job
from models_runtime.states import StaleState
from training import on_request, pipeline

MOVES = {"open": "open", "pause": "paused", "resume": "open", "close": "closed"}
SHOWN_FAULTS = 8
SIMULATED = 500  # labels that simulated raters add at a press, while there are cards for them


@never_cache
@require_safe
@access.signed_in
def campaign_list(request: SignedInRequest) -> HttpResponse:
    access.require_role(request.user, *access.STAFF)
    rows = access.campaigns_for_staff(request.user).order_by("-created_at")
    entries = [_entry(campaign) for campaign in rows]
    may_create = "lead" in access.roles(request.user)
    return render(request, "lead/list.html", {"entries": entries, "may_create": may_create})


@never_cache
@require_safe
@access.signed_in
def campaign(request: SignedInRequest, slug: str) -> HttpResponse:
    """The campaign, and by itself the part of the page that is alive."""
    row = access.campaign_for_staff(request.user, slug)
    context = _context(request, row)
    if request.headers.get("HX-Request") == "true":
        return render(request, "lead/_live.html", context)
    return render(request, "lead/campaign.html", {**context, "suggested": reviews.of(row)})


@never_cache
@require_POST
@access.signed_in
def move(request: SignedInRequest, slug: str, verb: str) -> HttpResponse:
    """Open, pause, resume, close. Repeating it, or being second, changes nothing."""
    row = access.campaign_for_lead(request.user, slug)
    if verb == "open" and not is_ready(request, row):
        return redirect("campaign", slug=slug)
    try:
        if verb == "resume":
            spend.resume(row, actor=request.user)
        else:
            campaigns.move(row, MOVES[verb], actor=request.user)
    except spend.Refused as error:
        messages.error(request, language.said_by(error))
    except StaleState:
        messages.info(
            request, _("The campaign is %(state)s already.") % {"state": row.get_state_display()}
        )
    else:
        if verb == "open":
            start(request, row)
        if verb == "close":
            _end_jobs(request, row)
    return redirect("campaign", slug=slug)


@never_cache
@require_POST
@access.signed_in
def iterate(request: SignedInRequest, slug: str) -> HttpResponse:
    """Start the next iteration; a lead or a researcher may."""
    row = access.campaign_for_staff(request.user, slug)
    start(request, row)
    return redirect("campaign", slug=slug)


@never_cache
@require_POST
@access.signed_in
def freeze(request: SignedInRequest, slug: str) -> HttpResponse:
    """Stop collecting and train with the labels there are."""
    row = access.campaign_for_lead(request.user, slug)
    try:
        on_request.freeze(row, request.user)
    except on_request.NotNow as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("Collecting ends; the labels are frozen and training starts."))
    return redirect("campaign", slug=slug)


@never_cache
@require_POST
@access.signed_in
def simulate(request: SignedInRequest, slug: str) -> HttpResponse:
    """Let simulated raters label, in the demo world only; a job does it."""
    row = access.campaign_for_lead(request.user, slug)
    form = SimulateForm(request.POST)
    if not row.demo_world:
        messages.error(request, _("Simulated raters know the demo world only."))
    elif not form.is_valid():
        messages.error(request, form.sentence())
    elif not _simulable(row, _current(row)):
        messages.info(request, _("No card is left for simulated raters in this iteration."))
    elif not _simulate(row, form.cleaned_data["count"], request.user):
        messages.info(request, _("Simulated raters are at work already."))
    else:
        messages.success(request, _("Simulated raters begin. Their labels are kept apart."))
    return redirect("campaign", slug=slug)


@never_cache
@require_POST
@access.signed_in
def upload(request: SignedInRequest, slug: str) -> HttpResponse:
    """More prompts for the next iterations."""
    row = access.campaign_for_lead(request.user, slug)
    form = PromptsForm(request.POST, request.FILES)
    if form.is_valid():
        import_prompts(request, row, form.cleaned_data["prompts"], form.cleaned_data["licence"])
    else:
        messages.error(request, form.sentence())
    return redirect("campaign", slug=slug)


@never_cache
@require_POST
@access.signed_in
def settle_flag(request: SignedInRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Keep a flagged comparison, or take it out. Of two leads who settle it, one does."""
    row = access.flag_for_lead(request.user, slug, pk)
    settle = {"resolve": flags.resolve, "discard": _discard}[verb]
    if not settle(flag=row, actor=request.user):
        messages.info(request, _("That flag is settled already."))
    elif verb == "resolve":
        messages.success(request, _("The flag is resolved; the comparison counts."))
    else:
        messages.success(
            request, _("The comparison is out; its labels train nothing. “Review” brings it back.")
        )
    return redirect("campaign", slug=slug)


def _discard(*, flag: Flag, actor: User) -> bool:
    """As a decision, which can be taken back; a talk's pair ends with its talk. False when it was
    settled already."""
    try:
        adjudications.decide(comparison=flag.comparison, kind="discard", actor=actor)
    except adjudications.NotPossible:
        return flags.discard(flag=flag, actor=actor)
    return True


def import_prompts(
    request: SignedInRequest, campaign: Campaign, upload: UploadedFile, licence: str
) -> None:
    """All of the file or nothing; every fault is told with its line."""
    with uploads.on_disk(upload, "prompts") as (path, name):
        try:
            report = prompts.import_prompts(
                campaign=campaign, path=path, actor=request.user, name=name, licence=licence
            )
        except ValueError as error:
            messages.error(request, language.said_by(error))
            return
    if report.ok:
        counts = {name: report.counts[name] for name in ("new", "heldout", "duplicates", "known")}
        said = _("%(new)d prompts imported (%(heldout)d held out); %(passed)d were there already.")
        passed = counts["duplicates"] + counts["known"]
        messages.success(request, said % {**counts, "passed": passed})
        return
    messages.error(request, _("Nothing was imported from %(name)s:") % {"name": name})
    for problem in report.errors[:SHOWN_FAULTS]:
        messages.error(request, language.translated(problem.said))
    more = report.counts["errors"] - SHOWN_FAULTS
    if more > 0:
        said = ngettext("%(n)d more fault.", "%(n)d more faults.", more)
        messages.error(request, said % {"n": more})


def is_ready(request: HttpRequest, campaign: Campaign) -> bool:
    """Whether a draft may open; says what is missing."""
    if not Prompt.objects.filter(prompt_set__campaign=campaign).exists():
        messages.error(request, _("Import prompts first: there is nothing to ask the policy."))
        return False
    if campaign.first_policy is None:
        messages.error(request, _("Choose a first policy first."))
        return False
    if why := spend.why_not_open(campaign):
        messages.error(request, language.translated(why))
        return False
    return has_models(request, campaign)


def has_models(request: HttpRequest, campaign: Campaign) -> bool:
    """Whether the talk that the campaign may ask for has its models; says what is missing."""
    try:
        conversations.check_models(campaign)
    except conversations.NotNow as error:
        messages.error(request, language.said_by(error))
        return False
    return True


def start(request: SignedInRequest, campaign: Campaign) -> None:
    try:
        iteration = pipeline.start_iteration(campaign, actor=request.user)
    except ValueError as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("Iteration %(n)d samples now.") % {"n": iteration.number})


def _end_jobs(request: SignedInRequest, campaign: Campaign) -> None:
    """Closing is for good, so nothing would ever take up what its jobs still make."""
    for job in _working(campaign):
        with contextlib.suppress(StaleState):  # it ended by itself meanwhile
            jobs.cancel(job, actor=request.user)


def _current(campaign: Campaign) -> Iteration | None:
    return campaign.iterations.order_by("-number").first()


def _simulate(campaign: Campaign, count: int, actor: User) -> bool:
    """Submit the job, unless one is under way: of two presses the second joins the first."""
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        if _simulating(campaign).exists():
            return False
        jobs.submit(
            project=campaign.project,
            kind="row",
            config={"call": "simulate", "campaign": campaign.pk, "count": count},
            queue="default",
            seed=Job.objects.filter(project=campaign.project, kind="row").count(),
            actor=actor,
        )
    return True


def _simulating(campaign: Campaign) -> Any:
    return Job.objects.filter(
        project=campaign.project,
        kind="row",
        state__in=("queued", "running"),
        config__call="simulate",
        config__campaign=campaign.pk,
    )


def _simulable(campaign: Campaign, current: Iteration | None) -> int:
    """How many labels simulated raters would add at a press."""
    if not campaign.demo_world or current is None or current.state != "collecting":
        return 0
    return min(SIMULATED, slots.free_for_anyone(current))


def _entry(campaign: Campaign) -> dict[str, Any]:
    current = _current(campaign)
    return {"campaign": campaign, "current": current, "progress": figures.progress(current)}


def _context(request: SignedInRequest, campaign: Campaign) -> dict[str, Any]:
    current = _current(campaign)
    progress = figures.progress(current)
    numbers = figures.of(campaign, current)
    collecting = current is not None and current.state == "collecting"
    left = pace.time_left(progress["done"], progress["target"], numbers.hourly)
    return {
        "campaign": campaign,
        "current": current,
        "collecting": collecting,
        "progress": progress,
        "figures": numbers,
        "time_left": left if collecting and campaign.state == "open" else None,
        "jobs": [_job(job) for job in _working(campaign)],
        "simulating": _simulating(campaign).exists(),
        "simulable": _simulable(campaign, current),
        "iterations": campaign.iterations.order_by("-number"),
        "prompts": Prompt.objects.filter(prompt_set__campaign=campaign).count(),
        "is_lead": access.can(request.user, campaign.project_id, "lead"),
        "flags": flags.unresolved(campaign),
        # These too are asked for by the page alone.
        "disputed": lambda: disputes.of(campaign).count(),
        "marks": lambda: disputed.marks(campaign),
        # Of what it may cost: the newest pilot, and the budget's note on why it paused.
        "budget": getattr(campaign, "budget", None),
        "pilot": pilots.newest(campaign),
        "quotas": lambda: quotas.wanted_of(campaign),
        "questions_open": lambda: card_questions.unanswered(campaign).count(),
        "pay_disputes_open": lambda: pay_disputes.unanswered(campaign).count(),
        "reserved": lambda: order.reserved(campaign),
        "owed": lambda: pay.owed(campaign),  # asked for by the page alone, not as it lives
        "talks": conversations.tally(campaign) if conversations.live_of(campaign) else None,
        # Before the first label: what as many as are wanted will show.
        "certainty": shares.certainty(numbers.people or (progress["target"] if collecting else 0)),
        "selection": STRATEGY_TITLES.get(campaign.plan.get("strategy", "random")),
        "method": METHOD_TITLES.get(campaign.plan.get("method", "raft")),
    }


def _working(campaign: Campaign) -> list[Job]:
    """Jobs under way for this campaign, and those that wait."""
    rows = Job.objects.filter(project=campaign.project, state__in=("queued", "running"))
    mine = (
        rows.filter(sampling_batch__iteration__campaign=campaign)
        | rows.filter(training_run__campaign=campaign)
        | rows.filter(evaluation__iteration__campaign=campaign)
        | _simulating(campaign)
    )
    return list(mine.distinct().order_by("id"))


def _job(job: Job) -> dict[str, Any]:
    return {"job": job, **job_bars.progress_of(job)}
