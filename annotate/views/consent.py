"""A project's consent, for a rater: what it says, what changed since they accepted it, and yes."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access, cards
from annotate.access import SignedInRequest
from labeling import admission, consents


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def consent(request: SignedInRequest, slug: str) -> HttpResponse:
    """Of the campaign's project: accepted once, it holds for all its campaigns. What is accepted
    is the version that the page showed, and no newer one."""
    campaign = access.campaign_for_rater(request.user, slug)
    version = campaign.consent
    if version is None:
        return redirect("card", slug=slug)
    if request.method == "POST" and request.POST.get("version") == f"v{version.number}":
        consents.give(rater=request.user, version=version)
        return redirect("card", slug=slug)
    before = consents.accepted_before(request.user, version)
    context = {
        "campaign": campaign,
        "version": version,
        "html": cards.consent_html(version),
        "accepted": admission.has_consented(request.user, campaign),
        "before": before,
        "changes": consents.changes(before.markdown, version.markdown) if before else [],
        "newer": request.method == "POST",
    }
    return render(request, "rate/consent.html", context, status=409 if context["newer"] else 200)
