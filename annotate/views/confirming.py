"""Guidelines that are to be confirmed, for a rater: what changed, all that they say, and yes."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access, cards
from annotate.access import SignedInRequest
from labeling import confirmations, consents


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def confirming(request: SignedInRequest, slug: str) -> HttpResponse:
    """What is confirmed is the version that the page showed, and no newer one."""
    campaign = access.campaign_for_rater(request.user, slug)
    version = campaign.guideline
    if version is None or not campaign.confirm_from:
        return redirect("card", slug=slug)
    if request.method == "POST" and request.POST.get("version") == f"v{version.number}":
        confirmations.confirm(rater=request.user, version=version)
        return redirect("card", slug=slug)
    before = confirmations.read_before(request.user, version)
    context = {
        "campaign": campaign,
        "version": version,
        "html": cards.guidelines_html(version),
        "confirmed": confirmations.is_confirmed(request.user, version),
        "before": before,
        "changes": consents.changes(before.markdown, version.markdown) if before else [],
        "newer": request.method == "POST",
    }
    status = 409 if context["newer"] else 200
    return render(request, "rate/confirm.html", context, status=status)
