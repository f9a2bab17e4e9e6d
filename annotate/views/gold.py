"""Making an item and correcting one: a lead answers with the question's own instruments, says how
others are judged by it, and why it is so."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import access, cards, language
from annotate.access import SignedInRequest
from annotate.check_forms import GoldForm, fields_of
from labeling import contests, gold, questions
from labeling.gold import Expected, Key
from labeling.models import Campaign, Comparison, Completion, Contest, Gold, QuestionVersion
from labeling.questions import InvalidAnswer, Parts
from models_runtime.phrases import phrase
from models_runtime.states import StaleState


@dataclass(frozen=True)
class _Sheet:
    """What a lead answers: a comparison, its completions in their canonical order, and those
    parts of the question that something can be expected of."""

    comparison: Comparison
    question: QuestionVersion
    parts: Parts
    shown: list[Completion]

    @property
    def ids(self) -> list[int]:
        return [completion.pk for completion in self.shown]

    def expected(self, posted: dict[str, str]) -> Expected:
        """Raises InvalidAnswer."""
        raw = questions.raw_parts(self.parts, posted)
        texts = {completion.pk: completion.text for completion in self.shown}
        return gold.expected_of(self.question, raw, self.ids, texts)

    def card(self, given: dict[str, dict[str, str]]) -> cards.Card:
        asked = {key: {**part, "required": False} for key, part in self.parts.items()}
        question = QuestionVersion(number=1, text=self.question.text, parts=asked)
        said = [completion.text for completion in self.shown]
        return cards.sample(question, self.comparison.prompt.messages, said, given)

    def given(self, expected: Expected) -> dict[str, dict[str, str]]:
        return questions.given(self.parts, {"parts": expected}, self.ids)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def new_gold(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """An item made of a comparison; it begins with what everybody answered, where they did."""
    comparison = access.work_for_lead(request.user, slug, pk)
    campaign = comparison.campaign
    sheet = _sheet(campaign, comparison)
    if request.method == "POST":
        form = GoldForm(request.POST, parts=sheet.parts)
        return _save(request, campaign, sheet, form, lambda key: _add(request, sheet, form, key))
    label = gold.answered_by_all(comparison)
    known = _judged(sheet, label.answer["parts"]) if label else {}
    form = GoldForm(initial={"purpose": "gold", **fields_of({}, sheet.parts)}, parts=sheet.parts)
    return _page(request, campaign, sheet, form, sheet.given(known), agreed=bool(known))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def edit_gold(request: SignedInRequest, slug: str, public_id: uuid.UUID) -> HttpResponse:
    """An item corrected: all answers to it are marked anew. ?contest=N upholds that objection."""
    item = access.gold_for_lead(request.user, slug, public_id)
    campaign = item.campaign
    sheet = _sheet(campaign, item.comparison)
    contest = _contest(request, item)
    if request.method == "POST":
        data = {**request.POST.dict(), "purpose": item.purpose}
        form = GoldForm(data, parts=sheet.parts)
        return _save(
            request,
            campaign,
            sheet,
            form,
            lambda key: _revise(request, item, contest, key),
            item=item,
            contest=contest,
        )
    known = _judged(sheet, item.expected)
    initial = {
        "purpose": item.purpose,
        "explanation": item.explanation,
        **fields_of(item.rules, sheet.parts),
    }
    form = GoldForm(initial=initial, parts=sheet.parts)
    return _page(request, campaign, sheet, form, sheet.given(known), item=item, contest=contest)


def _sheet(campaign: Campaign, comparison: Comparison) -> _Sheet:
    question = campaign.question
    if question is None:
        raise Http404
    ids = [pk for _comparison, pk in gold.shown([comparison.pk])]
    found = Completion.objects.in_bulk(ids)
    return _Sheet(comparison, question, gold.judged_parts(question), [found[pk] for pk in ids])


def _judged(sheet: _Sheet, parts: dict[str, Any]) -> Expected:
    return {key: part for key, part in parts.items() if key in sheet.parts}


def _save(
    request: SignedInRequest,
    campaign: Campaign,
    sheet: _Sheet,
    form: GoldForm,
    act: Any,
    **shown: Any,
) -> HttpResponse:
    """Nothing that was filled in is lost by a fault."""
    given = questions.raw_parts(sheet.parts, request.POST.dict())
    if not form.is_valid():
        return _page(request, campaign, sheet, form, given, status=400, **shown)
    try:
        expected = sheet.expected(request.POST.dict())
        rules = form.rules(expected)
        act(Key(_only(expected, rules), rules, form.cleaned_data["explanation"]))
    except (InvalidAnswer, ValueError) as error:
        form.add_error(None, language.said_by(error))
        return _page(request, campaign, sheet, form, given, status=400, **shown)
    except StaleState:
        messages.info(request, _("Somebody has decided that meanwhile."))
    return redirect("campaign-checks", slug=campaign.slug)


def _only(expected: Expected, rules: dict[str, Any]) -> Expected:
    """What is not judged is expected of nobody."""
    return {key: part for key, part in expected.items() if key in rules}


def _add(request: SignedInRequest, sheet: _Sheet, form: GoldForm, key: Key) -> None:
    purpose = form.cleaned_data["purpose"]
    gold.add(comparison=sheet.comparison, purpose=purpose, key=key, actor=request.user)
    messages.success(request, _("The item is there."))


def _revise(request: SignedInRequest, item: Gold, contest: Contest | None, key: Key) -> None:
    if contest is None:
        changed = gold.revise(gold=item, key=key, actor=request.user)
    else:
        reason = request.POST.get("reason", "")
        changed = contests.uphold_corrected(
            contest=contest, key=key, reason=reason, actor=request.user
        )
    said = ngettext(
        "Saved; %(n)d answer came out otherwise.",
        "Saved; %(n)d answers came out otherwise.",
        changed,
    )
    messages.success(request, said % {"n": changed})


def _contest(request: SignedInRequest, item: Gold) -> Contest | None:
    """The open objection to this item that is named, if one is."""
    named = request.GET.get("contest", "")
    if not named.isdecimal() or len(named) > 18:
        return None
    return Contest.objects.filter(pk=int(named), result__gold=item, state="open").first()


def _page(
    request: SignedInRequest,
    campaign: Campaign,
    sheet: _Sheet,
    form: GoldForm,
    given: dict[str, dict[str, str]],
    *,
    item: Gold | None = None,
    contest: Contest | None = None,
    agreed: bool = False,
    status: int = 200,
) -> HttpResponse:
    context = {
        "campaign": campaign,
        "form": form,
        "card": sheet.card(given),
        "question": sheet.question,
        "item": item,
        "contest": contest,
        "agreed": agreed,
        "nothing": NOTHING if not sheet.parts else "",
        "refused": "" if item else gold.refusal(sheet.comparison),
    }
    return render(request, "lead/gold.html", context, status=status)


NOTHING = phrase("This question has no part whose answer can be known: what is typed is not.")
