"""How the pages write numbers, states and model text."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeGuard

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotate import access, language, numerals
from annotate.method_titles import short_name
from labeling import notices, questions, rendering
from labeling.models import Label
from training import runs

register = template.Library()
# Which keys of the keyboard a printed key stands for, by KeyboardEvent.code: the place of a key,
# whatever the layout prints on it.
CODES = {
    **{str(d): (f"Digit{d}", f"Numpad{d}") for d in range(10)},
    **{letter: (f"Key{letter.upper()}",) for letter in "abcdefghijklmnopqrstuvwxyz"},
}
EXCERPT = 4_000  # characters
DASH = "–"  # nothing measured; never a zero

# Chip colours by state; a state that is not here is neutral.
TONES = {
    **dict.fromkeys(("open", "running", "sampling", "collecting", "training"), "run"),
    **dict.fromkeys(("evaluating", "registering"), "run"),
    **dict.fromkeys(("succeeded", "promoted", "ready", "complete"), "good"),
    **dict.fromkeys(("paused", "stopped", "review", "missing", "skipped", "withdrawn"), "warn"),
    **dict.fromkeys(("failed", "rejected", "cancelled", "deleted", "discarded"), "bad"),
}


@register.filter
def sanitised(html: str) -> SafeString:
    """Declares safe what labeling.rendering made: the only place in Concord that does."""
    return mark_safe(html)


@register.filter
def method(name: str) -> str:
    """A training method by its short name."""
    return short_name(name)


@register.filter
def visible(text: object) -> SafeString:
    """Raw text with its invisible characters spelled out."""
    return sanitised(rendering.visible(str(text)))


@register.filter
def excerpt(text: str) -> SafeString:
    """The beginning of a text, where fifty of a megabyte each may stand on one page."""
    if len(text) <= EXCERPT:
        return visible(text)
    more = _("… and %(n)s characters more") % {"n": numerals.whole(len(text) - EXCERPT)}
    return visible(f"{text[:EXCERPT]} {more}")


@register.simple_tag(takes_context=True)
def menu(context: template.Context) -> list[dict[str, Any]]:
    """The sections that the user's roles open."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    held = access.roles(user)
    entries = []
    if "rater" in held:
        entries.append(("queue", _("Rate")))
    if held & set(access.STAFF):
        entries += [("campaigns", _("Campaigns")), ("checkpoints", _("Checkpoints"))]
        entries += [("jobs", _("Jobs"))]
    if "lead" in held:
        entries.append(("people", _("People")))
    if held & set(access.STAFF):
        entries.append(("audit", _("Audit log")))
    return [_entry(request, name, title) for name, title in entries]


@register.simple_tag
def unread_notices(user: Any) -> str:
    """How many notices are new, for the bar; "" for none. A card's bar has no such place."""
    count = notices.unread(user)
    return f"{notices.MOST_SHOWN}+" if count > notices.MOST_SHOWN else str(count or "")


def _entry(request: Any, name: str, title: str) -> dict[str, Any]:
    url = reverse(name)
    return {"url": url, "title": title, "here": request.path == url}


@register.filter
def tone(state: str) -> str:
    return TONES.get(state, "")


@register.filter
def words(value: str) -> str:
    """reward_model as "reward model", in the reader's language where the catalogue has it."""
    return language.translated(str(value).replace("_", " "))


@register.filter
def translated(text: object) -> str:
    """A sentence, or a state's name, of a file that knows no Django."""
    return language.translated(text)


def _measured(value: Any) -> TypeGuard[float]:
    """A template gives "" for what is not there."""
    return isinstance(value, int | float) and math.isfinite(value)


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """.641 as "64 %"; nothing measured is a dash, never a zero."""
    return numerals.percent(share, digits) if _measured(share) else DASH


@register.filter
def bare(share: float | None, digits: int = 0) -> str:
    """The low end of a range in percent, whose unit stands at the high end: 38 – 44 %."""
    return numerals.fixed(100 * share, digits) if _measured(share) else DASH


@register.filter
def figure(value: float) -> str:
    """A metric at four significant digits."""
    return numerals.localised(f"{value:.4g}")


@register.filter
def decimal(value: float | None, digits: int = 2) -> str:
    """A figure with a true minus, and none before a zero: 0.41, 6.10, −0.25."""
    return numerals.fixed(value, digits) if _measured(value) else DASH


@register.filter
def count(value: int | None) -> str:
    return numerals.whole(value) if _measured(value) else DASH


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    return DASH if amount is None else numerals.money(amount, currency)


@register.filter
def rate(amount: Decimal, currency: str) -> str:
    """What one answer or one hour is paid."""
    return numerals.rate(amount, currency)


@register.filter
def span(seconds: float | None) -> str:
    """A length of time in its two largest units: 41 s, 3 min 20 s, 2 h 10 min, 3 d 4 h."""
    if not _measured(seconds):
        return DASH
    whole = int(seconds)
    for size, unit, smaller, small in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{numerals.fixed(seconds, 1)} s" if 0 < seconds < 3 else f"{whole} s"


@register.filter
def moment(when: dt.datetime | None) -> str:
    return numerals.moment(when) if when else DASH


@register.filter
def at_zone(when: dt.datetime | None, zone: str) -> str:
    """A moment as the clocks of a time zone have it: 31 Mar 2027, 18:00 (Europe/Berlin)."""
    return numerals.at_zone(when, zone) if when else DASH


@register.filter
def short_hash(sha256: str) -> str:
    """3f9c…a1, enough to tell two apart on a page; the whole hash is in the title."""
    return f"{sha256[:4]}…{sha256[-2:]}" if sha256 else "–"


@register.filter
def get(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key)


@register.filter
def codes(keys: Iterable[str]) -> str:
    """The KeyboardEvent codes of printed keys, for data-codes."""
    return " ".join(code for key in keys for code in CODES[key])


@register.filter
def seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


GUARDS = {
    "valid_text": gettext_lazy("Valid text"),
    "kl": gettext_lazy("KL to the first policy, nats"),
    "length_growth": gettext_lazy("Length against the first policy"),
    "duplicates": gettext_lazy("Repeats of another sample"),
}


@register.filter
def guard_title(name: str) -> str:
    return str(GUARDS.get(name, words(name)))


@register.filter
def guard_sentence(guard: dict[str, Any]) -> str:
    """What an evaluation said in English, in the reader's language."""
    name, figures = guard["name"], (guard["value"], guard["limit"])
    if name not in runs.GUARDS:
        return str(guard["sentence"])
    written = (percent(one, 1) if name in runs.SHARES else decimal(one, 2) for one in figures)
    return translated(runs.GUARDS[name]) % dict(zip(("value", "limit"), written, strict=True))


@register.filter
def guard_value(guard: dict[str, Any]) -> str:
    """The figure with its limit: 6.1 of 25, 98.2 % (at least 95 %)."""
    value, limit = guard["value"], guard["limit"]
    if guard["name"] == "valid_text":
        shown = {"value": percent(value, 1), "limit": percent(limit)}
        return _("%(value)s · at least %(limit)s") % shown
    if guard["name"] == "duplicates":
        return _of(percent(value, 1), percent(limit))
    if guard["name"] == "length_growth":
        return _of(decimal(value, 2), f"{decimal(limit, 0)} ×")
    return _of(decimal(value, 1), decimal(limit, 0))


def _of(value: str, limit: str) -> str:
    return _("%(value)s of %(limit)s") % {"value": value, "limit": limit}


@register.filter
def check_value(check: dict[str, Any]) -> str:
    value = check["value"]
    if not _measured(value):
        return DASH
    if check["form"] == "percent":
        return percent(value, 1)
    text = decimal(100 * value, 0)
    signed = text if text.startswith(("−", "0")) else f"+{text}"
    if check["form"] != "points":
        return f"{signed} %"
    many = abs(round(100 * value))
    return ngettext("%(n)s point", "%(n)s points", many) % {"n": signed}


SIDES = {"left": gettext_lazy("left"), "right": gettext_lazy("right")}


@register.filter
def said(label: Label) -> str:
    """What a label says: "left, slightly better" or "tie" of a pair alone, by the side shown; of
    any other form its parts in words, with the letters that the rater saw."""
    parts = label.answer.get("parts", {})
    if [part["type"] for part in parts.values()] != ["pairwise"]:
        asked = label.question_version.parts
        return translated(questions.words_of(asked, label.answer, label.order)) or DASH
    for part in parts.values():
        if part.get("outcome") != "prefer":
            return words(part.get("outcome", ""))
        side = SIDES["left" if label.order and part["chosen"] == label.order[0] else "right"]
        return f"{side}, {words(part['strength'])}" if part.get("strength") else str(side)
    return DASH
