"""Excluding a rater's labels, and lifting that: the lead's pages."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.review_forms import ExclusionForm
from labeling import exclusions

PAGE = 50
FIRST_DAYS = 7  # that the form offers


@never_cache
@require_safe
@access.signed_in
def campaign_exclusions(request: SignedInRequest, slug: str) -> HttpResponse:
    """Every exclusion of the campaign, the newest first, and how far it is applied."""
    campaign = access.campaign_for_lead(request.user, slug)
    page = Paginator(exclusions.of(campaign), PAGE).get_page(request.GET.get("page"))
    raters = access.raters_of(campaign)[:PAGE]
    context = {"campaign": campaign, "page": page, "raters": raters}
    return render(request, "lead/exclusions.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def exclude(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """First how many labels it would be, by the button "count", then the act."""
    campaign, rater = access.rater_for_lead(request.user, slug, public_id)
    start = timezone.localdate() - dt.timedelta(days=FIRST_DAYS)
    form = ExclusionForm(request.POST or None, initial={"from_day": start})
    count = None
    if request.method == "POST" and form.is_valid():
        if "count" not in request.POST:
            return _exclude(request, slug, public_id, form)
        now = timezone.now()
        count = exclusions.affected(campaign, rater, form.from_at(), now)
    context = {
        "campaign": campaign,
        "rater": rater,
        "form": form,
        "count": count,
        "counting": exclusions.counting(campaign, rater),
    }
    return render(request, "lead/exclude.html", context, status=400 if form.errors else 200)


@never_cache
@require_POST
@access.signed_in
def lift(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Let the labels back. Of two presses one does."""
    row = access.exclusion_for_lead(request.user, slug, pk)
    try:
        done = exclusions.lift(exclusion=row, actor=request.user)
    except exclusions.NotPossible as error:
        messages.error(request, language.said_by(error))
    else:
        if done:
            messages.success(request, _("The labels come back; that takes a moment."))
        else:
            messages.info(request, _("That exclusion is lifted already."))
    return redirect("exclusions", slug=slug)


def _exclude(
    request: SignedInRequest, slug: str, public_id: UUID, form: ExclusionForm
) -> HttpResponse:
    campaign, rater = access.rater_for_lead(request.user, slug, public_id)
    try:
        exclusions.exclude(
            campaign=campaign,
            rater=rater,
            from_at=form.from_at(),
            reason=form.cleaned_data["reason"],
            text=form.cleaned_data["text"],
            actor=request.user,
        )
    except exclusions.NotPossible as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("The labels are being excluded; that takes a moment."))
    return redirect("exclusions", slug=slug)
