"""How good a campaign's labels are: what the newest count says, for leads and researchers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, charts, job_bars
from annotate.access import SignedInRequest
from annotate.label_forms import SAID_TITLES
from annotate.spreadsheets import cell
from labeling import quality_job
from labeling.group_differences import APART, TITLES
from labeling.judgements import SOURCES
from labeling.models import Campaign, Label, RaterGroup, User
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
LEARNED = (
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "drift",
    "drift_low",
    "drift_high",
    "drift_p",
)
COLUMNS = ("labels", "agrees", "agrees_low", "agrees_high", "competence", "seconds")
CHECKS = ("gold", "gold_low", "gold_high", "gold_cards")
AGAIN = ("again", "again_low", "again_high", "again_cards", "again_kappa")
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
        "given": _given(body.get("given", {})) if body else [],
        "spread": _spread(body.get("given", {})) if body else None,
        "groups": _groups(body.get("groups", [])) if body else [],
        "is_lead": access.can(request.user, campaign.project_id, "lead"),
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
    """The figures of the newest count: the raters', a line each, or those of another table:
    ?of=answers, weeks or guidelines."""
    campaign = access.campaign_for_staff(request.user, slug)
    if source not in SOURCES:
        raise Http404
    done = quality_job.counted(campaign)
    body = done.result.get(source, {}) if done else {}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(_lines(request.GET.get("of", ""), body))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.slug}-{source}.csv"'
    return response


def _lines(of: str, body: dict[str, Any]) -> Iterator[list[Any]]:
    """What each plot or table is of; the raters unless another is asked for."""
    if of == "answers":
        yield ["answer", "labels"]
        yield from ([name, n] for name, n in body.get("given", {}).items())
    elif of in ("weeks", "guidelines"):
        name = {"weeks": "week", "guidelines": "guideline"}[of]
        yield [name, "agree", "agree_low", "agree_high", "judgements"]
        yield from ([row[name], *_figure(row)] for row in body.get(of, []))
    else:
        yield ["rater", *COLUMNS, *SIDE, *CHECKS, *AGAIN, *LEARNED]
        yield from (_line(row) for row in _named(body.get("raters", [])))


def _line(row: dict[str, Any]) -> list[Any]:
    agrees, side = row["agrees"], row["side"]
    share = side["share"]
    return [
        cell(row["name"]),
        *(row["labels"], agrees["value"], agrees["low"], agrees["high"]),
        *(row["competence"], row["seconds"]),
        *(share["value"], share["low"], share["high"], side["p"]),
        *(row["ties"], " ".join(row["signs"])),
        *_figure(row.get("gold")),
        *_figure(row.get("again", {}).get("same")),
        row.get("again", {}).get("kappa", {}).get("value"),
        *_figure(row.get("accuracy"))[:3],
        *_figure(row.get("drift"))[:3],
        (row.get("drift") or {}).get("p"),
    ]


def _figure(found: dict[str, Any] | None) -> list[Any]:
    """Its value, interval and how many it is of; a count of before has none."""
    return [(found or {}).get(name) for name in ("value", "low", "high", "n")]


def _measure(one: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {"title": title, "says": says, **one["figures"][name]}
        for name, (title, says) in COEFFICIENTS.items()
        if name in one["figures"]
    ]
    return {**one, "rows": rows}


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With names as they are now: a report holds none."""
    found = User.objects.filter(pk__in=[row["rater"] for row in rows])
    names = {
        pk: (name, public) for pk, name, public in found.values_list("pk", "username", "public_id")
    }
    return [
        {
            **row,
            "name": names.get(row["rater"], ("–", None))[0],
            "public_id": names.get(row["rater"], ("–", None))[1],
            "told": [SIGNS[sign] for sign in row["signs"] if sign in SIGNS],
        }
        for row in rows
    ]


def _groups(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With names as they are now; a group that was removed since is left out."""
    names = dict(
        RaterGroup.objects.filter(pk__in=[row["group"] for row in rows]).values_list("pk", "name")
    )
    return [
        {**row, "name": names[row["group"]], "tests": [_tested(test) for test in row["tests"]]}
        for row in rows
        if row["group"] in names
    ]


def _tested(test: dict[str, Any]) -> dict[str, Any]:
    differs = test["p_holm"] is not None and test["p_holm"] < APART
    return {**test, "title": TITLES[test["name"]], "differs": differs}


def _trend(weeks: list[dict[str, Any]]) -> charts.Trend | None:
    measured = [week for week in weeks if week["value"] is not None]
    if len(measured) < 2:
        return None
    rows = [
        charts.Estimate(week["week"][5:], week["value"], week["low"], week["high"])
        for week in measured
    ]
    return charts.trend(rows)


def _given(given: dict[str, int]) -> list[dict[str, Any]]:
    """How often each answer was given, the strongest first, with its share."""
    total = sum(given.values())
    return [
        {"name": name, "title": title, "n": given[name], "share": given[name] / total}
        for name, title in SAID_TITLES.items()
        if given.get(name)
    ]


def _spread(given: dict[str, int]) -> charts.Bars | None:
    rows = [(str(SAID_TITLES[name]), given.get(name, 0), 0) for name in SAID_TITLES]
    there = [row for row in rows if row[1]]
    return charts.bars(there) if len(there) > 1 else None


def _labels_since(campaign: Campaign, done: Job | None) -> int:
    """Labels that came after the count began."""
    if done is None or done.started_at is None:
        return 0
    rows = Label.objects.filter(assignment__campaign=campaign, created_at__gt=done.started_at)
    return rows.count()
