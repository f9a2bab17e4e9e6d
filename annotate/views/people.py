"""The people of a project, for its leads: who they are, what they may do, and their passwords.

A password is on the page that answers the request which drew it, and nowhere else.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from axes.utils import reset as unlock
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.forms import PersonForm, RolesForm
from labeling import people as service
from labeling.models import User
from labeling.people import NotPossible
from models_runtime.models import Project

A_PAGE = 50


@never_cache
@require_safe
@access.signed_in
def people(request: SignedInRequest) -> HttpResponse:
    """Everybody in the projects that one leads."""
    return _page(request)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def add(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asked for again by its address, as after a form that was not right, it is the list."""
    project = access.project_for_lead(request.user, slug)
    if request.method != "POST":
        return redirect("people")
    form = PersonForm(request.POST)
    if not form.is_valid():
        return _page(request, project, form)
    try:
        added = service.add(
            project=project,
            username=form.cleaned_data["username"],
            roles=form.cleaned_data["roles"],
            actor=request.user,
        )
    except NotPossible as error:
        form.add_error(None, language.said_by(error))
        return _page(request, project, form)
    if added.password:
        return _show_password(request, added.user, added.password)
    messages.success(
        request,
        _("%(name)s had an account already and keeps the password they had.")
        % {"name": added.user.username},
    )
    return redirect("people")


@never_cache
@require_POST
@access.signed_in
def roles(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """Give and take: the roles that are ticked, and no other."""
    project, user = access.member_for_lead(request.user, slug, public_id)
    form = RolesForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect("people")
    try:
        service.set_roles(
            project=project, user=user, roles=form.cleaned_data["roles"], actor=request.user
        )
    except NotPossible as error:
        messages.error(request, language.said_by(error))
    # Whoever took the role of lead from themselves finds their other work.
    return redirect("people" if access.can(request.user, project.pk, "lead") else "home")


@never_cache
@require_POST
@access.signed_in
def password(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """A new password, which also ends the wait after too many wrong ones."""
    project, user = access.member_for_lead(request.user, slug, public_id)
    try:
        drawn = service.reset_password(project=project, user=user, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect("people")
    unlock(username=user.username)
    return _show_password(request, user, drawn)


@never_cache
@require_POST
@access.signed_in
def may_enter(request: SignedInRequest, slug: str, public_id: UUID, verb: str) -> HttpResponse:
    project, user = access.member_for_lead(request.user, slug, public_id)
    act = service.deactivate if verb == "deactivate" else service.reactivate
    try:
        act(project=project, user=user, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
    return redirect("people")


def _page(
    request: SignedInRequest, project: Project | None = None, form: PersonForm | None = None
) -> HttpResponse:
    """``form`` is what was sent to add somebody to ``project``, and is not right yet."""
    named = request.GET.get("named", "").replace("\0", "").strip()[:150]
    number = request.GET.get("page")
    pages = {
        one: Paginator(service.members(one, named), A_PAGE).get_page(number)
        for one in access.projects_led(request.user)
    }
    teams = [
        {
            "project": one,
            "page": page,
            "members": service.with_roles(one, list(page)),
            "form": form if form and one == project else PersonForm(auto_id=f"{one.slug}_%s"),
        }
        for one, page in pages.items()
    ]
    context: dict[str, Any] = {"teams": teams, "roles": PersonForm.ROLES, "named": named}
    context["query"] = urlencode({"named": named}) if named else ""
    return render(request, "lead/people.html", context, status=400 if form else 200)


def _show_password(request: SignedInRequest, user: User, password: str) -> HttpResponse:
    context = {"person": user, "password": password}
    return render(request, "lead/password.html", context)
