"""How many labels a comparison gets: the same for all, or more where raters disagree."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.overlap_forms import OverlapForm
from labeling import adaptive, quality_job


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_overlap(request: SignedInRequest, slug: str) -> HttpResponse:
    """The lead's settings of one campaign, and what they have saved so far."""
    row = access.campaign_for_lead(request.user, slug)
    form = OverlapForm(request.POST or None, campaign=row)
    if request.method == "POST" and form.is_valid():
        adaptive.change(campaign=row, rule=form.rule_of(), actor=request.user)
        messages.success(request, _("Saved: it holds for comparisons that fill up from now on."))
        return redirect("campaign-overlap", slug=slug)
    refused = adaptive.why_not(row)
    context = {
        "campaign": row,
        "form": form,
        "refused": language.translated(refused) if refused else "",
        "savings": adaptive.savings(row) if row.more_rule else None,
        "counted": quality_job.counted(row) if row.more_rule == "belief" else None,
    }
    return render(request, "lead/overlap.html", context, status=400 if form.errors else 200)
