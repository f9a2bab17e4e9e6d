"""A new campaign in one form, and its card as a rater will see it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
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
from annotate.limit_forms import CloneForm
from annotate.part_forms import PartForms, changed
from annotate.views.checks import import_items
from annotate.views.lead import has_models, import_prompts
from labeling import (
    campaigns,
    care,
    checks,
    clones,
    conversations,
    pay,
    presets,
    questions,
    quotas,
    spend,
)
from labeling.models import Campaign, QuestionVersion
from labeling.presets import PRESETS
from labeling.questions import combining, live


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
    if act == "live":
        return _live_preview(request)
    if act and act != "preview":
        return _page(request, _changed(request, act))
    form = CampaignForm(request.user, request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    if act == "preview":
        return _preview_of(request, form)
    with transaction.atomic():  # all of it, or nothing
        campaign = _create(request, form)
    _take_in(request, campaign, form)
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


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def clone(request: SignedInRequest, slug: str) -> HttpResponse:
    """A new draft that is set up as this campaign is."""
    row = access.campaign_for_lead(request.user, slug)
    start = {"name": _("%(name)s, again") % {"name": row.name[:190]}, "prompts": True}
    form = CloneForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            made = clones.clone(campaign=row, actor=request.user, **form.cleaned_data)
        except ValueError as error:
            form.add_error(None, language.said_by(error))
        else:
            messages.success(
                request, _("This draft is set up as “%(name)s” is.") % {"name": row.name}
            )
            return redirect("campaign", slug=made.slug)
    context = {
        "campaign": row,
        "form": form,
        "prompts": clones.prompts_of(row).count(),
        "left": clones.LEFT,
    }
    return render(request, "lead/clone.html", context, status=400 if form.errors else 200)


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


def _take_in(request: SignedInRequest, campaign: Campaign, form: CampaignForm) -> None:
    """What came with the form as files; and what a draft still lacks, said."""
    has_models(request, campaign)  # a draft may be made before they are there
    if upload := form.cleaned_data["prompts"]:
        import_prompts(request, campaign, upload, form.cleaned_data["licence"])
    if upload := form.cleaned_data["gold"]:
        import_items(request, campaign, upload)
    if made := form.cleaned_data["new_groups"]:
        said = _("Nobody is in these groups yet: %(names)s. Put people in them under People.")
        messages.info(request, said % {"names": ", ".join(made)})


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
    actor = request.user
    care.settle(campaign=campaign, care=form.care(), actor=actor)
    pay.settle(campaign=campaign, counters=form.counters(), actor=actor)
    spend.settle(campaign=campaign, limits=form.limits(), actor=actor)
    quotas.settle(campaign=campaign, wanted=form.wanted(), actor=actor)
    checks.settle(campaign=campaign, settings=form.settings(), actor=actor)
    form.settle_groups(campaign, actor)
    return campaign


def _preview_of(request: SignedInRequest, form: CampaignForm) -> HttpResponse:
    """The card of a campaign that is not made yet."""
    data = form.cleaned_data
    text = data["question"] or _own_question(data["preset"])
    question = QuestionVersion(number=1, text=text, parts=form.asked())
    campaign = Campaign(name=data["name"], question=question, **vars(form.care()))
    card = _example(question, data["completions_per_comparison"])
    return _previewed(request, campaign, card)


def _live_preview(request: SignedInRequest) -> HttpResponse:
    """The card as the form stands, while it is typed in: of what cannot be asked yet, why."""
    sent = CampaignForm(request.user, request.POST)
    card, talk, why, size = None, None, "", _size(request)
    text = request.POST.get("question", "").strip()[:500] or _own_question(_named(request))
    if not sent.parts.is_valid():
        why = sent.parts.fault or _("A part needs another look.")
    else:
        question = QuestionVersion(number=1, text=text, parts=sent.parts.parts())
        try:
            combining.check(question.parts, size)
        except ValueError as error:
            why = language.said_by(error)
        else:
            card, talk = _example(question, size), live.of(question.parts)
    context = {"card": card, "question": {"text": text}, "talk": talk, "why": why}
    return render(request, "lead/_live_preview.html", context)


def _size(request: SignedInRequest) -> int:
    said = request.POST.get("completions_per_comparison", "")
    return int(said) if said in set("0123456789") else PRESETS[_named(request)].completions


def _named(request: SignedInRequest) -> str:
    """The preset whose parts stand in the form."""
    name = request.POST.get("shown", "")
    return name if name in PRESETS else FIRST


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
