"""The board of contributors: for raters where a lead shows it, and the lead's switch."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access
from annotate.access import SignedInRequest
from labeling import boards
from labeling.models import BoardPlace


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def board(request: SignedInRequest, slug: str) -> HttpResponse:
    """Where one stands, and how one wants to."""
    campaign = access.campaign_for_rater(request.user, slug)
    if not campaign.shows_board:
        raise Http404
    if request.method == "POST":
        try:
            boards.choose(
                rater=request.user, campaign=campaign, shown=request.POST.get("shown", "")
            )
        except ValueError:
            messages.error(request, _("Choose how you stand on the board."))
        else:
            messages.success(request, _("Kept: the board shows you so from now on."))
        return redirect("board", slug=slug)
    context = {
        "campaign": campaign,
        "board": boards.of(campaign),
        "least": boards.LEAST,
        "choices": BoardPlace.NAMES,
        "chosen": boards.chosen(request.user, campaign),
    }
    return render(request, "rate/board.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_board(request: SignedInRequest, slug: str) -> HttpResponse:
    """The board as raters see it, and whether they do."""
    campaign = access.campaign_for_lead(request.user, slug)
    if request.method == "POST":
        boards.switch(
            campaign=campaign, shows=request.POST.get("shows") == "yes", actor=request.user
        )
        said = _("Raters see the board.") if campaign.shows_board else _("Nobody sees the board.")
        messages.success(request, said)
        return redirect("campaign-board", slug=slug)
    context = {"campaign": campaign, "board": boards.of(campaign), "least": boards.LEAST}
    return render(request, "lead/board.html", context)
