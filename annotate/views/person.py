"""One person, for a lead of their project: their groups and skills, all that is kept of them, and
the ends of an account: anonymised or erased. And one's own data, for oneself."""

from __future__ import annotations

import tempfile
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import access, language
from annotate.access import SignedInRequest
from labeling import erasure, erasure_job, person_data
from labeling.models import Acceptance, ConsentGiven, GroupMember, Seat, User
from labeling.people import NotPossible
from models_runtime.models import Project

IN_MEMORY = 8 << 20  # bytes of an archive; a longer one is written to the disk meanwhile
CAMPAIGNS = 50


@never_cache
@require_safe
@access.signed_in
def person(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    project, user = access.member_for_lead(request.user, slug, public_id)
    return _page(request, project, user)


@never_cache
@require_safe
@access.signed_in
def data_of(request: SignedInRequest, slug: str, public_id: UUID) -> FileResponse:
    """All that is kept of somebody in this project."""
    project, user = access.member_for_lead(request.user, slug, public_id)
    return _archive(user, project, request.user)


@never_cache
@require_safe
@access.signed_in
def own_data(request: SignedInRequest) -> FileResponse:
    """All that is kept of oneself, in every project."""
    return _archive(request.user, None, request.user)


@never_cache
@require_POST
@access.signed_in
def anonymise(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """Name and mail go, texts stay; the name is typed again first."""
    project, user = access.member_for_lead(request.user, slug, public_id)
    if refused := _refused(request, project, user):
        return refused
    try:
        erasure_job.check(user, request.user)
        erasure.anonymise(rater=user, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect("person", slug=slug, public_id=public_id)
    messages.success(request, _("Anonymised: nobody signs in as them, and their labels stay."))
    return redirect("people")


@never_cache
@require_POST
@access.signed_in
def erase(request: SignedInRequest, slug: str, public_id: UUID) -> HttpResponse:
    """Everything they typed goes too, in a worker; the name is typed again first."""
    project, user = access.member_for_lead(request.user, slug, public_id)
    if refused := _refused(request, project, user):
        return refused
    try:
        job = erasure_job.start(project=project, rater=user, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect("person", slug=slug, public_id=public_id)
    messages.success(request, _("They are being erased: this page says when it is done."))
    return redirect("job", pk=job.pk)


def _refused(request: SignedInRequest, project: Project, user: User) -> HttpResponse | None:
    if request.POST.get("name", "").strip() == user.username:
        return None
    messages.error(request, _("That is another name: nothing was changed."))
    return _page(request, project, user, status=400)


def _page(
    request: SignedInRequest, project: Project, user: User, status: int = 200
) -> HttpResponse:
    seats = Seat.objects.filter(rater=user, campaign__project=project).select_related("campaign")
    context: dict[str, Any] = {
        "project": project,
        "person": user,
        "memberships": user.memberships.filter(project=project).order_by("role"),
        "groups": GroupMember.objects.filter(user=user, group__project=project)
        .select_related("group", "by")
        .order_by("group__kind", "group__name"),
        "consents": ConsentGiven.objects.filter(rater=user, version__project=project)
        .select_related("version")
        .order_by("-version__number"),
        "acceptances": Acceptance.objects.filter(user=user, project=project)
        .select_related("invitation")
        .order_by("-pk"),
        "seats": [(row, row.active_ms / 1000) for row in seats.order_by("-answered")[:CAMPAIGNS]],
        "job": erasure_job.under_way(project, user),
    }
    return render(request, "lead/person.html", context, status=status)


def _archive(user: User, project: Project | None, actor: User) -> FileResponse:
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the answer closes it
    person_data.write(person=user, out=out, project=project, actor=actor)
    out.seek(0)
    name = f"{user.public_id.hex[:12]}.zip"
    return FileResponse(out, as_attachment=True, filename=name, content_type="application/zip")
