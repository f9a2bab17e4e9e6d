"""What a rater does with what they are told: reads it and goes on, or disagrees."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.check_forms import ContestForm
from labeling import contests, gold_results, qualification
from labeling.models import Contest, GoldResult


@never_cache
@require_POST
@access.signed_in
def told(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """What was expected of an answer, or what became of an objection, is read. An objection that
    cannot be sent leaves it to be read again."""
    result = access.result_for_rater(request.user, public_id)
    act = request.POST.get("act")
    if act == "contest" and not _contest(request, result):
        return redirect("card", slug=result.gold.campaign.slug)
    if act == "decision":
        for contest in Contest.objects.filter(result=result):
            contests.told(contest)
    else:
        gold_results.told(result)
    return redirect("card", slug=result.gold.campaign.slug)


@never_cache
@require_POST
@access.signed_in
def told_verdict(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """How a test ended is read."""
    verdict = access.verdict_for_rater(request.user, public_id)
    qualification.told(verdict)
    if not verdict.passed:
        return redirect("queue")
    return redirect("card", slug=verdict.campaign.slug)


def _contest(request: SignedInRequest, result: GoldResult) -> bool:
    form = ContestForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return False
    try:
        text = form.cleaned_data["text"]
        contests.open_contest(result=result, text=text, rater=request.user)
    except ValueError as error:
        messages.error(request, language.said_by(error))
        return False
    messages.success(request, _("Sent: you are told what became of it."))
    return True
