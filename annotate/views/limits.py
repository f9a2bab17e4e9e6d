"""What a campaign may cost, until when, and how many labels of which prompts: pages of a lead."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotate import access, charts, figures, language, numerals
from annotate.access import SignedInRequest
from annotate.limit_forms import BudgetForm, QuotaForm
from annotate.spreadsheets import cell
from annotate.views import wants_fragment
from labeling import quotas, spend
from labeling.models import Campaign, Quota, SpendPoint
from labeling.spend import MARK

NAMES_DRAWN = 24  # bars of a chart
HOURS_DRAWN = 60


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_budget(request: SignedInRequest, slug: str) -> HttpResponse:
    """What was spent, what all will come to, and the limits."""
    row = access.campaign_for_lead(request.user, slug)
    form = BudgetForm(row, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            spend.settle(campaign=row, limits=form.limits(), actor=request.user)
        except spend.Refused as error:
            form.add_error(None, language.said_by(error))
        else:
            messages.success(request, _("Saved: the limits hold from now on."))
            return redirect("campaign-budget", slug=slug)
    context = {"campaign": row, "form": form, **budget_of(row)}
    return render(request, "lead/budget.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def budget_csv(request: SignedInRequest, slug: str) -> HttpResponse:
    """The curve: a line an hour in which something changed."""
    row = access.campaign_for_lead(request.user, slug)
    lines = [
        (point.at.isoformat(timespec="seconds"), point.labels, point.active_ms / 1000, point.money)
        for point in spend.curve(row)
    ]
    header = ("at", "labels", "active_seconds", f"money_{row.pay_currency or 'none'}")
    return _csv(f"{row.slug}-budget.csv", header, lines)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_quotas(request: SignedInRequest, slug: str) -> HttpResponse:
    """Labels by category and language against their quotas, alive by itself."""
    row = access.campaign_for_lead(request.user, slug)
    if request.method != "POST" and wants_fragment(request):
        return render(request, "lead/_quotas_live.html", {"campaign": row, **_quotas_of(row)})
    form = QuotaForm(row, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            quotas.settle(campaign=row, wanted=form.wanted(), actor=request.user)
            fill = form.cleaned_data["fill"]
            quotas.draw_by(campaign=row, fill=fill, actor=request.user)
        except quotas.Refused as error:
            form.add_error(None, language.said_by(error))
        else:
            messages.success(request, _("Saved: the quotas hold from the next look on."))
            return redirect("campaign-quotas", slug=slug)
    context = {"campaign": row, "form": form, "names": quotas.names(row), **_quotas_of(row)}
    return render(request, "lead/quotas.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def quotas_csv(request: SignedInRequest, slug: str) -> HttpResponse:
    row = access.campaign_for_lead(request.user, slug)
    lines = [
        (one.kind, cell(one.name), one.collected, quotas.goal(one, row), one.filled)
        for one in quotas.rows_of(row)
    ]
    return _csv(f"{row.slug}-quotas.csv", ("kind", "name", "labels", "wanted", "filled"), lines)


def budget_of(campaign: Campaign) -> dict[str, Any]:
    """What the page says of costs and time, also where no limit is set."""
    spent, limits = spend.of(campaign), spend.limits_of(campaign)
    current = campaign.iterations.order_by("-number").first()
    progress = figures.progress(current)
    open_ended = progress["target"] - progress["done"] if current else quotas.target(campaign)
    left = max(0, open_ended)
    per_day = spend.pace(campaign, spent)
    done_at = spend.done_at(left, per_day)
    points = spend.curve(campaign)
    return {
        "spent": spent,
        "limits": limits,
        "uses": spend.uses(limits, spent),
        "mark": MARK,
        "projection": spend.projection(campaign, spent, left),
        "per_day": per_day,
        "done_at": done_at,
        "is_late": bool(limits.deadline and done_at and done_at > limits.deadline),
        "is_over": bool(limits.deadline and limits.deadline <= timezone.now()),
        "chart": _curve(points),
    }


def _curve(points: list[SpendPoint]) -> charts.Bars | None:
    """Labels so far by hour, of the newest hours in which something changed."""
    drawn = points[-HOURS_DRAWN:]
    if not drawn:
        return None
    days = drawn[-1].hour - drawn[0].hour > timedelta(days=2)
    named = [numerals.day(one.at) if days else one.at.strftime("%H:%M") for one in drawn]
    return charts.bars([(name, one.labels, 0) for name, one in zip(named, drawn, strict=True)])


def _quotas_of(campaign: Campaign) -> dict[str, Any]:
    rows = quotas.rows_of(campaign)
    kinds = [
        (title, [_counted(one, campaign) for one in rows if one.kind == kind])
        for kind, title in (("category", _("Categories")), ("language", _("Languages")))
    ]
    return {
        "kinds": [(title, found, _bars(found)) for title, found in kinds],
        "counted_at": max((one.counted_at for one in rows if one.counted_at), default=None),
    }


def _counted(one: Quota, campaign: Campaign) -> dict[str, Any]:
    wanted = quotas.goal(one, campaign)
    return {"quota": one, "wanted": wanted, "left": max(0, (wanted or 0) - one.collected)}


def _bars(found: list[dict[str, Any]]) -> charts.Bars | None:
    rows = [(one["quota"].name, one["quota"].collected, one["left"]) for one in found]
    return charts.bars(rows[:NAMES_DRAWN]) if any(a + b for _name, a, b in rows) else None


def _csv(name: str, header: tuple[str, ...], lines: list[tuple[Any, ...]]) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(lines)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
