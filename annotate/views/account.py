"""Signing in and out, the password, and the page each role starts on."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access
from annotate.access import SignedInRequest
from annotate.forms import SignInForm

sign_in = require_http_methods(["GET", "HEAD", "POST"])(
    LoginView.as_view(
        template_name="account/sign_in.html",
        authentication_form=SignInForm,
        redirect_authenticated_user=True,
    )
)
sign_out = require_POST(LogoutView.as_view())


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
    """Who one is here, and a new password."""
    form = PasswordChangeForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        update_session_auth_hash(request, form.user)
        messages.success(request, _("Your password is changed; other sessions are signed out."))
        return redirect("account")
    memberships = request.user.memberships.select_related("project").order_by("project", "role")
    context = {"form": form, "memberships": memberships}
    return render(request, "account/account.html", context, status=400 if form.errors else 200)
