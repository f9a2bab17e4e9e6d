"""What a rater earned, as a page and a file of their own, and what they dispute of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, language, statements
from annotate.access import SignedInRequest
from annotate.earnings_forms import DisputeForm, PeriodForm
from labeling import pay_disputes
from labeling.earnings import Period


@never_cache
@require_safe
@access.signed_in
def statement(request: SignedInRequest) -> HttpResponse:
    """One's own work of a month or of some days, campaign by campaign."""
    form = PeriodForm(request.GET or None)
    period = form.period()
    context = {
        "form": form,
        "statement": statements.of(request.user, period),
        "query": query(period),
    }
    return render(request, "account/statement.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def statement_csv(request: SignedInRequest) -> HttpResponse:
    found = statements.of(request.user, PeriodForm(request.GET or None).period())
    rows = [statements.COLUMNS, *statements.rows(found)]
    return as_csv(rows, f"statement-{found.period.starts}-{found.period.ends}.csv")


@never_cache
@require_POST
@access.signed_in
def dispute(request: SignedInRequest, slug: str) -> HttpResponse:
    """Say that one's pay in a campaign is wrong."""
    campaign = access.campaign_worked_in(request.user, slug)
    form = DisputeForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect("statement")
    period = form.period()
    try:
        pay_disputes.begin(
            rater=request.user,
            campaign=campaign,
            period=period,
            text=form.cleaned_data["text"],
        )
    except pay_disputes.NotPossible as error:
        messages.error(request, language.said_by(error))
    else:
        messages.success(request, _("Your lead reads it; the answer stands here."))
    return redirect(f"{reverse('statement')}?{query(period)}")


@never_cache
@require_POST
@access.signed_in
def withdraw(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Take a dispute back that nobody has answered."""
    row = access.own_pay_dispute(request.user, public_id)
    if pay_disputes.withdraw(dispute=row):
        messages.success(request, _("Taken back."))
    else:
        messages.info(request, _("It is answered already."))
    return redirect(f"{reverse('statement')}?{query(Period(row.starts, row.ends))}")


def query(period: Period) -> str:
    """The part of an address that asks for these days."""
    return urlencode({"starts": period.starts.isoformat(), "ends": period.ends.isoformat()})


def as_csv(rows: Iterable[Sequence[Any]], name: str) -> HttpResponse:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
