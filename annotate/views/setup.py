"""A new campaign in one form, and its card as a rater will see it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotate import access, cards, language
from annotate.access import SignedInRequest
from annotate.campaign_forms import (
    FIRST,
    CampaignForm,
    preset_fields,
    preset_parts,
    typed_fields,
)
from annotate.part_forms import PartForms, changed
from annotate.views.lead import has_models, import_prompts
from labeling import campaigns, care, conversations, pay, presets, questions
from labeling.models import Campaign, QuestionVersion
from labeling.questions import live


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def new_campaign(request: SignedInRequest) -> HttpResponse:
    """One page, no markup language: a draft campaign with its prompts. A press that changes the
    form (``act``) brings the page back with everything that was typed."""
    access.require_role(request.user, "lead")
    if request.method != "POST":
        return _page(request, CampaignForm(request.user))
    act = request.POST.get("act", "")
    if act and act != "preview":
        return _page(request, _changed(request, act))
    form = CampaignForm(request.user, request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    if act == "preview":
        return _preview_of(request, form)
    campaign = _create(request, form)
    has_models(request, campaign)  # a draft may be made before they are there
    if upload := form.cleaned_data["prompts"]:
        import_prompts(request, campaign, upload, form.cleaned_data["licence"])
    return redirect("campaign", slug=campaign.slug)


@never_cache
@require_safe
@access.signed_in
def preview(request: SignedInRequest, slug: str) -> HttpResponse:
    """The campaign's card with its first comparison, or an example; nothing is stored."""
    campaign = access.campaign_for_staff(request.user, slug)
    question = campaign.question
    size = campaign.plan.get("completions_per_comparison", 2)
    first = campaign.comparisons.select_related("prompt").order_by("pk").first()
    card = _example(question, size) if question else None
    if question and first:
        texts = [item.completion.text for item in first.items.select_related("completion")]
        card = cards.sample(question, first.prompt.messages, texts)
    return _previewed(request, campaign, card)


def _changed(request: SignedInRequest, act: str) -> CampaignForm:
    """The form after a press: another preset's parts and plan, or a part more, less, elsewhere."""
    sent = CampaignForm(request.user, request.POST)
    typed = typed_fields(sent)
    parts = changed(PartForms.sent(request.POST), act, request.POST.get("added", ""))
    if act == "preset":
        name = request.POST.get("preset", "")
        name = name if name in presets.PRESETS else FIRST
        typed, parts = {**typed, **_suggested(typed, name)}, preset_parts(name)
    return CampaignForm(request.user, initial=typed, parts=parts)


def _suggested(typed: dict[str, Any], name: str) -> dict[str, Any]:
    """What the preset says, but for guidelines that somebody wrote."""
    fields = preset_fields(name)
    starts = {
        language.translated(preset.guidelines).strip() for preset in presets.PRESETS.values()
    } | {""}
    if str(typed["guidelines"] or "").strip() not in starts:
        del fields["guidelines"]
    return fields


def _create(request: SignedInRequest, form: CampaignForm) -> Campaign:
    data = form.cleaned_data
    campaign = campaigns.create(
        project=data["project"],
        name=data["name"],
        ask=campaigns.Ask(
            text=data["question"] or _own_question(data["preset"]),
            parts=form.asked(),
            trains_on=data["trains_on"],
            guidelines=data["guidelines"],
        ),
        setting=campaigns.Setting(
            first_policy=data["first_policy"],
            labels_per_comparison=data["labels_per_comparison"],
            plan=form.plan(),
        ),
        actor=request.user,
    )
    care.settle(campaign=campaign, care=form.care(), actor=request.user)
    pay.settle(campaign=campaign, counters=form.counters(), actor=request.user)
    return campaign


def _preview_of(request: SignedInRequest, form: CampaignForm) -> HttpResponse:
    """The card of a campaign that is not made yet."""
    data = form.cleaned_data
    text = data["question"] or _own_question(data["preset"])
    question = QuestionVersion(number=1, text=text, parts=form.asked())
    campaign = Campaign(name=data["name"], question=question, **vars(form.care()))
    card = _example(question, data["completions_per_comparison"])
    return _previewed(request, campaign, card)


def _previewed(
    request: SignedInRequest, campaign: Campaign, card: cards.Card | None
) -> HttpResponse:
    """A card, or a turn of a talk, with how the talk goes."""
    context = {
        "campaign": campaign,
        "question": campaign.question,
        "card": card,
        "talk": conversations.live_of(campaign),
    }
    return render(request, "lead/preview.html", context)


def _own_question(preset: str) -> str:
    """In the lead's language: from here on it is the campaign's wording."""
    return language.translated(presets.PRESETS[preset].question)


def _example(question: QuestionVersion, completions: int) -> cards.Card:
    """With as many answers as the card, or a turn of the talk, will show."""
    talk = live.of(question.parts)
    return cards.example(question, talk.replies if talk else completions)


def _page(request: SignedInRequest, form: CampaignForm, status: int = 200) -> HttpResponse:
    groups = [
        (group, [(key, row) for key, row in presets.PRESETS.items() if row.group == group])
        for group in presets.GROUPS
    ]
    context = {"form": form, "groups": groups, "types": questions.choices()}
    return render(request, "lead/new.html", context, status=status)
