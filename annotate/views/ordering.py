"""Which comparisons raters are handed first, and which are kept for evaluation: a lead's page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access
from annotate.access import SignedInRequest
from annotate.order_forms import OrderForm
from labeling import order


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_order(request: SignedInRequest, slug: str) -> HttpResponse:
    """The lead's settings of one campaign; what is open is put in order within seconds."""
    row = access.campaign_for_lead(request.user, slug)
    form = OrderForm(request.POST or None, campaign=row)
    if request.method == "POST" and form.is_valid():
        order.settle(campaign=row, order=form.wanted(), actor=request.user)
        order.reserve(campaign=row, share=form.share(), actor=request.user)
        messages.success(request, _("Saved: what is open is put in order within seconds."))
        return redirect("campaign-order", slug=slug)
    context = {
        "campaign": row,
        "form": form,
        "pending": order.is_pending(row),
        "reserved": order.reserved(row),
    }
    return render(request, "lead/order.html", context, status=400 if form.errors else 200)
