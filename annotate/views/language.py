"""The language of the pages: chosen before signing in as well, and without scripts."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotate import language
from annotate.forms import RequestForm


class LanguageForm(RequestForm):
    language = forms.ChoiceField(choices=settings.LANGUAGES)
    next = forms.CharField(required=False)


@never_cache
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Kept in this browser; for somebody signed in also in their account."""
    form = LanguageForm(request.POST)
    # Not redirect(): it takes a word without a slash for the name of a page.
    response = HttpResponseRedirect(_back(request, request.POST.get("next", "")))
    if not form.is_valid():
        messages.error(request, _("That language is not spoken here."))
        return response
    code = form.cleaned_data["language"]
    if request.user.is_authenticated:
        request.user.locale = code
        request.user.save(update_fields=["locale"])
    language.remember(response, code)
    return response


def _back(request: HttpRequest, address: str) -> str:
    """The page that was left; only one of ours."""
    ours = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    return address if ours else resolve_url("home")
