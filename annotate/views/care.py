"""Content warnings: what a rater agrees to, leaves and takes back; what a lead asks for."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access
from annotate.access import SignedInRequest
from annotate.care_forms import BoundaryForm, CareForm
from labeling import boundaries, care
from labeling.models import Campaign


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def own_care(request: SignedInRequest, slug: str) -> HttpResponse:
    """What a rater is warned of in a campaign, and where their own line is."""
    campaign = access.campaign_for_rater(request.user, slug)
    if not campaign.content_warning:
        return redirect("card", slug=slug)
    if request.method != "POST":
        return _page(request, campaign)
    form = BoundaryForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return _page(request, campaign, status=400)
    _draw(request, campaign, form.cleaned_data["act"], form.cleaned_data["kind"])
    stays = form.cleaned_data["act"] in ("withdraw", "return", "opt-in")
    return redirect("care" if stays else "card", slug=slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_care(request: SignedInRequest, slug: str) -> HttpResponse:
    """The lead's settings of one campaign, in force from the next card on."""
    row = access.campaign_for_lead(request.user, slug)
    form = CareForm(request.POST or None, initial=vars(care.of(row)))
    if request.method == "POST" and form.is_valid():
        care.settle(campaign=row, care=form.care(), actor=request.user)
        messages.success(request, _("Saved: it holds from the next card on."))
        return redirect("campaign", slug=slug)
    context = {"campaign": row, "form": form}
    return render(request, "lead/care.html", context, status=400 if form.errors else 200)


def _draw(request: SignedInRequest, campaign: Campaign, act: str, kind: str) -> None:
    rater = request.user
    if act == "consent":
        care.consent(rater=rater, campaign=campaign)
    elif act == "withdraw":
        care.withdraw_consent(rater=rater, campaign=campaign)
        messages.success(request, _("You see nothing more of this campaign."))
    elif act == "leave":
        care.leave(rater=rater, campaign=campaign, kind=kind)
        messages.success(request, _("You are asked nothing more of that kind."))
    elif act == "opt-in":
        care.opt_in(rater=rater, campaign=campaign, kind=kind)
    else:
        care.come_back(rater=rater, campaign=campaign, kind=kind)


def _page(request: SignedInRequest, campaign: Campaign, status: int = 200) -> HttpResponse:
    limits = boundaries.of(request.user, campaign, timezone.now())
    shown = limits or boundaries.Limits(consented=True)
    sensitive = [(kind, kind not in shown.left) for kind in campaign.sensitive_kinds]
    context = {
        "campaign": campaign,
        "limits": limits,
        "left": sorted(shown.left - frozenset(campaign.sensitive_kinds)),
        "sensitive": sensitive,
        "has_kinds": boundaries.has_kinds(campaign),
    }
    return render(request, "rate/care.html", context, status=status)
