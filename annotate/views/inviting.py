"""A project's ways in, for its leads: invitations, links for a new password, and the consent that
raters accept first. Secrets are on the page that answers the request which drew them, only."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotate import access, cards, language
from annotate.access import SignedInRequest
from annotate.joining_forms import ConsentForm, InvitationForm
from labeling import consents, password_mail
from labeling import invitations as service
from labeling.consents import CannotPublish
from labeling.models import Invitation
from labeling.people import NotPossible

A_PAGE = 25
# What a platform fills in by itself when it sends a participant here.
PLACEHOLDERS = {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def invitation_list(request: SignedInRequest, slug: str) -> HttpResponse:
    """The project's links, and the form of another, ?campaign= to begin with; posted to, the page
    that shows it once."""
    project = access.project_for_lead(request.user, slug)
    begins = project.campaigns.filter(slug=request.GET.get("campaign", "")).first()
    sent = request.POST if request.method == "POST" else None
    form = InvitationForm(project, sent, initial={"campaign": begins})
    if request.method == "POST" and form.is_valid():
        try:
            made, token = service.make(project=project, terms=form.terms(), actor=request.user)
        except NotPossible as error:
            form.add_error(None, language.said_by(error))
        else:
            link = _address(request, reverse("join", args=[token]))
            if named := made.participant_parameter:
                link += f"?{named}={PLACEHOLDERS.get(named, '')}"
            context = {"project": project, "invitation": made, "link": link}
            context["lacking"] = _lacking(made)
            return render(request, "lead/invitation.html", context)
    page = Paginator(service.of(project), A_PAGE).get_page(request.GET.get("page"))
    context = {"project": project, "form": form, "page": page, "now": timezone.now()}
    status = 400 if form.errors else 200
    return render(request, "lead/invitations.html", context, status=status)


@never_cache
@require_POST
@access.signed_in
def revoke(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    invitation = access.invitation_for_lead(request.user, slug, pk)
    service.revoke(invitation=invitation, actor=request.user)
    messages.success(request, _("Withdrawn: nobody comes by that link any more."))
    return redirect("invitations", slug=slug)


@never_cache
@require_POST
@access.signed_in
def password_link(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """A link that sets a new password once; the old one holds until then."""
    project, user = access.member_for_lead(request.user, slug, public_id)
    try:
        path = password_mail.draw_link(project=project, user=user, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect("people")
    context = {"person": user, "link": _address(request, path)}
    return render(request, "lead/password_link.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def project_consent(request: SignedInRequest, slug: str) -> HttpResponse:
    """What raters agree to: the version of now, a form of the next, and those before."""
    project = access.project_for_lead(request.user, slug)
    newest = consents.newest(project)
    now = {
        "markdown": newest.markdown if newest else "",
        "based_on": newest.number if newest else 0,
    }
    form = ConsentForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            consents.publish(project=project, actor=request.user, **form.cleaned_data)
        except CannotPublish as error:
            form.add_error(None, language.said_by(error))
        else:
            messages.success(request, _("Saved: raters accept it before their next card."))
            return redirect("project-consent", slug=slug)
    context = {
        "project": project,
        "form": form,
        "newest": newest,
        "in_force": consents.in_force(project),
        "versions": [
            (row, given, cards.consent_html(row)) for row, given in consents.versions(project)
        ],
        "raters": consents.raters(project),
    }
    status = 400 if form.errors else 200
    return render(request, "lead/consent.html", context, status=status)


def _lacking(made: Invitation) -> list[str]:
    """Names of the groups and skills without which who comes by this link gets no card of the
    campaign that they begin with."""
    if made.role != "rater" or made.campaign is None:
        return []
    wanted = made.campaign.wanted_groups.order_by("kind", "name")
    given = set(made.groups.values_list("pk", flat=True))
    missing = [row for row in wanted if row.pk not in given]
    in_one = any(row.kind == "group" and row.pk in given for row in wanted)
    return [row.name for row in missing if row.kind == "skill" or not in_one]


def _address(request: SignedInRequest, path: str) -> str:
    return settings.PUBLIC_URL + path if settings.PUBLIC_URL else request.build_absolute_uri(path)
