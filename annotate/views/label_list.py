"""The labels behind a number, for leads and researchers."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate import access
from annotate.access import SignedInRequest
from annotate.label_forms import LabelsForm
from labeling import label_list, questions
from labeling.models import Label


@never_cache
@require_safe
@access.signed_in
def labels(request: SignedInRequest, slug: str) -> HttpResponse:
    """Accepted labels by rater, by what they say and by day; a fault in the address shows none."""
    campaign = access.campaign_for_staff(request.user, slug)
    form = LabelsForm(request.GET or None, campaign=campaign)
    page = None
    if not form.is_bound or form.is_valid():
        page = label_list.find(campaign, form.wanted())
    older = request.GET.copy()
    if page and page.older is not None:
        older["before"] = str(page.older)
    context = {
        "campaign": campaign,
        "form": form,
        "rows": [_row(label) for label in page.labels] if page else [],
        "page": page,
        "older": older.urlencode(),
        "stretch": label_list.STRETCH,
    }
    return render(request, "lead/labels.html", context, status=400 if form.errors else 200)


def _row(label: Label) -> dict[str, Any]:
    parts = label.question_version.parts
    return {
        "label": label,
        "says": questions.words_of(parts, label.answer, label.order),
        "prompt": label.comparison.prompt,
        "seconds": None if label.active_ms is None else label.active_ms / 1000,
    }
