"""Time and pay: what a lead shows raters of their own work."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access
from annotate.access import SignedInRequest
from annotate.pay_forms import PayForm
from labeling import pay


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_pay(request: SignedInRequest, slug: str) -> HttpResponse:
    """The lead's settings of one campaign, in force with the next answer."""
    row = access.campaign_for_lead(request.user, slug)
    form = PayForm(request.POST or None, initial=vars(pay.of(row)))
    if request.method == "POST" and form.is_valid():
        pay.settle(campaign=row, counters=form.counters(), actor=request.user)
        messages.success(request, _("Saved: raters see it with their next answer."))
        return redirect("campaign", slug=slug)
    rates = row.pay_rates.select_related("created_by").order_by("-from_at")
    context = {"campaign": row, "form": form, "rates": rates}
    return render(request, "lead/pay.html", context, status=400 if form.errors else 200)
