"""One's tokens for the API: a program acts with one as far as its person may.

A secret is on the page that answers the request which drew it, and nowhere else.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotate import access, language
from annotate.access import SignedInRequest
from annotate.token_forms import TokenForm
from labeling import tokens as service
from labeling.tokens import NotPossible


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def tokens(request: SignedInRequest) -> HttpResponse:
    """All one has, and a form for another."""
    form = TokenForm(request.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            row, secret = service.make(user=request.user, **form.cleaned_data)
        except NotPossible as error:
            form.add_error(None, language.said_by(error))
        else:
            context = {"token": row, "secret": secret}
            return render(request, "account/token_secret.html", context)
    context = {
        "tokens": service.of(request.user),
        "form": form,
        "may_have": access.projects(request.user, *access.STAFF).exists(),
        "now": timezone.now(),
    }
    return render(request, "account/tokens.html", context, status=400 if form.errors else 200)


@never_cache
@require_POST
@access.signed_in
def revoke(request: SignedInRequest, pk: int) -> HttpResponse:
    service.revoke(token=access.own_token(request.user, pk), actor=request.user)
    messages.success(request, _("The token is revoked: nothing is answered under it any more."))
    return redirect("tokens")
