"""How well a rater does, on a page of their own: nobody else's figures, and no time."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate import access
from annotate.access import SignedInRequest
from labeling import own_results


@never_cache
@require_safe
@access.signed_in
def results(request: SignedInRequest) -> HttpResponse:
    """Training, tests, hidden items, repeats and what was sent back, campaign by campaign."""
    found = [one for one in own_results.of(request.user) if not one.is_empty]
    context = {"results": found, "least": own_results.LEAST}
    return render(request, "account/results.html", context)
