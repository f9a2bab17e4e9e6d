"""What a campaign asks and tells its raters: the versions so far, and the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotate import access, cards, language
from annotate.access import SignedInRequest
from annotate.forms import GuidelinesForm, QuestionForm
from labeling import campaigns, tallies
from labeling.campaigns import CannotRevise
from labeling.models import Campaign, GuidelineVersion, QuestionVersion


@dataclass(frozen=True)
class Version:
    row: QuestionVersion | GuidelineVersion
    labels: int  # answers given to it, those withdrawn since included
    html: str = ""
    confirmed: int = 0  # raters who confirmed it


@never_cache
@require_safe
@access.signed_in
def wording(request: SignedInRequest, slug: str) -> HttpResponse:
    return _page(request, access.campaign_for_staff(request.user, slug))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def question(request: SignedInRequest, slug: str) -> HttpResponse:
    """The next version of the question. Asked for by its address, it is the page with the form."""
    return _revise(request, slug, QuestionForm, campaigns.revise_question)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def guidelines(request: SignedInRequest, slug: str) -> HttpResponse:
    """The next version of the guidelines, likewise."""
    return _revise(request, slug, GuidelinesForm, campaigns.revise_guidelines)


def _revise(
    request: SignedInRequest,
    slug: str,
    asked: type[QuestionForm] | type[GuidelinesForm],
    revise: Callable[..., QuestionVersion | GuidelineVersion],
) -> HttpResponse:
    campaign = access.campaign_for_lead(request.user, slug)
    if request.method != "POST":
        return redirect("wording", slug=slug)
    form = asked(request.POST)
    if form.is_valid():
        before = _in_force(campaign)
        try:
            made = revise(campaign=campaign, actor=request.user, **form.cleaned_data)
        except CannotRevise as error:
            form.add_error(None, language.said_by(error))
        else:
            return _done(request, campaign, before, made)
    return _page(request, campaign, form)


def _in_force(campaign: Campaign) -> dict[Any, bool]:
    """The versions of now, each with whether raters confirm it."""
    return {
        row: getattr(row, "must_confirm", False) for row in (campaign.question, campaign.guideline)
    }


def _done(
    request: SignedInRequest,
    campaign: Campaign,
    before: dict[Any, bool],
    made: QuestionVersion | GuidelineVersion,
) -> HttpResponse:
    asks = getattr(made, "must_confirm", False)
    if made not in before:
        said = _("Version %(n)d is in force from the next card on.") % {"n": made.number}
        messages.success(request, said)
    elif asks != before[made]:
        said = _("Raters confirm it before their next card.")
        messages.success(request, said if asks else _("Raters need not confirm it any more."))
    else:
        messages.info(request, _("It says the same as before: no version was made."))
    return redirect("wording", slug=campaign.slug)


def _page(
    request: SignedInRequest,
    campaign: Campaign,
    wrong: QuestionForm | GuidelinesForm | None = None,
) -> HttpResponse:
    """A form that was sent and is not right yet is shown as it was sent."""
    if wrong:
        campaign.refresh_from_db()
    question = wrong if isinstance(wrong, QuestionForm) else None
    guidelines = wrong if isinstance(wrong, GuidelinesForm) else None
    asked, told = campaign.question, campaign.guideline
    context = {
        "campaign": campaign,
        "may_revise": campaign.state != "closed"
        and access.can(request.user, campaign.project_id, "lead"),
        "question_form": question or QuestionForm(initial=_fields(asked, "text", "trains_on")),
        "guidelines_form": guidelines
        or GuidelinesForm(initial=_fields(told, "markdown", "must_confirm")),
        "questions": _versions(campaign, campaign.questions.all(), "asked"),
        "guidelines": _versions(campaign, campaign.guidelines.all(), "told"),
    }
    return render(request, "lead/wording.html", context, status=400 if wrong else 200)


def _fields(version: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(version, name) for name in names} if version else {}


def _versions(campaign: Campaign, rows: QuerySet[Any], kind: str) -> list[Version]:
    """The newest first."""
    newest_first = rows.select_related("created_by").order_by("-number")
    answers = tallies.of(tallies.Wanted((kind,), [campaign.pk]))
    counts = {key.about: one.n for key, one in answers.items()}
    confirmed = {}
    if kind == "told":
        confirmed = dict(rows.order_by().values_list("pk").annotate(Count("confirmed")))
    return [
        Version(
            row,
            counts.get(row.pk, 0),
            cards.guidelines_html(row) if isinstance(row, GuidelineVersion) else "",
            confirmed.get(row.pk, 0),
        )
        for row in newest_first
    ]
