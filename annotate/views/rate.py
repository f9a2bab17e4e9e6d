"""The rater's pages: the queue, the card, and what a rater does with a card.

Every act answers a browser without scripts (POST, redirect) and a script (the next card as a
fragment) alike. What is repeated, late or already answered is no error: the next card follows.
A script also names the cards that it shows or keeps ahead, in ``have``: they are not sent again.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, cards, language, recents, told
from annotate.access import SignedInRequest
from annotate.forms import AnswerForm, FlagForm, SkipForm, UndoForm
from annotate.views import wants_fragment
from labeling import (
    admission,
    asides,
    boundaries,
    card_questions,
    confirmations,
    conversations,
    flags,
    invitations,
    labels,
    leases,
    pay,
    seats,
    send_backs,
    spend,
    wording,
)
from labeling.models import (
    Assignment,
    Campaign,
    CardQuestion,
    Flag,
    Iteration,
    QuestionVersion,
    User,
)
from labeling.questions import InvalidAnswer

CONFIRM = "confirm-guidelines"
OFFERED = ("collecting", "talk")  # of what a campaign may wait for: its raters
LEAST_STEP, STEPS = 10, 20  # labels, and steps to its target, in which a count goes on


@never_cache
@require_safe
@access.signed_in
def queue(request: SignedInRequest) -> HttpResponse:
    """The campaigns open to this rater, with what is done and what is left."""
    access.require_role(request.user, "rater")
    rows = access.campaigns_for_rater(request.user).order_by("-created_at")
    sent_back = send_backs.counts(request.user)
    entries = [_entry(request.user, c, sent_back[c.pk]) for c in rows.exclude(state="closed")]
    promised = invitations.promised(request.user)
    for entry in entries:
        if entry["campaign"].pk in promised:
            entry["completed"] = invitations.completed(request.user, entry["campaign"])
    entries.sort(key=lambda entry: entry["waits"] not in OFFERED)  # what waits stands below
    context = {"entries": entries, "deadlines": spend.deadlines(c["campaign"] for c in entries)}
    return render(request, "rate/queue.html", context)


def _entry(rater: User, campaign: Campaign, sent_back: int) -> dict[str, Any]:
    """A campaign in the queue. What comes before work is offered whatever the models do."""
    work = seats.work(rater, campaign)
    waits = why_nothing(campaign)
    before = asides.progress(rater, campaign, work) if campaign.state == "open" else None
    if asides.has_failed(campaign, rater, work):
        waits = "not_passed"
    return {
        "campaign": campaign,
        "progress": _progress(campaign, work),
        "before": before,
        "waits": "collecting" if before else waits,
        "sent_back": sent_back,
    }


@never_cache
@require_safe
@access.signed_in
def card(request: SignedInRequest, slug: str) -> HttpResponse:
    """The next comparison for this rater, or the one already open in another tab."""
    campaign = access.campaign_for_rater(request.user, slug)
    if conversations.live_of(campaign):
        return redirect("talk-start", slug=slug)
    if not wants_fragment(request) and (asks := asks_first(request.user, campaign)):
        return redirect(asks, slug=slug)
    if first := _told_first(request.user, campaign):
        return _show(request, campaign, first)
    return _show(request, campaign, leases.hand(rater=request.user, campaign=campaign))


@never_cache
@require_safe
@access.signed_in
def ahead(request: SignedInRequest, slug: str) -> HttpResponse:
    """One card more than the browser has; 204 when it has enough or nothing is left."""
    campaign = access.campaign_for_rater(request.user, slug)
    if conversations.live_of(campaign):  # its raters talk with models, and are handed no cards
        return HttpResponse(status=204)
    hand = leases.hand(rater=request.user, campaign=campaign, have=_have(request.GET))
    if not hand.card:
        return HttpResponse(status=204)
    return _show(request, campaign, hand, tells=False)


@never_cache
@require_POST
@access.signed_in
def submit(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """Store an answer; the next card follows, the first that the browser does not have."""
    assignment = access.assignment_for_rater(request.user, public_id)
    campaign = assignment.comparison.campaign
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _go_on(request, campaign, form.sentence(), status=400)
    posted = request.POST.dict()
    try:
        answer = _answer(assignment, form.cleaned_data, posted)
        if not wants_fragment(request):
            labels.record_label(**answer)
            return redirect("card", slug=campaign.slug)
        hand = labels.record_and_claim(**answer, have=_have(request.POST))
    except confirmations.NotConfirmed as error:
        kept = cards.unsaved(assignment, answer["question"], posted)
        return _go_on(request, campaign, language.said_by(error), status=400, kept=kept)
    except InvalidAnswer as error:
        return _go_on(request, campaign, language.said_by(error), status=400)
    except labels.IdempotencyConflict as error:
        return _go_on(request, campaign, language.said_by(error), status=409)
    except labels.NotOpen:
        # Not 2xx: this answer, from another tab, is not stored, and 2xx promises that it is.
        said = _("That comparison already has your answer.")
        kept = cards.unsaved(assignment, answer["question"], posted)
        return _go_on(request, campaign, said, status=409, kept=kept)
    return _show(request, campaign, hand, last=assignment)


@never_cache
@require_POST
@access.signed_in
def skip(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    assignment = access.assignment_for_rater(request.user, public_id)
    campaign = assignment.comparison.campaign
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _go_on(request, campaign, form.sentence(), status=400)
    try:
        labels.skip(assignment=assignment, reason=form.cleaned_data["reason"])
    except labels.NotOpen:
        return _go_on(request, campaign, _("That comparison was already done."))
    return _go_on(request, campaign, _("Skipped."), last=assignment)


@never_cache
@require_POST
@access.signed_in
def flag(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """Say that something is wrong with a card, or take it back, without losing the place."""
    assignment = access.assignment_for_rater(request.user, public_id)
    takes_back = "take_back" in request.POST
    form = FlagForm({"code": request.POST["take_back"]} if takes_back else request.POST)
    if not form.is_valid():
        hand = _in_hand(request, assignment)
        return _show(request, assignment.comparison.campaign, hand, form.sentence(), 400)
    settle = flags.take_back if takes_back else labels.flag
    settle(assignment=assignment, code=form.cleaned_data["code"])
    if wants_fragment(request):
        context = {"assignment": public_id, **flags_of(assignment)}
        return render(request, "rate/_flags.html", context)
    return redirect("card", slug=assignment.comparison.campaign.slug)


@never_cache
@require_POST
@access.signed_in
def renew(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """The whole lease again, for a card that somebody is still reading. What is asked and told by
    now goes with it: cards that wait beside that one may be out of date."""
    assignment = access.assignment_for_rater(request.user, public_id)
    leases.renew(assignment)
    return HttpResponse(status=204, headers={"X-Wording": cards.wording(assignment.campaign)})


@never_cache
@require_POST
@access.signed_in
def release(request: SignedInRequest, public_id: uuid.UUID) -> HttpResponse:
    """Give a card back: the page is left, or its rater is."""
    leases.release(access.assignment_for_rater(request.user, public_id))
    return HttpResponse(status=204)


@never_cache
@require_POST
@access.signed_in
def undo(request: SignedInRequest, slug: str) -> HttpResponse:
    """The last answered or skipped card again, or the one of the last ten that is named."""
    campaign = access.campaign_for_rater(request.user, slug)
    form = UndoForm(request.POST)
    if not form.is_valid():
        return _go_on(request, campaign, form.sentence(), status=400)
    if not _may_see(request.user, campaign):  # it would bring a card: the answer stays
        return _go_on(request, campaign)
    try:
        assignment = labels.undo(rater=request.user, campaign=campaign, **form.cleaned_data)
    except labels.NotNewest:  # the second of two presses: what the first brought back is in hand
        return _go_on(request, campaign)
    except labels.NotOpen as error:
        return _go_on(request, campaign, language.said_by(error), status=409)
    if assignment is None:
        return _go_on(request, campaign, _("There is nothing to undo."))
    return _show(request, campaign, _in_hand(request, assignment), _("Taken back. Choose again."))


@never_cache
@require_safe
@access.signed_in
def recent(request: SignedInRequest, slug: str) -> HttpResponse:
    """The rater's last ten, each with what was said in words and a button that takes it back."""
    campaign = access.campaign_for_rater(request.user, slug)
    limits = boundaries.of(request.user, campaign, timezone.now())
    rows = recents.rows(labels.recent(request.user, campaign), campaign, limits)
    return render(request, "rate/_recent.html", {"campaign": campaign, "rows": rows})


@never_cache
@require_safe
@access.signed_in
def guidelines(request: SignedInRequest, slug: str) -> HttpResponse:
    campaign = access.campaign_for_rater(request.user, slug)
    template = "rate/_told.html" if wants_fragment(request) else "rate/guidelines.html"
    card_questions.seen(request.user, campaign)
    context = {
        "campaign": campaign,
        "html": cards.guidelines_html(campaign.guideline),
        "own": _answered(card_questions.own(request.user, campaign)),
        "shared": _answered(card_questions.shared(campaign)),
    }
    return render(request, template, context)


def _answered(rows: Sequence[CardQuestion]) -> list[dict[str, Any]]:
    return [{"row": row, "html": cards.answer_html(row.answer)} for row in rows]


def _go_on(
    request: SignedInRequest,
    campaign: Campaign,
    note: str = "",
    status: int = 200,
    last: Assignment | None = None,
    kept: Sequence[str] = (),
) -> HttpResponse:
    """The next card after an act: as a fragment, or by a redirect without scripts."""
    if not wants_fragment(request) and status == 200:
        return redirect("card", slug=campaign.slug)
    try:
        hand = leases.hand(rater=request.user, campaign=campaign, have=_have(request.POST))
    except leases.NoCards as error:
        note = f"{note} {language.said_by(error)}".strip()
        hand = leases.Hand(None, seats.work(request.user, campaign))
    return _show(request, campaign, hand, note, status, last, kept)


def _in_hand(request: SignedInRequest, assignment: Assignment) -> leases.Hand:
    """The same card again; none where its rater drew a line since, in another tab say, or a rule
    of the campaign did."""
    campaign = assignment.comparison.campaign
    limits = boundaries.of(request.user, campaign, timezone.now())
    may_see = limits is None or limits.may_see(assignment.comparison.prompt)
    card = assignment if may_see and _may_see(request.user, campaign) else None
    return leases.Hand(card, seats.work(request.user, campaign))


def _told_first(rater: User, campaign: Campaign) -> leases.Hand | None:
    """An empty hand while there is something to be read before the next card."""
    if not asides.are_in_use(campaign, rater):
        return None
    work = seats.work(rater, campaign)
    news = told.pending(rater, campaign, work, at_work=False)
    return leases.Hand(None, work) if news else None


def _may_see(rater: User, campaign: Campaign) -> bool:
    """Whether cards may be shown, where the campaign asks for something first."""
    return not asks_first(rater, campaign)


def asks_first(rater: User, campaign: Campaign) -> str:
    """The page that asks for the project's consent, for the campaign's, or to confirm what its
    guidelines say; "" for none."""
    if admission.bar(rater, campaign):
        return "consent"
    limits = boundaries.of(rater, campaign, timezone.now())
    if limits is not None and not limits.consented:
        return "care"
    return CONFIRM if confirmations.is_pending_now(rater, campaign) else ""


def _have(sent: QueryDict) -> set[uuid.UUID]:
    """The assignments that a browser says it has. What is no id says nothing."""
    found = set()
    for name in sent.get("have", "").split(",")[: leases.MOST]:
        with contextlib.suppress(ValueError):
            found.add(uuid.UUID(name))
    return found


def _show(
    request: SignedInRequest,
    campaign: Campaign,
    hand: leases.Hand,
    note: str = "",
    status: int = 200,
    last: Assignment | None = None,
    kept: Sequence[str] = (),
    tells: bool = True,
) -> HttpResponse:
    """``kept`` are typed texts that could not be stored: they are handed back to be copied. What
    a rater is told about an answer comes before the next card, unless that is fetched ahead."""
    collecting = hand.card and hand.is_new and hand.card.comparison.iteration
    context: dict[str, Any] = {
        "campaign": campaign,
        "note": note,
        "kept": kept,
        "wording": cards.wording(campaign),
        "progress": _progress(campaign, hand.work, collecting or None),
        "last": last.public_id if last else labels.newest(request.user, campaign),
    }
    at_work = hand.card is not None
    news = told.pending(request.user, campaign, hand.work, at_work=at_work) if tells else {}
    if news:
        context |= {**news, "told": True}
    elif hand.card is None:
        context |= _nothing(request.user, campaign)
    else:
        refused = _refused(request, hand.card)
        context |= {
            "card": cards.build(hand.card, _question(campaign), refused),
            "sent_back": send_backs.asked(hand.card),
            "skip_reasons": Assignment.SKIP_REASONS,
            "item": asides.place_of(hand.card),
            **flags_of(None if hand.is_new else hand.card),
        }
    template = "rate/_fragment.html" if wants_fragment(request) else "rate/card.html"
    return render(request, template, context, status=status)


def _progress(
    campaign: Campaign, work: seats.Work, collecting: Iteration | None = None
) -> dict[str, Any]:
    """The rater's own, and the campaign's."""
    mine = {
        "mine": work.answered,
        "earned": pay.earned(campaign, work),
        "answers": work.answers_unread,
    }
    return {**mine, **_coarse(campaign, labels.collected(campaign, collecting))}


def _coarse(campaign: Campaign, counted: dict[str, int]) -> dict[str, int]:
    """The campaign's count as it is, or in whole steps where gold or repeats hide among its cards:
    a count that stood still after an answer would tell its rater which they were."""
    done, target = counted["campaign_done"], counted["campaign_target"]
    if not (campaign.gold_share or campaign.repeat_share) or done >= target:
        return counted
    return {**counted, "campaign_done": done - done % max(LEAST_STEP, target // STEPS)}


def _refused(request: HttpRequest, assignment: Assignment) -> dict[str, str] | None:
    """What was sent for this card and not stored: it is put back where it stood."""
    match = request.resolver_match
    sent = match and match.url_name == "submit" and match.kwargs["public_id"]
    return request.POST.dict() if sent == assignment.public_id else None


def _question(campaign: Campaign) -> QuestionVersion:
    """access.py shows raters no campaign without one."""
    if campaign.question is None:
        raise Http404
    return campaign.question


def _answer(
    assignment: Assignment, said: dict[str, Any], posted: dict[str, str]
) -> dict[str, Any]:
    """What is to be recorded, under what the card asked and told. Raises InvalidAnswer."""
    shown = wording.shown_on(assignment, asked=said["asked"], told=said["told"])
    return {
        "assignment": assignment,
        "question": shown.question,
        "guideline": shown.guideline,
        "parts": cards.answer_of(shown.question, posted),
        **{name: said[name] for name in ("idempotency_key", "active_ms", "layout")},
    }


def flags_of(assignment: Assignment | None) -> dict[str, Any]:
    """What may be flagged, and what was. None: of a card that nobody has seen yet."""
    said: set[str] = set()
    if assignment is not None:
        said.update(assignment.flags.filter(resolved_at=None).values_list("code", flat=True))
    return {
        "flag_codes": [(code, label, code in said) for code, label in Flag.CODES],
        "flagged": [label for code, label in Flag.CODES if code in said],
    }


def _nothing(rater: User, campaign: Campaign) -> dict[str, Any]:
    """Why there is no card for this rater, their own limits included."""
    waits = why_nothing(campaign)
    completed = invitations.completed(rater, campaign)
    work = seats.work(rater, campaign)
    if asides.has_failed(campaign, rater, work):
        return {"waits": "not_passed", "completed": completed}
    if waits != "collecting":
        return {"waits": waits, "completed": completed}
    now = timezone.now()
    limits = boundaries.of(rater, campaign, now)
    room = admission.room(rater, campaign, work.answered, 0, now)
    if why := admission.bar(rater, campaign):
        waits = {"groups": "others", "consent": "agree"}[why]
    elif limits and not limits.consented:
        waits = "consent"
    elif confirmations.is_pending(rater, campaign, work):
        waits = "confirm"
    elif limits and limits.resumes_at:
        waits = "limit"
    elif room.limit:
        waits = f"most_{room.limit}"
    return {"waits": waits, "limits": limits, "room": room, "completed": completed}


def why_nothing(campaign: Campaign) -> str:
    """A key of the template's sentences: why there is no card now, and when more comes."""
    if campaign.state != "open":
        return campaign.state
    if conversations.live_of(campaign):
        return _why_no_talk(campaign)
    newest = campaign.iterations.order_by("-number").first()
    if newest is None:
        return "none"
    return "paused" if newest.paused_at else newest.state


def _why_no_talk(campaign: Campaign) -> str:
    try:
        conversations.check_models(campaign)
    except conversations.NotNow:
        return "models"
    return "talk"
