"""What somebody was told, and what they want to be told."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, language, notice_mail, object_links
from annotate.access import SignedInRequest
from annotate.notice_forms import NoticesForm
from labeling import notices as service
from labeling.models import Notice
from labeling.notices import KINDS, Choice

PAGE = 50


@never_cache
@require_safe
@access.signed_in
def notices(request: SignedInRequest) -> HttpResponse:
    """The newest first; what is new stands out until it is read."""
    page = Paginator(service.of(request.user), PAGE).get_page(request.GET.get("page"))
    rows = list(page)
    abouts = object_links.of_notices(rows)
    entries = [
        {
            "notice": row,
            "kind": language.translated(KINDS[row.kind].title) if row.kind in KINDS else "",
            "about": abouts[row.pk],
        }
        for row in rows
    ]
    context = {
        "entries": entries,
        "page": page,
        "newest": rows[0].pk if rows else 0,
        "unread": service.unread(request.user),
    }
    return render(request, "account/notices.html", context)


@never_cache
@require_POST
@access.signed_in
def open_notice(request: SignedInRequest, pk: int) -> HttpResponse:
    """Read it, and go to what it is about."""
    row = _own(request, pk)
    service.mark_read(request.user, pk=row.pk)
    return redirect(object_links.of_notices([row])[row.pk].url or "notices")


@never_cache
@require_POST
@access.signed_in
def mark(request: SignedInRequest, pk: int, verb: str) -> HttpResponse:
    row = _own(request, pk)
    act = service.mark_read if verb == "read" else service.mark_unread
    act(request.user, pk=row.pk)
    return redirect("notices")


@never_cache
@require_POST
@access.signed_in
def read_all(request: SignedInRequest) -> HttpResponse:
    """All that the page showed, or could have by paging on; what came meanwhile stays new."""
    upto = request.POST.get("upto", "")
    known = upto.isascii() and upto.isdigit() and len(upto) < 18
    count = service.mark_read(request.user, upto=int(upto) if known else 0)
    said = ngettext("%(n)d notice is read.", "%(n)d notices are read.", count)
    messages.success(request, said % {"n": count})
    return redirect("notices")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def settings(request: SignedInRequest) -> HttpResponse:
    """What one wants to be told, by kind."""
    form = NoticesForm(request.user, access.roles(request.user), request.POST or None)
    if request.method == "POST" and form.is_valid():
        service.choose(request.user, form.chosen())
        messages.success(request, _("Kept: it holds for what happens from now on."))
        return redirect("notice-settings")
    context = {"form": form, "can_mail": service.can_mail()}
    return render(
        request, "account/notice_settings.html", context, status=400 if form.errors else 200
    )


@csrf_exempt  # a mail program presses it, by RFC 8058; the signed link says whose mail it is
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def end_mail(request: HttpRequest, token: str) -> HttpResponse:
    """End one kind of mail, or all, by the link in it. Opening it changes nothing: programs open
    links to look at them."""
    found = notice_mail.read_link(token)
    if found is None:
        raise Http404
    user, kind = found
    if request.method == "POST":
        now = service.choices_of(user)
        ended = {name: Choice(now[name].page) for name in ([kind] if kind else KINDS)}
        service.choose(user, ended)
    context: dict[str, Any] = {
        "kind": language.translated(KINDS[kind].title) if kind else "",
        "ended": request.method == "POST",
    }
    return render(request, "account/end_mail.html", context)


def _own(request: SignedInRequest, pk: int) -> Notice:
    return get_object_or_404(service.of(request.user), pk=pk)
