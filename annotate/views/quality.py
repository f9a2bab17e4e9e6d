"""How good a campaign's labels are: what the newest count says, for leads and researchers."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, charts, job_bars
from annotate.access import SignedInRequest
from annotate.spreadsheets import cell
from labeling import quality_job
from labeling.judgements import SOURCES
from labeling.models import Campaign, Label, User
from labeling.quality import SIGNS
from models_runtime.models import Job
from models_runtime.phrases import phrase

# Each coefficient's name, and what it says; in the order in which they are shown.
COEFFICIENTS = {
    "percent": (
        phrase("Percent agreement"),
        phrase("Of two raters of the same item, how often both say the same."),
    ),
    "alpha_outcome": (
        phrase("Krippendorff's α, which is better"),
        phrase("Agreement beyond chance on which is better, or a tie; 1 is perfect, 0 is chance."),
    ),
    "alpha": (
        phrase("Krippendorff's α, ordinal"),
        phrase("The same with the strength: near misses count less than far ones."),
    ),
    "kappa": (
        phrase("Fleiss' κ"),
        phrase("Agreement beyond what the shares of the answers would give by chance."),
    ),
    "ac_outcome": (
        phrase("Gwet's AC1, which is better"),
        phrase("Like κ, and steady where nearly all answers are alike."),
    ),
    "ac": (
        phrase("Gwet's AC2, quadratic weights"),
        phrase("The same with the distance between two answers."),
    ),
}
COLUMNS = ("labels", "agrees", "agrees_low", "agrees_high", "competence", "seconds")
SIDE = ("first_share", "first_low", "first_high", "first_p", "ties", "signs")


@never_cache
@require_safe
@access.signed_in
def quality(request: SignedInRequest, slug: str) -> HttpResponse:
    """The newest count of people's labels, or of another kind of rater: ?source=simulated."""
    campaign = access.campaign_for_staff(request.user, slug)
    done, last = quality_job.counted(campaign), quality_job.newest(campaign)
    found = done.result if done else {}
    sources = [name for name in SOURCES if name in found]
    source = request.GET.get("source", sources[0] if sources else "person")
    body = found.get(source)
    under_way = bool(last and last.state in quality_job.UNDER_WAY)
    context = {
        "campaign": campaign,
        "sources": sources,
        "source": source,
        "counted": done,
        "failed": last if last and last.state == "failed" else None,
        "row": {"job": last, **job_bars.progress_of(last)} if under_way and last else None,
        "since": _labels_since(campaign, done),
        "report": body,
        "measures": [_measure(one) for one in body["measures"]] if body else [],
        "raters": _named(body["raters"]) if body else [],
        "trend": _trend(body["weeks"]) if body else None,
    }
    return render(request, "lead/quality.html", context)


@never_cache
@require_POST
@access.signed_in
def count_quality(request: SignedInRequest, slug: str) -> HttpResponse:
    """Count anew, in a worker."""
    campaign = access.campaign_for_staff(request.user, slug)
    if quality_job.start(campaign, request.user) is None:
        messages.info(request, _("The labels are being counted already."))
    return redirect("quality", slug=slug)


@never_cache
@require_safe
@access.signed_in
def quality_csv(request: SignedInRequest, slug: str, source: str) -> HttpResponse:
    """The raters' figures of the newest count, a line each."""
    campaign = access.campaign_for_staff(request.user, slug)
    if source not in SOURCES:
        raise Http404
    done = quality_job.counted(campaign)
    body = done.result.get(source, {}) if done else {}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["rater", *COLUMNS, *SIDE])
    writer.writerows(_line(row) for row in _named(body.get("raters", [])))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.slug}-{source}.csv"'
    return response


def _line(row: dict[str, Any]) -> list[Any]:
    agrees, side = row["agrees"], row["side"]
    share = side["share"]
    return [
        cell(row["name"]),
        *(row["labels"], agrees["value"], agrees["low"], agrees["high"]),
        *(row["competence"], row["seconds"]),
        *(share["value"], share["low"], share["high"], side["p"]),
        *(row["ties"], " ".join(row["signs"])),
    ]


def _measure(one: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {"title": title, "says": says, **one["figures"][name]}
        for name, (title, says) in COEFFICIENTS.items()
        if name in one["figures"]
    ]
    return {**one, "rows": rows}


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With names as they are now: a report holds none."""
    names = dict(
        User.objects.filter(pk__in=[row["rater"] for row in rows]).values_list("pk", "username")
    )
    return [
        {
            **row,
            "name": names.get(row["rater"], "–"),
            "told": [SIGNS[sign] for sign in row["signs"] if sign in SIGNS],
        }
        for row in rows
    ]


def _trend(weeks: list[dict[str, Any]]) -> charts.Trend | None:
    measured = [week for week in weeks if week["value"] is not None]
    if len(measured) < 2:
        return None
    rows = [
        charts.Estimate(week["week"][5:], week["value"], week["low"], week["high"])
        for week in measured
    ]
    return charts.trend(rows)


def _labels_since(campaign: Campaign, done: Job | None) -> int:
    """Labels that came after the count began."""
    if done is None or done.started_at is None:
        return 0
    rows = Label.objects.filter(assignment__campaign=campaign, created_at__gt=done.started_at)
    return rows.count()
