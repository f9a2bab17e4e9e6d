"""Questions about cards: asked by raters without losing the card, answered by leads."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, cards, language
from annotate.access import SignedInRequest
from annotate.cards import LETTERS, Side
from annotate.question_forms import AnswerForm, AskForm
from annotate.views import wants_fragment
from labeling import card_questions
from labeling.campaigns import CannotRevise
from labeling.models import Campaign, CardQuestion, Completion

A_PAGE = 20


@dataclass(frozen=True)
class Asked:
    """A question with the card as its rater saw it."""

    row: CardQuestion
    turns: list[dict[str, str]]
    sides: list[Side]
    html: str
    form: AnswerForm | None = None


@never_cache
@require_POST
@access.signed_in
def ask(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask about the card in hand: a script gets the menu back, and the card stays."""
    assignment = access.assignment_for_rater(request.user, public_id)
    form = AskForm(request.POST)
    problem, said = "", ""
    if not form.is_valid():
        problem = form.sentence()
    else:
        try:
            card_questions.ask(assignment=assignment, text=form.cleaned_data["text"])
            said = _("Asked. Your lead's answer comes under Guidelines.")
        except card_questions.NotPossible as error:
            problem = language.said_by(error)
    if not wants_fragment(request):
        messages.add_message(request, messages.ERROR if problem else messages.SUCCESS,
                             problem or said)  # fmt: skip
        return redirect("card", slug=assignment.campaign.slug)
    context = {
        "assignment": public_id,
        "problem": problem,
        "asked": said,
        "typed": request.POST.get("text", "") if problem else "",
    }
    return render(request, "rate/_ask.html", context, status=400 if problem else 200)


@never_cache
@require_safe
@access.signed_in
def questions(request: SignedInRequest, slug: str) -> HttpResponse:
    """What waits for an answer, or ?answered=yes: what was answered."""
    campaign = access.campaign_for_lead(request.user, slug)
    return _page(request, campaign)


@never_cache
@require_POST
@access.signed_in
def answer(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    row = access.card_question_for_lead(request.user, slug, public_id)
    form = AnswerForm(request.POST, auto_id=f"id_{row.pk}_%s")
    if form.is_valid():
        try:
            done = card_questions.answer(question=row, reply=form.reply(), actor=request.user)
        except (card_questions.NotPossible, CannotRevise) as error:
            form.add_error(None, language.said_by(error))
        else:
            if done:
                messages.success(request, _("Answered: raters are told on their next card."))
            else:
                messages.info(request, _("Somebody has answered it already."))
            return redirect("card-questions", slug=slug)
    return _page(request, row.campaign, {row.pk: form})


@never_cache
@require_POST
@access.signed_in
def unshare(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """Take an answer back from everybody but the one who asked."""
    row = access.card_question_for_lead(request.user, slug, public_id)
    if card_questions.unshare(question=row, actor=request.user):
        messages.success(request, _("Only the one who asked reads it now."))
    return redirect("card-questions", slug=slug)


def _page(
    request: SignedInRequest, campaign: Campaign, sent: dict[int, AnswerForm] | None = None
) -> HttpResponse:
    """A form that was sent and is not right yet is shown as it was sent."""
    is_answered = request.GET.get("answered") == "yes"
    rows = (card_questions.answered if is_answered else card_questions.unanswered)(campaign)
    rows = rows.select_related(
        "rater", "answered_by", "guideline", "assignment__comparison__prompt"
    )
    page = Paginator(rows, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "is_answered": is_answered,
        "query": "answered=yes" if is_answered else "",
        "page": page,
        "rows": _asked(campaign, page, {} if is_answered else sent or {}, is_answered),
        "open_count": card_questions.unanswered(campaign).count(),
    }
    return render(request, "lead/card_questions.html", context, status=400 if sent else 200)


def _asked(
    campaign: Campaign, page: Page, sent: dict[int, AnswerForm], is_answered: bool
) -> list[Asked]:
    """With the texts of all their cards in one query."""
    rows: list[CardQuestion] = list(page.object_list)
    texts = Completion.objects.in_bulk({pk for row in rows for pk in row.assignment.order})
    found = []
    for row in rows:
        shown = zip(LETTERS, row.assignment.order, strict=False)
        sides = [cards.side(letter, texts[pk]) for letter, pk in shown]
        turns = cards.turns(row.assignment.comparison.prompt.messages)
        form = None if is_answered else sent.get(row.pk) or AnswerForm(auto_id=f"id_{row.pk}_%s")
        found.append(Asked(row, turns, sides, cards.answer_html(row.answer), form))
    return found
