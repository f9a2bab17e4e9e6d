"""What a campaign's raters are owed for some days, for leads: looked at, taken away as a file,
closed; one rater's statement, and the disputes about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, language, statements
from annotate.access import SignedInRequest
from annotate.earnings_forms import DisputeAnswerForm, PeriodForm
from annotate.spreadsheets import cell
from annotate.views.statement import as_csv, query
from labeling import earnings, pay_disputes
from labeling import payroll as service
from labeling.earnings import Line, Period
from labeling.models import Campaign, User
from models_runtime import audit

A_PAGE = 100
COLUMNS = (
    "rater", "project", "campaign", "from", "to", "kind", "paid_for", "rate", "labels",
    "accepted", "put_aside", "active_seconds", "amount", "currency", "disputes_open", "closed",
)  # fmt: skip


@never_cache
@require_safe
@access.signed_in
def payroll(request: SignedInRequest, slug: str) -> HttpResponse:
    campaign = access.campaign_for_lead(request.user, slug)
    form = PeriodForm(request.GET or None)
    period = form.period()
    found = service.of(campaign, period)
    page = Paginator(found.lines, A_PAGE).get_page(request.GET.get("page"))
    taken = service.overlapping(campaign, period).exists()
    context = {
        "campaign": campaign,
        "form": form,
        "period": period,
        "query": query(period),
        "payroll": found,
        "totals": earnings.totals(found.lines),
        "page": page,
        "rows": _rows(page.object_list, pay_disputes.count_open(campaign, period)),
        "may_close": not taken and period.is_over() and bool(found.lines),
        "overlaps": taken and not found.closed,
        "is_over": period.is_over(),
        "closed": campaign.payroll_periods.select_related("closed_by").order_by("-starts")[:24],
        "disputes": [
            (row, DisputeAnswerForm(currency=campaign.pay_currency, auto_id=f"id_{row.pk}_%s"))
            for row in pay_disputes.unanswered(campaign)[:A_PAGE]
        ],
    }
    return render(request, "lead/payroll.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def payroll_csv(request: SignedInRequest, slug: str) -> HttpResponse:
    campaign = access.campaign_for_lead(request.user, slug)
    period = PeriodForm(request.GET or None).period()
    found = service.of(campaign, period)
    closed = {campaign.pk} if found.closed else set()
    audit.record(
        verb="payroll downloaded", obj=campaign, actor=request.user,
        data={"starts": str(period.starts), "ends": str(period.ends)},
    )  # fmt: skip
    return _file(found.lines, [campaign], period, closed, f"payroll-{slug}")


@never_cache
@require_POST
@access.signed_in
def close(request: SignedInRequest, slug: str) -> HttpResponse:
    """Settle the days for good."""
    campaign = access.campaign_for_lead(request.user, slug)
    form = PeriodForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say which days to close."))
        return redirect("payroll", slug=slug)
    period = form.period()
    try:
        service.close(campaign=campaign, period=period, actor=request.user)
    except service.CannotClose as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("Closed: these lines stay as they are."))
    return redirect(f"{reverse('payroll', args=[slug])}?{query(period)}")


@never_cache
@require_safe
@access.signed_in
def rater_statement(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """One rater's statement of this campaign, as they see it."""
    campaign, rater = access.rater_of_campaign_for_lead(request.user, slug, public_id)
    form = PeriodForm(request.GET or None)
    period = form.period()
    context = {
        "campaign": campaign,
        "rater": rater,
        "form": form,
        "query": query(period),
        "statement": statements.of(rater, period, campaign),
    }
    return render(request, "lead/statement.html", context, status=400 if form.errors else 200)


@never_cache
@require_POST
@access.signed_in
def answer(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """Uphold or decline a dispute. Of two leads one does."""
    row = access.pay_dispute_for_lead(request.user, slug, public_id)
    back = f"{reverse('payroll', args=[slug])}?{query(Period(row.starts, row.ends))}"
    form = DisputeAnswerForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect(back)
    try:
        done = pay_disputes.answer(
            dispute=row,
            is_upheld=form.cleaned_data["verdict"] == "upheld",
            sentence=form.cleaned_data["reply"],
            granted=form.amount(),
            currency=form.cleaned_data["currency"],
            actor=request.user,
        )
    except pay_disputes.NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect(back)
    if done:
        messages.success(request, _("Answered: the rater reads it on their statement."))
    else:
        messages.info(request, _("That dispute is answered or taken back already."))
    return redirect(back)


@never_cache
@require_safe
@access.signed_in
def all_payrolls(request: SignedInRequest) -> HttpResponse:
    """All campaigns of the projects that one leads, together."""
    form = PeriodForm(request.GET or None)
    period, campaigns = form.period(), _led(request.user)
    lines, closed = service.of_all(campaigns.values(), period)
    page = Paginator(lines, A_PAGE).get_page(request.GET.get("page"))
    rows = [
        {**row, "campaign": campaigns[row["line"].campaign]} for row in _rows(page.object_list, {})
    ]
    context = {
        "form": form,
        "period": period,
        "query": query(period),
        "totals": earnings.totals(lines),
        "page": page,
        "rows": rows,
        "closed": closed,
    }
    return render(request, "lead/payrolls.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def all_payrolls_csv(request: SignedInRequest) -> HttpResponse:
    period, campaigns = PeriodForm(request.GET or None).period(), _led(request.user)
    lines, closed = service.of_all(campaigns.values(), period)
    said = {"starts": str(period.starts), "ends": str(period.ends)}
    for project in access.projects_led(request.user):
        audit.record(verb="payroll downloaded", obj=project, actor=request.user, project=project,
                     data=said)  # fmt: skip
    return _file(lines, campaigns.values(), period, closed, "payroll")


def _led(user: User) -> dict[int, Campaign]:
    rows = Campaign.objects.filter(project__in=access.projects_led(user))
    return {row.pk: row for row in rows.select_related("project").order_by("name", "pk")}


def _rows(lines: Iterable[Line], disputes: dict[int, int]) -> list[dict[str, Any]]:
    """Lines with their raters as they are called now, and what they dispute."""
    lines = list(lines)
    raters = User.objects.in_bulk({line.rater for line in lines})
    return [
        {
            "line": line,
            "title": statements.title(line),
            "rater": raters[line.rater],
            "disputes": disputes.get(line.rater, 0),
        }
        for line in lines
    ]


def _file(
    lines: list[Line],
    campaigns: Iterable[Campaign],
    period: Period,
    closed: set[int],
    name: str,
) -> HttpResponse:
    known = {row.pk: row for row in campaigns}
    disputes = pay_disputes.count_open_in(known.values(), period)
    rows: list[Any] = [COLUMNS]
    for row in _rows(lines, {}):
        line = row["line"]
        campaign = known[line.campaign]
        rows.append(
            [
                *(cell(row["rater"].username), cell(campaign.project.name), cell(campaign.name)),
                *statements.line_cells(line, period),
                disputes.get((campaign.pk, line.rater), 0),
                "yes" if campaign.pk in closed else "no",
            ]
        )
    return as_csv(rows, f"{name}-{period.starts}-{period.ends}.csv")
