"""Signing in and out, the password, a rater's keys, and the page each role starts on."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, keys, language, sign_ins
from annotate.access import SignedInRequest
from annotate.forms import SignInForm
from annotate.joining_forms import AboutForm
from annotate.key_forms import KeysForm
from labeling import people


class SignIn(LoginView):
    """The browser learns the language of the account, before the first page is shown."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        sign_ins.tell("signed in", form.get_user(), actor=form.get_user())
        if locale := form.get_user().locale:
            language.remember(response, locale)
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        sign_ins.failed(self.request, form.cleaned_data.get("username", ""))
        return super().form_invalid(form)


class SignOut(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            sign_ins.tell("signed out", request.user, actor=request.user)
        return super().post(request, *args, **kwargs)


sign_in = require_http_methods(["GET", "HEAD", "POST"])(
    SignIn.as_view(
        template_name="account/sign_in.html",
        authentication_form=SignInForm,
        redirect_authenticated_user=True,
    )
)
sign_out = require_POST(SignOut.as_view())


@require_safe
@access.signed_in
def home(request: SignedInRequest) -> HttpResponse:
    """Leads and researchers start at the campaigns, raters at their queue."""
    held = access.roles(request.user)
    if held & set(access.STAFF):
        return redirect("campaigns")
    if "rater" in held:
        return redirect("queue")
    return render(request, "account/no_role.html")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def account(request: SignedInRequest) -> HttpResponse:
    """Who one is here, the keys one rates with, and a new password."""
    posted = request.POST if request.method == "POST" else None
    moves = posted is not None and "keys" in posted
    own_keys = KeysForm(keys.of(request.user), posted if moves else None)
    password = PasswordChangeForm(request.user, None if moves else posted)
    if moves and own_keys.is_valid():
        return _keep_keys(request, own_keys)
    if posted is not None and not moves and password.is_valid():
        return _keep_password(request, password)
    memberships = request.user.memberships.select_related("project").order_by("project", "role")
    said = {"email": request.user.email, "languages": request.user.languages}
    context = {
        "about": AboutForm(initial=said),
        "form": password,
        "keys": own_keys,
        "memberships": memberships,
    }
    wrong = own_keys.errors or password.errors
    return render(request, "account/account.html", context, status=400 if wrong else 200)


@require_POST
@access.signed_in
def about(request: SignedInRequest) -> HttpResponse:
    """Where mail reaches them, and the languages that they read."""
    form = AboutForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect("account")
    people.describe(user=request.user, **form.cleaned_data)
    messages.success(request, _("Kept: your languages hold from your next card on."))
    return redirect("account")


def _keep_keys(request: SignedInRequest, form: KeysForm) -> HttpResponse:
    keys.store(request.user, form.chosen())
    messages.success(
        request, _("Your keys are kept. Reload a page that is open to use them there.")
    )
    return redirect("account")


def _keep_password(request: SignedInRequest, form: PasswordChangeForm) -> HttpResponse:
    with transaction.atomic():
        form.save()
        sign_ins.tell("password changed", request.user, actor=request.user)
    update_session_auth_hash(request, form.user)
    messages.success(request, _("Your password is changed; other sessions are signed out."))
    return redirect("account")
