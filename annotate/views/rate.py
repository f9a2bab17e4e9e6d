"""The rater's pages: the queue, the card, and the four things a rater does with a card.

Every view answers a browser without scripts (POST, redirect) and rate.js (the next card as a
fragment) alike. What is repeated, late or already answered is no error: the next card follows.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, cards
from annotate.access import SignedInRequest
from annotate.forms import AnswerForm, FlagForm, SkipForm
from labeling import flags, labels, leases
from labeling.models import Assignment, Campaign, Flag, QuestionVersion
from labeling.questions import InvalidAnswer


@never_cache
@require_safe
@access.signed_in
def queue(request: SignedInRequest) -> HttpResponse:
    """The campaigns open to this rater, with what is done and what is left."""
    access.require_role(request.user, "rater")
    rows = access.campaigns_for_rater(request.user).order_by("-created_at")
    entries = [
        {"campaign": c, "progress": labels.progress(request.user, c), "waits": _why_nothing(c)}
        for c in rows.exclude(state="closed")
    ]
    return render(request, "rate/queue.html", {"entries": entries})


@never_cache
@require_safe
@access.signed_in
def card(request: SignedInRequest, slug: str) -> HttpResponse:
    """The next comparison for this rater, or the one already open in another tab."""
    campaign = access.campaign_for_rater(request.user, slug)
    assignment = leases.claim_next(rater=request.user, campaign=campaign)
    return _show(request, campaign, assignment)


@never_cache
@require_POST
@access.signed_in
def submit(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """Store an answer; the next card follows."""
    assignment = access.assignment_for_rater(request.user, public_id)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _go_on(request, assignment, form.sentence(), status=400)
    question = _shown(assignment.comparison.campaign, form.cleaned_data["asked"])
    try:
        labels.record_label(
            assignment=assignment,
            parts=cards.answer_of(question, request.POST.dict()),
            question=question,
            idempotency_key=form.cleaned_data["idempotency_key"],
            active_ms=form.cleaned_data["active_ms"],
            layout=form.cleaned_data["layout"],
        )
    except InvalidAnswer as error:
        return _go_on(request, assignment, str(error), status=400)
    except labels.IdempotencyConflict as error:
        return _go_on(request, assignment, str(error), status=409)
    except labels.NotOpen:
        # Not 2xx: this answer, from another tab, is not stored, and 2xx promises that it is.
        said = _("That comparison already has your answer.")
        return _go_on(request, assignment, said, status=409)
    return _go_on(request, assignment)


@never_cache
@require_POST
@access.signed_in
def skip(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    assignment = access.assignment_for_rater(request.user, public_id)
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _go_on(request, assignment, form.sentence(), status=400)
    try:
        labels.skip(assignment=assignment, reason=form.cleaned_data["reason"])
    except labels.NotOpen:
        return _go_on(request, assignment, _("That comparison was already done."))
    return _go_on(request, assignment, _("Skipped."))


@never_cache
@require_POST
@access.signed_in
def flag(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """Say that something is wrong with a card, or take it back, without losing the place."""
    assignment = access.assignment_for_rater(request.user, public_id)
    takes_back = "take_back" in request.POST
    form = FlagForm({"code": request.POST["take_back"]} if takes_back else request.POST)
    if not form.is_valid():
        return _show(request, assignment.comparison.campaign, assignment, form.sentence(), 400)
    settle = flags.take_back if takes_back else labels.flag
    settle(assignment=assignment, code=form.cleaned_data["code"])
    if _wants_fragment(request):
        context = {"assignment": public_id, **_flags(assignment)}
        return render(request, "rate/_flags.html", context)
    return redirect("card", slug=assignment.comparison.campaign.slug)


@never_cache
@require_POST
@access.signed_in
def renew(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """The whole lease again, for a card that somebody is still reading."""
    leases.renew(access.assignment_for_rater(request.user, public_id))
    return HttpResponse(status=204)


@never_cache
@require_POST
@access.signed_in
def undo(request: SignedInRequest, slug: str) -> HttpResponse:
    """The last answered or skipped card again."""
    campaign = access.campaign_for_rater(request.user, slug)
    assignment = labels.undo(rater=request.user, campaign=campaign)
    if assignment is None:
        open_one = leases.claim_next(rater=request.user, campaign=campaign)
        return _show(request, campaign, open_one, _("There is nothing to undo."))
    return _show(request, campaign, assignment, _("Taken back. Choose again."))


@never_cache
@require_safe
@access.signed_in
def guidelines(request: SignedInRequest, slug: str) -> HttpResponse:
    campaign = access.campaign_for_rater(request.user, slug)
    template = "rate/_guidelines.html" if _wants_fragment(request) else "rate/guidelines.html"
    html = cards.guidelines_html(campaign.guideline)
    return render(request, template, {"campaign": campaign, "html": html})


def _go_on(
    request: SignedInRequest, done: Assignment, note: str = "", status: int = 200
) -> HttpResponse:
    """The next card after an answer: as a fragment, or by a redirect without scripts."""
    campaign = done.comparison.campaign
    if not _wants_fragment(request) and status == 200:
        return redirect("card", slug=campaign.slug)
    assignment = leases.claim_next(rater=request.user, campaign=campaign)
    return _show(request, campaign, assignment, note, status)


def _show(
    request: SignedInRequest,
    campaign: Campaign,
    assignment: Assignment | None,
    note: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "campaign": campaign,
        "note": note,
        "progress": labels.progress(request.user, campaign),
    }
    if assignment is None:
        context["waits"] = _why_nothing(campaign)
    else:
        context |= {
            "card": cards.build(assignment, _question(campaign)),
            "skip_reasons": Assignment.SKIP_REASONS,
        }
        context |= _flags(assignment)
    template = "rate/_fragment.html" if _wants_fragment(request) else "rate/card.html"
    return render(request, template, context, status=status)


def _question(campaign: Campaign) -> QuestionVersion:
    """access.py shows raters no campaign without one."""
    if campaign.question is None:
        raise Http404
    return campaign.question


def _shown(campaign: Campaign, asked: str) -> QuestionVersion:
    """The question as the card asked it, which a lead may have changed since."""
    found = campaign.questions.filter(number=int(asked[1:])).first() if asked else None
    return found or _question(campaign)


def _flags(assignment: Assignment) -> dict[str, Any]:
    said = set(assignment.flags.filter(resolved_at=None).values_list("code", flat=True))
    return {
        "flag_codes": [(code, label, code in said) for code, label in Flag.CODES],
        "flagged": [label for code, label in Flag.CODES if code in said],
    }


def _wants_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _why_nothing(campaign: Campaign) -> str:
    """A key of the template's sentences: why there is no card now, and when more comes."""
    if campaign.state != "open":
        return campaign.state
    newest = campaign.iterations.order_by("-number").first()
    if newest is None:
        return "none"
    return "paused" if newest.paused_at else newest.state
