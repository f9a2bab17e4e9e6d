"""What raters type: shown to them as others will see it, and to leads to be read."""

from __future__ import annotations

import re

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access
from annotate.access import SignedInRequest
from labeling import rendering, typed_texts
from labeling.questions import texts

_NUMBER = re.compile(r"[0-9]{1,18}")  # as an id: another address shows the newest


@never_cache
@require_POST
@access.signed_in
def preview_text(request: SignedInRequest, slug: str) -> HttpResponse:
    """The text of the field that ``preview`` names, rendered as a completion is; not stored."""
    access.campaign_for_rater(request.user, slug)
    text = request.POST.get(request.POST.get("preview", ""), "")
    html = rendering.render(texts.cleaned(text[: texts.LONGEST]))
    return render(request, "rate/_preview.html", {"html": html})


@never_cache
@require_safe
@access.signed_in
def campaign_texts(request: SignedInRequest, slug: str) -> HttpResponse:
    """What raters typed in a campaign, the newest first, for its leads and researchers."""
    campaign = access.campaign_for_staff(request.user, slug)
    before = request.GET.get("before", "")
    texts, older = typed_texts.newest(campaign, int(before) if _NUMBER.fullmatch(before) else None)
    rows = list(typed_texts.rows(campaign, texts))
    return render(request, "lead/texts.html", {"campaign": campaign, "older": older, "rows": rows})
