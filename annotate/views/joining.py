"""Coming in: by an invitation's link, and back in by a link for a new password.

A link's secret is read once and leaves the address: what follows stands in the session, so that no
history, referrer or copied address holds it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from axes.utils import reset as unlock
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from annotate import client_address, language, sign_ins
from annotate.joining_forms import AskForm, ParticipantForm, SetPasswordForm, SignUpForm
from labeling import invitations, knocks, password_mail
from labeling.models import Invitation, User
from labeling.people import NotPossible

BACKEND = "django.contrib.auth.backends.ModelBackend"
COMING, RESETTING = "coming_in", "new_password"  # in the session


@never_cache
@require_safe
def join(request: HttpRequest, token: str) -> HttpResponse:
    """The link: kept for the page that follows, when it is one."""
    address = client_address.of(request)
    if not knocks.is_patient(door="invitation", address=address):
        return _closed(request, _too_many(), 429)
    invitation = invitations.find(token)
    if invitation is None:
        knocks.note(door="invitation", address=address)
        return _closed(request, _("There is no such invitation. Open the whole link."), 404)
    form = ParticipantForm.of(invitation, request.GET)
    if not form.is_valid():
        return _closed(request, form.sentence(), 400)
    participant = form.cleaned_data["participant"]
    if invitation.participant_parameter and not participant:
        said = _("This link works from your platform's page: it names no participant.")
        return _closed(request, said, 400)
    request.session[COMING] = {"invitation": invitation.pk, "participant": participant}
    return redirect("coming-in")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def coming_in(request: HttpRequest) -> HttpResponse:
    """Sign up, or accept with the account that one has."""
    kept = request.session.get(COMING, {})
    rows = Invitation.objects.select_related("project", "campaign")
    invitation = rows.filter(pk=kept.get("invitation")).first()
    if invitation is None:
        return _closed(request, _("Open the link that you were sent."), 200)
    if refused := invitations.refusal(invitation):
        return _closed(request, language.translated(refused), 200)
    if request.user.is_authenticated:
        return _accept(request, invitation, kept["participant"])
    known = invitations.of_participant(invitation.project, kept["participant"])
    reads = {"languages": [(get_language() or "")[:2]]}
    form = SignUpForm(request.POST if request.method == "POST" else None, initial=reads)
    if request.method == "POST" and form.is_valid():
        try:
            return _sign_up(request, invitation, form, kept["participant"])
        except NotPossible as error:
            form.add_error(None, language.said_by(error))
    context = {"invitation": invitation, "form": form, "known": known}
    return render(request, "joining/join.html", context, status=400 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """A mail with a link, to whoever has the address; the answer is the same to nobody's."""
    form = AskForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "sends": password_mail.can_send()}
    if request.method != "POST" or not context["sends"]:
        return render(request, "joining/ask.html", context)
    address = client_address.of(request)
    if not knocks.is_patient(door="password", address=address):
        return _closed(request, _too_many(), 429)
    if not form.is_valid():
        return render(request, "joining/ask.html", context, status=400)
    knocks.note(door="password", address=address)
    password_mail.ask(form.cleaned_data["email"])
    return render(request, "joining/asked.html")


@never_cache
@require_safe
def password_link(request: HttpRequest, public_id: UUID, token: str) -> HttpResponse:
    """The link of a mail, or of a lead: kept for the page that follows, when it is one."""
    address = client_address.of(request)
    if not knocks.is_patient(door="password", address=address):
        return _closed(request, _too_many(), 429)
    user = _person(str(public_id))
    if user is None or not password_mail.fits(user, token):
        knocks.note(door="password", address=address)
        said = _("This link has been used, or is too old. Ask for another.")
        return _closed(request, said, 404)
    request.session[RESETTING] = {"user": str(public_id), "token": token}
    return redirect("new-password")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def new_password(request: HttpRequest) -> HttpResponse:
    """Set it. Every session of the account ends; this browser's begins anew at the sign-in."""
    kept = request.session.get(RESETTING, {})
    user = _person(kept.get("user", ""))
    if user is None or not password_mail.fits(user, kept["token"]):
        said = _("This link has been used, or is too old. Ask for another.")
        return _closed(request, said, 200)
    form = SetPasswordForm(user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            password_mail.set_password(
                user=user, token=kept["token"], password=form.cleaned_data["password"]
            )
        except NotPossible as error:
            return _closed(request, language.said_by(error), 409)
        request.session.flush()
        unlock(username=user.username)
        messages.success(request, _("Your password is set: sign in with it."))
        return redirect("sign-in")
    context = {"form": form, "person": user}
    return render(request, "joining/password.html", context, status=400 if form.errors else 200)


def _sign_up(
    request: HttpRequest, invitation: Invitation, form: SignUpForm, participant: str
) -> HttpResponse:
    newcomer = form.newcomer
    newcomer.locale = get_language() or ""
    user = invitations.sign_up(
        invitation=invitation,
        newcomer=newcomer,
        password=form.cleaned_data["password"],
        participant=participant,
    )
    request.session.flush()  # whatever stood in it was a stranger's
    login(request, user, backend=BACKEND)
    sign_ins.tell("signed in", user, actor=user)
    response = _onward(invitation)
    language.remember(response, user.locale)
    return response


def _accept(request: HttpRequest, invitation: Invitation, participant: str) -> HttpResponse:
    if request.method != "POST":
        return render(request, "joining/accept.html", {"invitation": invitation})
    assert isinstance(request.user, User)
    try:
        invitations.accept(invitation=invitation, user=request.user, participant=participant)
    except NotPossible as error:
        return _closed(request, language.said_by(error), 409)
    del request.session[COMING]
    return _onward(invitation)


def _onward(invitation: Invitation) -> HttpResponse:
    if invitation.campaign is not None and invitation.role == "rater":
        return redirect("card", slug=invitation.campaign.slug)
    return redirect("home")


def _person(public_id: str) -> User | None:
    rows = User.objects.filter(is_active=True, kind="person")
    return rows.filter(public_id=public_id).first() if public_id else None


def _too_many() -> str:
    return _("Too many tries from this address. Wait an hour, then open the link again.")


def _closed(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    return render(request, "joining/closed.html", {"sentence": sentence}, status=status)
