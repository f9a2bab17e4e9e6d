"""The rater's pages where models are live: a conversation, an arena, a red team's session.

Every act answers a browser without scripts (POST, redirect) and talk.js (the talk as a fragment)
alike. While a reply is written the fragment asks for itself again, four times a second.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, cards, language, talks
from annotate.access import SignedInRequest
from annotate.forms import AnswerForm, FlagForm, LeaveForm, SayForm
from annotate.views import wants_fragment
from annotate.views.rate import CONFIRM, asks_first, flags_of, why_nothing
from labeling import confirmations, conversations, flags, pay, seats, turns, wording
from labeling.conversations import NotNow
from labeling.labels import IdempotencyConflict, NotOpen
from labeling.models import Conversation
from labeling.questions import InvalidAnswer
from models_runtime.states import StaleState

Act = Callable[[SignedInRequest, uuid.UUID], HttpResponse]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def start(request: SignedInRequest, slug: str) -> HttpResponse:
    """The talk that the rater is in, or the page that begins one; posted to, it begins it."""
    campaign = access.campaign_for_rater(request.user, slug)
    if asks := asks_first(request.user, campaign):
        return redirect(asks, slug=slug)
    note, status = "", 200
    if request.method == "POST":
        try:
            conversations.begin(rater=request.user, campaign=campaign)
        except NotNow as error:
            note, status = language.said_by(error), 409
    if talk := conversations.current(request.user, campaign):
        return redirect("talk", public_id=talk.public_id)
    form = conversations.live_of(campaign)
    if form is None:
        return redirect("card", slug=slug)
    waits = why_nothing(campaign)
    context = {"campaign": campaign, "form": form, "note": note, "waits": waits}
    return render(request, "talk/start.html", context, status=status)


def _of_a_talk(view: Callable[[SignedInRequest, Conversation], HttpResponse]) -> Act:
    """The rater's own talk, which waits for them from now on; while they do not consent to what
    it shows, or have guidelines to confirm, the page that asks."""

    @functools.wraps(view)
    def act(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
        held = access.conversation_for_rater(request.user, public_id)
        conversations.keep(held)
        asks = asks_first(request.user, held.campaign)
        # New guidelines take nobody's words away: who writes is told so by what refuses to go on.
        writes = request.method == "POST" or wants_fragment(request)
        if not asks or (asks == CONFIRM and writes):
            return view(request, held)
        page = reverse(asks, args=[held.campaign.slug])
        if not wants_fragment(request):
            return redirect(page)
        return HttpResponse(status=403, headers={"HX-Redirect": page})

    return act


@never_cache
@require_safe
@access.signed_in
@_of_a_talk
def talk(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """The whole page; to a page that waits for a reply, as long as it does, the last exchange."""
    if request.headers.get("HX-Target") != "last":
        return _show(request, held)
    page = talks.build(held, only_last=True)
    if page.stage == "waiting":
        return render(request, "talk/_last.html", {"page": page})
    response = _show(request, held)
    response.headers["HX-Retarget"] = "#talk"
    return response


@never_cache
@require_POST
@access.signed_in
@_of_a_talk
def say(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """Store the rater's message; the models are asked by another process."""
    form = SayForm(request.POST)
    if not form.is_valid():
        return _show(request, held, form.sentence(), 400)
    return _act(request, held, lambda: turns.say(talk=held, **form.cleaned_data))


@never_cache
@require_POST
@access.signed_in
@_of_a_talk
def judge(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """Judge the pair in hand, or vote in an arena."""
    return _answer(request, held, turns.judge)


@never_cache
@require_POST
@access.signed_in
@_of_a_talk
def rate(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """Rate a red team's session as a whole."""
    return _answer(request, held, turns.rate)


@never_cache
@require_POST
@access.signed_in
@_of_a_talk
def undo(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """The last pair again, while nothing was said after it."""
    return _act(request, held, lambda: turns.take_back(talk=held))


@never_cache
@require_POST
@access.signed_in
@_of_a_talk
def again(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """Ask for the replies that failed once more."""
    return _act(request, held, lambda: turns.ask_again(talk=held))


@never_cache
@require_POST
@access.signed_in
@_of_a_talk
def flag(request: SignedInRequest, held: Conversation) -> HttpResponse:
    """Say that something is wrong with what is shown, or take it back; nothing else changes."""
    takes_back = "take_back" in request.POST
    form = FlagForm({"code": request.POST["take_back"]} if takes_back else request.POST)
    if not form.is_valid():
        return _show(request, held, form.sentence(), 400)
    settle = _take_flag_back if takes_back else turns.flag
    try:
        settle(talk=held, code=form.cleaned_data["code"])
    except NotNow as error:
        return _show(request, held, language.said_by(error), 409)
    if not wants_fragment(request):
        return redirect("talk", public_id=held.public_id)
    context = {"action": reverse("talk-flag", args=[held.public_id]), **_flags(held)}
    return render(request, "rate/_flags.html", context)


@never_cache
@require_POST
@access.signed_in
def end(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """No more turns; with a reason, at once and without another judgement."""
    held = access.conversation_for_rater(request.user, public_id)
    form = LeaveForm(request.POST)
    if not form.is_valid():
        return _show(request, held, form.sentence(), 400)
    if reason := form.cleaned_data["reason"]:
        return _act(request, held, lambda: conversations.leave(talk=held, reason=reason))
    return _act(request, held, lambda: conversations.finish(talk=held))


def _take_flag_back(*, talk: Conversation, code: str) -> None:
    if assignment := conversations.judgement_of(talk):
        flags.take_back(assignment=assignment, code=code)


def _flags(held: Conversation) -> dict[str, Any]:
    """What may be flagged, and what was of the newest pair or the session."""
    return flags_of(conversations.judgement_of(held))


def _answer(
    request: SignedInRequest, held: Conversation, service: Callable[..., Any]
) -> HttpResponse:
    form = AnswerForm(request.POST)
    if not form.is_valid() or held.question is None:
        return _show(request, held, form.sentence(), 400)
    told = form.cleaned_data["told"]
    sent = {
        "parts": cards.answer_of(held.question, request.POST.dict()),
        "idempotency_key": form.cleaned_data["idempotency_key"],
        "active_ms": form.cleaned_data["active_ms"],
        "layout": form.cleaned_data["layout"],
    }

    def store() -> None:
        service(talk=held, guideline=wording.told_in(held, told), **sent)

    return _act(request, held, store)


def _act(
    request: SignedInRequest, held: Conversation, service: Callable[[], object]
) -> HttpResponse:
    """What was done, or in one sentence why it was not."""
    try:
        service()
    except InvalidAnswer as error:
        return _show(request, held, language.said_by(error), 400)
    except (NotNow, NotOpen, IdempotencyConflict) as error:
        return _show(request, held, language.said_by(error), 409)
    except StaleState:  # its sentence is for a log, and names a row
        said = _("Something else happened here at the same moment. Look, and try again.")
        return _show(request, held, said, 409)
    if not wants_fragment(request):
        return redirect("talk", public_id=held.public_id)
    return _show(request, access.conversation_for_rater(request.user, held.public_id))


def _show(
    request: SignedInRequest, held: Conversation, note: str = "", status: int = 200
) -> HttpResponse:
    """``status`` is not 200 where something was refused: what was sent is given back."""
    refused = request.POST.dict() if status != 200 else {}
    page = talks.build(held, refused=refused)
    context = {
        "campaign": held.campaign,
        "page": page,
        "note": note,
        "kept": _unsent(page, refused),
        "confirms": confirmations.is_pending_now(held.rater, held.campaign),
        "earned": _earned(held),
        "leave_reasons": Conversation.LEAVE_REASONS,
        **_flags(held),
    }
    template = "talk/_talk.html" if wants_fragment(request) else "talk/talk.html"
    return render(request, template, context, status=status)


def _earned(held: Conversation) -> pay.Earned | None:
    """Asked of the database only where it is shown."""
    if not pay.is_shown(held.campaign):
        return None
    return pay.earned(held.campaign, seats.work(held.rater, held.campaign))


def _unsent(page: talks.Page, refused: dict[str, str]) -> list[str]:
    """A message that was refused where none can be written any more; elsewhere it stands in its
    field, from where the browser sent it."""
    text = refused.get("text", "").strip()
    return [text] if text and page.stage != "talking" else []
