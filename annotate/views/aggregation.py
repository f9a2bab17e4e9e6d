"""How many raters' labels become one: a lead's rule for a campaign, and freezing by it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotate import access, language
from annotate.access import SignedInRequest
from labeling import aggregated_rows, freezing


@never_cache
@require_POST
@access.signed_in
def aggregation(request: SignedInRequest, slug: str) -> HttpResponse:
    """Keep a rule for the campaign's snapshots, or freeze its labels by one now."""
    campaign = access.campaign_for_lead(request.user, slug)
    rule = request.POST.get("rule", "")
    try:
        if request.POST.get("act") == "freeze":
            if freezing.start(campaign, rule, request.user) is None:
                messages.info(request, _("The labels are being frozen already."))
        else:
            aggregated_rows.settle(campaign=campaign, rule=rule, actor=request.user)
            messages.success(request, _("Saved: it holds for snapshots from now on."))
    except ValueError as error:
        messages.error(request, language.said_by(error))
    return redirect("quality", slug=slug)
