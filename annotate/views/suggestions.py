"""Suggested answers: importing cards with them, and what people made of them."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, language, reviews, uploads
from annotate.access import SignedInRequest
from annotate.forms import SuggestersForm, SuggestionsForm
from annotate.spreadsheets import cell
from labeling import repairs, snapshots, suggestions
from labeling.imports.suggestions import EXAMPLE
from labeling.models import Campaign
from labeling.pseudonyms import pseudonym
from models_runtime import audit

PAGE = 50
SHOWN_FAULTS = 8
COLUMNS = ("label", "comparison", "rater", "by", "prompt", "part", "suggested", "given")


@never_cache
@require_safe
@access.signed_in
def campaign_suggestions(request: SignedInRequest, slug: str) -> HttpResponse:
    """What people confirmed and repaired, the newest first; for a lead, the import."""
    campaign = access.campaign_for_staff(request.user, slug)
    found = repairs.whole(repairs.reviewed(campaign)).select_related(
        "comparison__prompt", "question_version"
    )
    page = Paginator(found.order_by("-pk"), PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "page": page,
        "rows": reviews.rows(page),
        "suggested": reviews.of(campaign),
        "is_lead": access.can(request.user, campaign.project_id, "lead"),
        "example": EXAMPLE,
    }
    return render(request, "lead/suggestions.html", context)


@never_cache
@require_safe
@access.signed_in
def repaired_csv(request: SignedInRequest, slug: str) -> FileResponse:
    """Every part that somebody changed, as CSV."""
    campaign = access.campaign_for_staff(request.user, slug)
    handle, count = _written(campaign)
    audit.record(
        verb="exported",
        obj=campaign,
        actor=request.user,
        data={"format": "repaired", "rows": count},
    )
    return FileResponse(
        handle,
        as_attachment=True,
        filename=f"{slug}-repaired.csv",
        content_type="text/csv; charset=utf-8",
    )


@never_cache
@require_POST
@access.signed_in
def upload(request: SignedInRequest, slug: str) -> HttpResponse:
    """Cards with suggested answers: all of the file or nothing."""
    campaign = access.campaign_for_lead(request.user, slug)
    form = SuggestionsForm(request.POST, request.FILES)
    if form.is_valid():
        _import(request, campaign, form.cleaned_data["suggestions"])
    else:
        messages.error(request, form.sentence())
    return redirect("campaign-suggestions", slug=slug)


@never_cache
@require_POST
@access.signed_in
def suggesters(request: SignedInRequest, slug: str) -> HttpResponse:
    """Whether raters read who suggested an answer."""
    campaign = access.campaign_for_lead(request.user, slug)
    form = SuggestersForm(request.POST)
    form.full_clean()
    named = form.cleaned_data["named"]
    suggestions.name_suggesters(campaign=campaign, named=named, actor=request.user)
    messages.success(request, _("Saved."))
    return redirect("campaign-suggestions", slug=slug)


def _import(request: SignedInRequest, campaign: Campaign, file: UploadedFile) -> None:
    """Every fault is told with its line."""
    with uploads.on_disk(file, "suggestions") as (path, name):
        try:
            report = suggestions.import_suggestions(
                campaign=campaign, path=path, actor=request.user, name=name
            )
        except ValueError as error:
            messages.error(request, language.said_by(error))
            return
    counts = report.counts
    if not counts["faulty"]:
        passed = counts["known"] + counts["duplicates"]
        said = _("%(cards)d cards imported; %(passed)d were there already.")
        messages.success(request, said % {"cards": counts["cards"], "passed": passed})
        _tell_of_waiting(request, counts["waiting"])
        return
    messages.error(request, _("Nothing was imported from %(name)s:") % {"name": name})
    for problem in report.errors[:SHOWN_FAULTS]:
        messages.error(request, language.translated(problem.said))
    more = counts["faulty"] - SHOWN_FAULTS
    if more > 0:
        said = ngettext("%(n)d more fault.", "%(n)d more faults.", more)
        messages.error(request, said % {"n": more})


def _tell_of_waiting(request: SignedInRequest, waiting: int) -> None:
    """Of cards whose texts the worker renders first."""
    if waiting:
        said = ngettext(
            "%(n)d of them holds long texts: raters get it when these are rendered, in a while.",
            "%(n)d of them hold long texts: raters get them as these are rendered, in a while.",
            waiting,
        )
        messages.info(request, said % {"n": waiting})


def _written(campaign: Campaign) -> tuple[BinaryIO, int]:
    """An open file without a name, and its rows: it is gone when the response ends."""
    key = campaign.project.pseudonym_key
    labels = repairs.whole(repairs.reviewed(campaign)).select_related(
        "comparison__prompt", "question_version", "rater"
    )
    count = 0
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        path = Path(scratch) / "repaired.csv"
        with snapshots.consistent_read(), path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for label, row in repairs.repaired(labels.order_by("pk")):
                facts = {
                    **row,
                    "label": label.pk,
                    "comparison": label.comparison_id,
                    "rater": pseudonym(key, label.rater),
                    "by": (label.comparison.suggestion or {}).get("by", ""),
                    "prompt": label.comparison.prompt.messages[-1]["content"],
                }
                writer.writerow([cell(facts[name]) for name in COLUMNS])
                count += 1
        return os.fdopen(os.open(path, os.O_RDONLY), "rb"), count
