"""Groups and skills of a project's raters, for its leads; and whom a campaign is offered to."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.queue_forms import GroupForm, MembersForm, QueueForm, RenameForm
from labeling import groups as service
from labeling import queues
from labeling.models import GroupMember, Prompt, RaterGroup, User
from labeling.people import NotPossible

A_PAGE = 100
CHANGES = ("put", "take")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def group_list(request: SignedInRequest, slug: str) -> HttpResponse:
    """All of them, and the form of another."""
    project = access.project_for_lead(request.user, slug)
    form = GroupForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = service.make(project=project, actor=request.user, **form.cleaned_data)
            return redirect("group", slug=slug, pk=made.pk)
        except NotPossible as error:
            form.add_error("name", language.said_by(error))
    context = {"project": project, "form": form, "rows": service.of(project)}
    return render(request, "lead/groups.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def group(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Who is in, and who could be."""
    return _page(request, access.group_for_lead(request.user, slug, pk))


@never_cache
@require_POST
@access.signed_in
def rename(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    row = access.group_for_lead(request.user, slug, pk)
    form = RenameForm(request.POST)
    if form.is_valid():
        try:
            service.rename(group=row, name=form.cleaned_data["name"], actor=request.user)
            return redirect("group", slug=slug, pk=pk)
        except NotPossible as error:
            form.add_error("name", language.said_by(error))
    return _page(request, row, form)


@never_cache
@require_POST
@access.signed_in
def remove(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    row = access.group_for_lead(request.user, slug, pk)
    try:
        service.remove(group=row, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect("group", slug=slug, pk=pk)
    messages.success(request, _("Removed. The people and their labels stay."))
    return redirect("groups", slug=slug)


@never_cache
@require_POST
@access.signed_in
def change_members(request: SignedInRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Put people in, or take them out: as many as are ticked."""
    row = access.group_for_lead(request.user, slug, pk)
    form = MembersForm(row, request.POST)
    if not form.is_valid():
        messages.error(request, form.sentence())
        return redirect("group", slug=slug, pk=pk)
    people = list(form.cleaned_data["people"])
    if verb == "put":
        n = service.put_in(group=row, users=people, actor=request.user)
        said = ngettext("%(n)s person put in.", "%(n)s people put in.", n) % {"n": n}
    else:
        n = service.take_out(group=row, users=people, actor=request.user)
        said = ngettext("%(n)s person taken out.", "%(n)s people taken out.", n) % {"n": n}
    messages.success(request, said)
    return redirect("group", slug=slug, pk=pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def campaign_queue(request: SignedInRequest, slug: str) -> HttpResponse:
    """Whom one campaign is offered to, in force from the next card on."""
    row = access.campaign_for_lead(request.user, slug)
    rules = queues.of(row)
    form = QueueForm(row, request.POST or None, initial=QueueForm.initial_of(rules))
    if request.method == "POST" and form.is_valid():
        try:
            queues.settle(campaign=row, rules=form.rules(), actor=request.user)
        except ValueError as error:
            form.add_error(None, language.said_by(error))
        else:
            messages.success(request, _("Saved: it holds from the next card on."))
            return redirect("campaign", slug=slug)
    languages = Prompt.objects.filter(prompt_set__campaign=row).values_list("language", flat=True)
    context = {
        "campaign": row,
        "form": form,
        "languages": sorted(set(languages.distinct()[:50]) - {""}),
    }
    return render(request, "lead/queue.html", context, status=400 if form.errors else 200)


def _page(
    request: SignedInRequest, row: RaterGroup, form: RenameForm | None = None
) -> HttpResponse:
    named = request.GET.get("named", "").replace("\0", "").strip()[:150]
    inside = GroupMember.objects.filter(group=row).select_related("user", "by")
    outside = User.objects.filter(
        memberships__project=row.project_id, kind="person", erased_at=None
    ).exclude(rater_groups__group=row)
    if named:
        inside = inside.filter(user__username__icontains=named)
        outside = outside.filter(username__icontains=named)
    context = {
        "project": row.project,
        "group": row,
        "form": form or RenameForm(initial={"name": row.name}),
        "inside": Paginator(inside.order_by("user__username"), A_PAGE).get_page(
            request.GET.get("page")
        ),
        "outside": outside.distinct().order_by("username")[:A_PAGE],
        "more": outside.distinct().count() > A_PAGE,
        "named": named,
        "query": urlencode({"named": named}) if named else "",
        "campaigns": row.campaigns.order_by("name"),
    }
    return render(request, "lead/group.html", context, status=400 if form else 200)
