"""A campaign opened as a pilot: what it shows, and what a lead makes of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotate import access, language, quality_rows
from annotate.access import SignedInRequest
from annotate.forms import GuidelinesForm, QuestionForm
from annotate.limit_forms import PilotForm
from annotate.views import lead
from labeling import campaigns, pilot_report, pilots
from labeling.models import Assignment, Campaign, Flag, Pilot
from models_runtime.states import StaleState

FLAGS_SHOWN = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_pilot(request: SignedInRequest, slug: str) -> HttpResponse:
    """Open a draft as a pilot; else what the pilot shows so far."""
    row = access.campaign_for_lead(request.user, slug)
    form = PilotForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _open(request, row, form.cleaned_data):
        return redirect("campaign", slug=slug)
    rows = pilots.of(row)
    asked = request.GET.get("number", "")
    pilot = next((one for one in rows if str(one.number) == asked), rows[0] if rows else None)
    context: dict[str, Any] = {"campaign": row, "form": form, "pilot": pilot, "pilots": rows}
    if pilot:
        context |= _shown(request, row, pilot)
    status = 400 if request.method == "POST" else 200
    return render(request, "lead/pilot.html", context, status=status)


@never_cache
@require_POST
@access.signed_in
def widen_pilot(request: SignedInRequest, slug: str) -> HttpResponse:
    """Everything to raters. Of two who decide, one does."""
    row = access.campaign_for_lead(request.user, slug)
    pilot = pilots.in_force(row)
    if pilot is None or not pilots.widen(pilot=pilot, actor=request.user):
        messages.info(request, _("No pilot waits for a decision."))
    else:
        messages.success(request, _("All comparisons are opened to raters now."))
    return redirect("campaign-pilot", slug=slug)


@never_cache
@require_POST
@access.signed_in
def revise_pilot(request: SignedInRequest, slug: str) -> HttpResponse:
    """Other words, and another pilot. What was typed stays where it is refused."""
    row = access.campaign_for_lead(request.user, slug)
    pilot = pilots.in_force(row)
    if pilot is None:
        messages.info(request, _("No pilot waits for a decision."))
        return redirect("campaign-pilot", slug=slug)
    asked, told = _forms(row, request.POST)
    if asked.is_valid() and told.is_valid():
        try:
            pilots.revise(
                pilot=pilot,
                text=asked.cleaned_data["text"],
                trains_on=asked.cleaned_data["trains_on"],
                markdown=told.cleaned_data["markdown"],
                based_on=(asked.cleaned_data["based_on"], told.cleaned_data["based_on"]),
                actor=request.user,
            )
        except (pilots.Refused, campaigns.CannotRevise) as error:
            asked.add_error(None, language.said_by(error))
        else:
            messages.success(request, _("Raters try the new version on other comparisons."))
            return redirect("campaign-pilot", slug=slug)
    context = {"campaign": row, "form": PilotForm(), "pilot": pilot}
    context |= {**_shown(request, row, pilot), "question_form": asked, "guidelines_form": told}
    return render(request, "lead/pilot.html", context, status=400)


def _open(request: SignedInRequest, campaign: Campaign, sent: dict[str, Any]) -> bool:
    """The draft as a pilot: like opening it, with most of it kept back. What is refused is said,
    and nothing was changed."""
    if not lead.is_ready(request, campaign):
        return False
    try:
        pilots.begin(campaign=campaign, actor=request.user, **sent)
    except pilots.Refused as error:
        messages.error(request, language.said_by(error))
        return False
    try:
        campaigns.move(campaign, "open", actor=request.user)
    except StaleState:
        messages.info(request, _("The campaign was opened meanwhile."))
    else:
        lead.start(request, campaign)
    return True


def _shown(request: SignedInRequest, campaign: Campaign, pilot: Pilot) -> dict[str, Any]:
    report = pilot_report.of(pilot)
    precision = _precision(request.GET.get("within", ""))
    asked, told = _forms(campaign)
    return {
        "report": report,
        "measures": [quality_rows.measure(one) for one in report.quality["measures"]],
        "needed": pilot_report.needed(report, pilot, precision),
        "precisions": pilot_report.PRECISIONS,
        "flags": report.flags[:FLAGS_SHOWN],
        "flag_names": dict(Flag.CODES),
        "skips": [(dict(Assignment.SKIP_REASONS).get(k, k), n) for k, n in report.skips.items()],
        "withholds": pilots.withholds(campaign),
        "question_form": asked,
        "guidelines_form": told,
    }


def _forms(campaign: Campaign, sent: Any = None) -> tuple[QuestionForm, GuidelinesForm]:
    """Two forms on one page; each has the number that it was based on."""
    question, guideline = campaign.question, campaign.guideline
    asked = {
        "text": question.text if question else "",
        "trains_on": question.trains_on if question else "chosen",
        "based_on": question.number if question else 0,
    }
    told = {
        "markdown": guideline.markdown if guideline else "",
        "based_on": guideline.number if guideline else 0,
    }
    return (
        QuestionForm(sent, initial=asked, prefix="asked"),
        GuidelinesForm(sent, initial=told, prefix="told"),
    )


def _precision(asked: str) -> float:
    known = {f"{one:g}": one for one in pilot_report.PRECISIONS}
    return known.get(asked, 0.05)
