"""Training, test, gold and repeats: a lead's settings, items, objections and raters."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, check_files, check_rows, language, uploads
from annotate.access import SignedInRequest
from annotate.check_forms import ChecksForm, DecisionForm, GoldFileForm
from labeling import checks, contests, gold, gold_import, qualification
from labeling.imports.gold import EXAMPLE
from labeling.models import Campaign
from models_runtime import audit
from models_runtime.states import StaleState

PAGE = 25
SHOWN_FAULTS = 8
DECIDED = 10  # objections that were decided, the newest


@never_cache
@require_safe
@access.signed_in
def campaign_checks(request: SignedInRequest, slug: str) -> HttpResponse:
    """How the campaign trains and checks its raters, and how they do."""
    campaign = access.campaign_for_staff(request.user, slug)
    return _page(request, campaign, ChecksForm(initial=vars(checks.of(campaign))))


@never_cache
@require_POST
@access.signed_in
def settle_checks(request: SignedInRequest, slug: str) -> HttpResponse:
    """The lead's settings, in force from the next card on."""
    campaign = access.campaign_for_lead(request.user, slug)
    form = ChecksForm(request.POST)
    if not form.is_valid():
        return _page(request, campaign, form, status=400)
    checks.settle(campaign=campaign, settings=form.settings(), actor=request.user)
    messages.success(request, _("Saved: it holds from the next card on."))
    return redirect("campaign-checks", slug=slug)


@never_cache
@require_POST
@access.signed_in
def upload_gold(request: SignedInRequest, slug: str) -> HttpResponse:
    """Items from a file: all of it or nothing."""
    campaign = access.campaign_for_lead(request.user, slug)
    form = GoldFileForm(request.POST, request.FILES)
    if form.is_valid():
        import_items(request, campaign, form.cleaned_data["gold"])
    else:
        messages.error(request, form.sentence())
    return redirect("campaign-checks", slug=slug)


@never_cache
@require_POST
@access.signed_in
def gold_act(request: SignedInRequest, slug: str, public_id: uuid.UUID, act: str) -> HttpResponse:
    """Retire an item, ask it again, move it one place."""
    item = access.gold_for_lead(request.user, slug, public_id)
    if act == "retire":
        lost = gold.retire(gold=item, actor=request.user)
        said = ngettext(
            "Asked no more; %(n)d answer to it counts no more.",
            "Asked no more; %(n)d answers to it count no more.",
            lost,
        )
        messages.success(request, said % {"n": lost})
    elif act == "restore":
        gold.restore(gold=item, actor=request.user)
        messages.success(request, _("Asked again; the answers to it count as before."))
    else:
        gold.move(gold=item, up=act == "up")
    return redirect("campaign-checks", slug=slug)


@never_cache
@require_POST
@access.signed_in
def decide(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Uphold an objection and retire its item, reject it, or take a decision back."""
    contest = access.contest_for_lead(request.user, slug, pk)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect("campaign-checks", slug=slug)
    act, reason = form.cleaned_data["act"], form.cleaned_data["reason"]
    try:
        if act == "retire":
            contests.uphold(contest=contest, reason=reason, actor=request.user)
            messages.success(request, _("The item is retired; its rater is told."))
        elif act == "reject":
            contests.reject(contest=contest, reason=reason, actor=request.user)
            messages.success(request, _("The item stays; its rater is told why."))
        else:
            contests.reopen(contest=contest, actor=request.user)
            messages.success(request, _("The decision is taken back."))
    except ValueError as error:
        messages.error(request, language.said_by(error))
    except StaleState:
        messages.info(request, _("Somebody has decided that meanwhile."))
    return redirect("campaign-checks", slug=slug)


@never_cache
@require_POST
@access.signed_in
def rater_act(request: SignedInRequest, slug: str, public_id: uuid.UUID, act: str) -> HttpResponse:
    """Let somebody try the test again, let them in without it, or train them anew."""
    campaign, rater = access.seated_for_lead(request.user, slug, public_id)
    try:
        if act == "again":
            qualification.try_again(rater=rater, campaign=campaign, actor=request.user)
            told = _("%(name)s may take the test again.")
        elif act == "let-in":
            qualification.let_in(rater=rater, campaign=campaign, actor=request.user)
            told = _("%(name)s works without training and test.")
        else:
            qualification.send_to_training(rater=rater, campaign=campaign, actor=request.user)
            told = _("%(name)s goes through training and test before the next card.")
        messages.success(request, told % {"name": rater.username})
    except qualification.NotNow as error:
        messages.info(request, language.said_by(error))
    return redirect("campaign-checks", slug=slug)


@never_cache
@require_safe
@access.signed_in
def answers_csv(request: SignedInRequest, slug: str) -> FileResponse:
    """Answers to items and hidden repeats, raw: no other export holds them."""
    campaign = access.campaign_for_staff(request.user, slug)
    handle, count = check_files.answers(campaign)
    said = {"format": "checks", "rows": count}
    audit.record(verb="exported", obj=campaign, actor=request.user, data=said)
    return FileResponse(
        handle,
        as_attachment=True,
        filename=f"{slug}-checks.csv",
        content_type="text/csv; charset=utf-8",
    )


def _page(
    request: SignedInRequest, campaign: Campaign, form: ChecksForm, status: int = 200
) -> HttpResponse:
    items = Paginator(gold.items(campaign), PAGE).get_page(request.GET.get("items"))
    raters = Paginator(checks.seats_of(campaign), PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "campaign": campaign,
        "form": form,
        "is_lead": access.can(request.user, campaign.project_id, "lead"),
        "example": EXAMPLE,
        "counts": gold.counts(campaign),
        "lacks": check_rows.lacks(campaign),
        "items": items,
        "rows": check_rows.items(items.object_list),
        "page": raters,
        "raters": check_rows.raters(campaign, list(raters.object_list)),
        "stages": check_rows.stages(campaign),
        "contests": check_rows.contests_of(list(contests.waiting(campaign)[:PAGE])),
        "decided": list(contests.decided(campaign)[:DECIDED]),
        "answers": checks.answers_by_kind(campaign),
        "candidates": check_rows.candidates(campaign),
    }
    return render(request, "lead/checks.html", context, status=status)


def import_items(request: SignedInRequest, campaign: Campaign, file: UploadedFile) -> None:
    """Every fault is told with its line."""
    with uploads.on_disk(file, "gold") as (path, name):
        try:
            report = gold_import.import_gold(
                campaign=campaign, path=path, actor=request.user, name=name
            )
        except ValueError as error:
            messages.error(request, language.said_by(error))
            return
    counts = report.counts
    if not counts["faulty"]:
        passed = counts["known"] + counts["duplicates"]
        said = _("%(items)d items imported; %(passed)d were there already.")
        messages.success(request, said % {"items": counts["items"], "passed": passed})
        if counts["items"] and (warning := gold_import.told_apart(campaign)):
            messages.warning(request, language.translated(warning))
        return
    messages.error(request, _("Nothing was imported from %(name)s:") % {"name": name})
    for problem in report.errors[:SHOWN_FAULTS]:
        messages.error(request, language.translated(problem.said))
    more = counts["faulty"] - SHOWN_FAULTS
    if more > 0:
        said = ngettext("%(n)d more fault.", "%(n)d more faults.", more)
        messages.error(request, said % {"n": more})
