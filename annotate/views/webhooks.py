"""Webhooks of the projects that one leads: where messages go, and what became of them.

A secret is on the page that answers the request which drew it, and nowhere else.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.webhook_forms import WebhookForm
from labeling import webhook_secrets
from labeling import webhooks as service
from labeling.models import Webhook, WebhookAttempt
from labeling.webhooks import NotPossible
from models_runtime.models import Project

PAGE = 50


@never_cache
@require_safe
@access.signed_in
def webhooks(request: SignedInRequest) -> HttpResponse:
    """Those of every project that one leads, and a form for another."""
    return _list(request)


@never_cache
@require_POST
@access.signed_in
def add(request: SignedInRequest, slug: str) -> HttpResponse:
    project = access.project_for_lead(request.user, slug)
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _list(request, project, form)
    try:
        made = service.add(project=project, **form.cleaned_data, actor=request.user)
    except NotPossible as error:
        form.add_error(None, language.said_by(error))
        return _list(request, project, form)
    return _show_secret(request, made)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def webhook(request: SignedInRequest, pk: int) -> HttpResponse:
    """One of them: its settings, and its messages with every try."""
    row = access.webhook_for_lead(request.user, pk)
    form = WebhookForm(request.POST or None, initial={"url": row.url, "types": row.types})
    if request.method == "POST" and form.is_valid():
        service.change(row, **form.cleaned_data, actor=request.user)
        messages.success(request, _("Saved: it holds from the next message on."))
        return redirect("webhook", pk=pk)
    tries = Prefetch("tries", WebhookAttempt.objects.order_by("-id"))
    found = row.messages.order_by("-id").prefetch_related(tries)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {"webhook": row, "form": form, "page": page, "private": settings.WEBHOOKS_PRIVATE}
    return render(request, "lead/webhook.html", context, status=400 if form.errors else 200)


@never_cache
@require_POST
@access.signed_in
def act(request: SignedInRequest, pk: int, verb: str) -> HttpResponse:
    """test, on, off, secret, remove."""
    row = access.webhook_for_lead(request.user, pk)
    if verb == "secret":
        return _rotate(request, row)
    if verb == "remove":
        service.remove(row, actor=request.user)
        messages.success(request, _("The webhook is removed, with the log of its messages."))
        return redirect("webhooks")
    if verb == "test":
        service.test(row, actor=request.user)
        messages.success(request, _("A test message is on its way: look again in a moment."))
    else:
        service.switch(row, verb == "on", actor=request.user)
    return redirect("webhook", pk=pk)


@never_cache
@require_POST
@access.signed_in
def send_again(request: SignedInRequest, pk: int, message: int) -> HttpResponse:
    row = access.webhook_message_for_lead(request.user, pk, message)
    if service.send_again(row, actor=request.user):
        messages.success(request, _("It is sent again, under the same id."))
    else:
        messages.info(request, _("It waits for its next try already."))
    return redirect("webhook", pk=pk)


def _rotate(request: SignedInRequest, row: Webhook) -> HttpResponse:
    try:
        service.rotate(row, actor=request.user)
    except NotPossible as error:
        messages.error(request, language.said_by(error))
        return redirect("webhook", pk=row.pk)
    return _show_secret(request, row)


def _show_secret(request: SignedInRequest, row: Webhook) -> HttpResponse:
    context = {"webhook": row, "secret": webhook_secrets.secret_of(row)}
    return render(request, "lead/webhook_secret.html", context)


def _list(
    request: SignedInRequest, project: Project | None = None, form: WebhookForm | None = None
) -> HttpResponse:
    """``form`` is what was sent for ``project``, and is not right yet."""
    led = access.projects_led(request.user).prefetch_related("webhooks")
    teams = [
        {
            "project": one,
            "webhooks": sorted(one.webhooks.all(), key=lambda row: row.pk),
            "form": form if form and one == project else WebhookForm(auto_id=f"{one.slug}_%s"),
        }
        for one in led
    ]
    context = {"teams": teams, "private": settings.WEBHOOKS_PRIVATE}
    return render(request, "lead/webhooks.html", context, status=400 if form else 200)
