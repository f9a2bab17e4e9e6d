"""A lead's review: comparisons that want a decision, and what is decided about each."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, cards, disputed, language
from annotate.access import SignedInRequest
from annotate.review_forms import MASK, DecisionForm, MaskForm, SendBackForm, texts_in
from labeling import adjudications, consents, disputes, redactions, send_backs
from labeling.disputes import REASONS
from labeling.models import Campaign, Comparison, Dispute
from labeling.questions import InvalidAnswer
from models_runtime.phrases import phrase

PAGE = 50
DECIDED, SENT_BACK = "decided", "sent-back"
LISTS = {
    "": phrase("All that wait"),
    **REASONS,
    SENT_BACK: phrase("Sent back"),
    DECIDED: phrase("Decided"),
}


@never_cache
@require_safe
@access.signed_in
def review(request: SignedInRequest, slug: str) -> HttpResponse:
    """The queue, the worst first; ?why= one reason, what was sent back, or what is decided."""
    campaign = access.campaign_for_lead(request.user, slug)
    why = request.GET.get("why", "")
    why = why if why in LISTS else ""
    page = Paginator(_rows(campaign, why), PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "lists": LISTS,
        "why": why,
        "page": page,
        "decided": why == DECIDED,
        "sent_back": why == SENT_BACK,
        "rows": _disputes(page) if why not in (DECIDED, SENT_BACK) else list(page),
    }
    return render(request, "lead/review.html", context)


@never_cache
@require_safe
@access.signed_in
def review_item(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """One comparison: what was shown, what each rater said, and what to do about it."""
    comparison = access.comparison_for_lead(request.user, slug, pk)
    return _item(request, comparison)


@never_cache
@require_POST
@access.signed_in
def decide(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """One of the decisions; the next comparison that waits follows."""
    comparison = access.comparison_for_lead(request.user, slug, pk)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _item(request, comparison, form.sentence())
    try:
        adjudications.decide(
            comparison=comparison,
            kind=form.cleaned_data["kind"],
            actor=request.user,
            text=form.cleaned_data["text"],
            more=form.cleaned_data["more"] or 0,
            parts=_parts(request, comparison.campaign),
        )
    except (adjudications.NotPossible, InvalidAnswer) as error:
        return _item(request, comparison, language.said_by(error))
    messages.success(request, _("Decided. It can be taken back under “Decided”."))
    following = disputes.of(comparison.campaign).first()
    if following is None:
        return redirect("review", slug=slug)
    return redirect("review-item", slug=slug, pk=following.comparison_id)


@never_cache
@require_POST
@access.signed_in
def undo_decision(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Take back the decision that stands. Of two presses one does."""
    comparison = access.comparison_for_lead(request.user, slug, pk)
    row = adjudications.standing(comparison)
    if row is None or adjudications.undo(adjudication=row, actor=request.user) is None:
        messages.info(request, _("No decision stands here."))
    else:
        messages.success(request, _("Taken back: the comparison is as it was before."))
    return redirect("review-item", slug=slug, pk=pk)


@never_cache
@require_POST
@access.signed_in
def send_back(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Ask a rater to look again."""
    comparison = access.comparison_for_lead(request.user, slug, pk)
    form = SendBackForm(request.POST)
    if not form.is_valid():
        return _item(request, comparison, form.sentence())
    label = access.label_of(comparison, form.cleaned_data["label"])
    try:
        send_backs.send_back(label=label, text=form.cleaned_data["text"], actor=request.user)
    except send_backs.NotPossible as error:
        return _item(request, comparison, language.said_by(error))
    messages.success(request, _("Sent back: the rater sees it as their next card."))
    return redirect("review-item", slug=slug, pk=pk)


@never_cache
@require_POST
@access.signed_in
def take_send_back(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Have the answer that was sent back count again."""
    row = access.send_back_for_lead(request.user, slug, pk)
    try:
        if send_backs.take_back(row=row, actor=request.user):
            messages.success(request, _("The answer counts again, as it was."))
        else:
            messages.info(request, _("The rater has answered since: their new answer stays."))
    except send_backs.NotPossible as error:
        messages.error(request, language.said_by(error))
    return redirect("review-item", slug=slug, pk=row.label.comparison_id)


@never_cache
@require_POST
@access.signed_in
def redact(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Replace texts by those without personal data."""
    comparison = access.comparison_for_lead(request.user, slug, pk)
    texts = texts_in(request.POST.dict())
    if request.POST.get("act") == "preview":
        return _masked(request, comparison, texts)
    try:
        redactions.redact(comparison=comparison, texts=texts, actor=request.user)
    except redactions.NotPossible as error:
        return _item(request, comparison, language.said_by(error), texts)
    messages.success(
        request, _("Replaced. Snapshots that hold the old words are looked for and say so.")
    )
    return redirect("review-item", slug=slug, pk=pk)


def _masked(
    request: SignedInRequest, comparison: Comparison, texts: dict[str, str]
) -> HttpResponse:
    """The page with every match masked in its fields, and what that changes; nothing is stored."""
    form = MaskForm(request.POST)
    if not form.is_valid():
        return _item(request, comparison, form.sentence(), texts)
    found = {
        name: redactions.mask(text, form.lines(), form.instead()) for name, text in texts.items()
    }
    if not any(count for _text, count in found.values()):
        return _item(request, comparison, _("None of this stands in the texts."), texts)
    return _item(request, comparison, texts={name: text for name, (text, _n) in found.items()})


def _passages(comparison: Comparison, texts: dict[str, str] | None) -> list[dict[str, Any]]:
    """Each text with what is in its field: as it stands, or as it was sent or masked."""
    sent = texts or {}
    rows = [(one, sent.get(one.name, one.text)) for one in redactions.passages(comparison)]
    return [
        {
            "row": one,
            "text": text,
            "changes": consents.changes(one.text, text.replace("\r\n", "\n")),
        }
        for one, text in rows
    ]


def _item(
    request: SignedInRequest,
    comparison: Comparison,
    refused: str = "",
    texts: dict[str, str] | None = None,
) -> HttpResponse:
    campaign, question = comparison.campaign, comparison.campaign.question
    dispute = Dispute.objects.filter(comparison=comparison).first()
    standing = adjudications.standing(comparison)
    is_card = comparison.conversation_id is None and comparison.purpose == "work"
    asked = bool(question) and is_card
    context = {
        "campaign": campaign,
        "comparison": comparison,
        "question": question,
        "card": disputed.card_of(comparison, request.user, question) if question else None,
        "may_answer": asked and standing is None,
        "is_card": is_card,
        "said": disputed.said(comparison),
        "sent_back": send_backs.open_of(campaign).filter(label__comparison=comparison),
        "reasons": disputed.reasons(dispute),
        "flags": comparison.flags.filter(resolved_at=None).select_related("rater"),
        "is_personal": comparison.state == "withdrawn",
        "standing": standing,
        "passages": _passages(comparison, texts),
        "edits": texts is not None,
        "mask": MASK,
        "redactions": redactions.of(comparison),
        "most_more": adjudications.MOST_MORE,
        "refused": refused,
        "sent": request.POST,
        "following": disputes.of(campaign).exclude(comparison=comparison).first(),
    }
    return render(request, "lead/review_item.html", context, status=400 if refused else 200)


def _rows(campaign: Campaign, why: str) -> Any:
    if why == DECIDED:
        return adjudications.of(campaign)
    if why == SENT_BACK:
        return send_backs.open_of(campaign).select_related("label__comparison__prompt")
    return disputes.of(campaign, why).select_related("comparison__prompt")


def _disputes(page: Any) -> list[dict[str, Any]]:
    rows = list(page)
    labels = disputed.labels([row.comparison for row in rows])
    return [
        {"row": row, "reasons": disputed.reasons(row), "labels": labels[row.comparison_id]}
        for row in rows
    ]


def _parts(request: SignedInRequest, campaign: Campaign) -> dict[str, Any]:
    question = campaign.question
    return cards.answer_of(question, request.POST.dict()) if question else {}
