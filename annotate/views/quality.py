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

from annotate import access, charts, job_bars, numerals, quality_rows
from annotate.access import SignedInRequest
from annotate.label_forms import SAID_TITLES
from annotate.spreadsheets import cell
from labeling import freezing, quality_job
from labeling.aggregates import TITLES as TITLES_OF_RULES
from labeling.group_differences import APART, TITLES
from labeling.judgements import SOURCES
from labeling.models import Campaign, Label, RaterGroup, Snapshot
from models_runtime.models import Job
from models_runtime.records import STRENGTHS

LEARNED = (
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "drift",
    "drift_low",
    "drift_high",
    "drift_p",
)
HARDEST = 20  # cards on the page; the file has all that a count keeps
WORKING = (
    *("longer", "longer_low", "longer_high", "ties_low", "ties_high"),
    *("skipped", "skipped_low", "skipped_high", "skipped_of"),
    *("idle", "idle_low", "idle_high", "seconds_low", "seconds_high", "longest_run"),
    *STRENGTHS,
    "evidence",
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
    body, by = found.get(source), request.GET.get("sort", "-labels")
    rows = quality_rows.raters(body["raters"]) if body else []
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
        "measures": [quality_rows.measure(one) for one in body["measures"]] if body else [],
        "raters": quality_rows.ordered(rows, by),
        "columns": quality_rows.columns(by),
        "sides": quality_rows.sides(rows),
        "longer": quality_rows.lengths(rows),
        "hard": _hard(body.get("difficulty") or {}) if body else None,
        "trend": _trend(body["weeks"]) if body else None,
        "given": _given(body.get("given", {})) if body else [],
        "spread": _spread(body.get("given", {})) if body else None,
        "groups": _groups(body.get("groups", [])) if body else [],
        **_aggregation(campaign),
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
    ?of=answers, weeks, guidelines, strengths, similarity or cards."""
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
    elif of == "strengths":
        yield ["strength", "agree", "agree_low", "agree_high", "meetings"]
        yield from ([row["strength"], *_figure(row)] for row in body.get("strengths", []))
    elif of == "similarity":
        yield ["from", "to", "cards", "agree", "agree_low", "agree_high"]
        bands = body.get("similarity", {}).get("bands", [])
        yield from ([row["from"], row["to"], row["cards"], *_figure(row)[:3]] for row in bands)
    elif of == "cards":
        yield ["comparison", "difficulty", "for_higher_id", "ties", "for_lower_id"]
        rows = body.get("difficulty", {}).get("hardest", [])
        yield from ([row["comparison"], row["difficulty"], *row["votes"]] for row in rows)
    elif of in ("weeks", "guidelines"):
        name = {"weeks": "week", "guidelines": "guideline"}[of]
        yield [name, "agree", "agree_low", "agree_high", "judgements"]
        yield from ([row[name], *_figure(row)] for row in body.get(of, []))
    else:
        yield ["rater", *COLUMNS, *SIDE, *CHECKS, *AGAIN, *LEARNED, *WORKING]
        yield from (_line(row) for row in quality_rows.raters(body.get("raters", [])))


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
        *_figure(row.get("length"))[:3],
        *_figure(row.get("tied"))[1:3],
        *_figure(row.get("skipped")),
        *_figure(row.get("idle"))[:3],
        *_figure(row.get("speed"))[1:3],
        row.get("run"),
        *(row.get("strengths", {}).get(name, 0) for name in STRENGTHS),
        " | ".join(cell(one["evidence"]) for one in row["told"]),
    ]


def _figure(found: dict[str, Any] | None) -> list[Any]:
    """Its value, interval and how many it is of; a count of before has none."""
    return [(found or {}).get(name) for name in ("value", "low", "high", "n")]


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


def _aggregation(campaign: Campaign) -> dict[str, Any]:
    """The campaign's rule, the rules there are, and what was frozen by one."""
    last = freezing.newest(campaign)
    under_way = bool(last and last.state in freezing.UNDER_WAY)
    return {
        "rules": list(TITLES_OF_RULES.items()),
        "rule_title": TITLES_OF_RULES.get(campaign.aggregation, ""),
        "freezing_row": {"job": last, **job_bars.progress_of(last)}
        if last and under_way
        else None,
        "frozen_failed": last if last and last.state == "failed" else None,
        "aggregated": [_frozen(snapshot) for snapshot in freezing.aggregated(campaign)],
    }


def _frozen(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot that a rule made, with what became of its pairs."""
    [(rule, counts)] = snapshot.counts["aggregated"].items()
    return {
        "pk": snapshot.pk,
        "sha256": snapshot.sha256,
        "when": snapshot.created_at,
        "title": TITLES_OF_RULES.get(rule, rule),
        "preferences": counts.get("preferences", 0),
        "ties": counts.get("ties", 0),
        "undecided": counts.get("undecided", 0),
        "differ": counts.get("other than the majority", 0),
    }


def _hard(found: dict[str, Any]) -> dict[str, Any] | None:
    """How hard the cards are: a plot of all, and the hardest few."""
    if not found.get("cards"):
        return None
    tenths = [
        (f"{numerals.percent(n / 10)}–", count, 0) for n, count in enumerate(found["tenths"])
    ]
    return {**found, "shown": found["hardest"][:HARDEST], "chart": charts.bars(tenths)}


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
