"""Which language somebody reads, and what was said without knowing it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponseBase
from django.utils.functional import lazy
from django.utils.translation import gettext

from annotate import numerals
from models_runtime.phrases import Phrase

COOKIE_SECONDS = 365 * 24 * 3600


def translated(text: object) -> str:
    """A marked sentence, or the name of a state, in the reader's language. What no catalogue
    holds, a lead's own wording say, stays as it is."""
    if isinstance(text, Phrase):
        values = {name: _value(value) for name, value in text.values.items()}
        said = gettext(text.message)
        return said % values if values else said
    return gettext(str(text)) if text not in (None, "") else ""


later = lazy(translated, str)  # for what is said when a module is loaded


def said_by(error: Exception) -> str:
    """The sentence of a refusal, whichever side of the imports it comes from."""
    return translated(error.args[0] if error.args else error)


def remember(response: HttpResponseBase, code: str) -> None:
    """Speak it to this browser from now on, before anybody has signed in as well."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _value(value: object) -> object:
    if isinstance(value, int):
        return numerals.whole(value)
    return translated(value) if isinstance(value, Phrase) else value
