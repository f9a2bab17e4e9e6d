"""How the pages write numbers, states and model text."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, TypeGuard

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from annotate import access
from labeling import rendering
from labeling.models import Label

register = template.Library()
EXCERPT = 4_000  # characters
DASH = "–"  # nothing measured; never a zero

# Chip colours by state; a state that is not here is neutral.
TONES = {
    **dict.fromkeys(("open", "running", "sampling", "collecting", "training"), "run"),
    **dict.fromkeys(("evaluating", "registering"), "run"),
    **dict.fromkeys(("succeeded", "promoted", "ready", "complete"), "good"),
    **dict.fromkeys(("paused", "stopped", "review", "missing", "skipped"), "warn"),
    **dict.fromkeys(("failed", "rejected", "cancelled", "deleted", "discarded"), "bad"),
}


@register.filter
def sanitised(html: str) -> SafeString:
    """Declares safe what labeling.rendering made: the only place in Concord that does."""
    return mark_safe(html)


@register.filter
def visible(text: object) -> SafeString:
    """Raw text with its invisible characters spelled out."""
    return sanitised(rendering.visible(str(text)))


@register.filter
def excerpt(text: str) -> SafeString:
    """The beginning of a text, where fifty of a megabyte each may stand on one page."""
    if len(text) <= EXCERPT:
        return visible(text)
    more = _(" … and %(n)s characters more") % {"n": f"{len(text) - EXCERPT:,}"}
    return visible(text[:EXCERPT] + more)


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
    return [_entry(request, name, title) for name, title in entries]


def _entry(request: Any, name: str, title: str) -> dict[str, Any]:
    url = reverse(name)
    return {"url": url, "title": title, "here": request.path == url}


@register.filter
def tone(state: str) -> str:
    return TONES.get(state, "")


@register.filter
def words(value: str) -> str:
    """reward_model as "reward model"."""
    return str(value).replace("_", " ")


def _measured(value: Any) -> TypeGuard[float]:
    """A template gives "" for what is not there."""
    return isinstance(value, int | float) and math.isfinite(value)


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """.641 as "64 %"; nothing measured is a dash, never a zero."""
    return f"{100 * share:.{digits}f} %" if _measured(share) else DASH


@register.filter
def bare(share: float | None, digits: int = 0) -> str:
    """The low end of a range in percent, whose unit stands at the high end: 38 – 44 %."""
    return f"{100 * share:.{digits}f}" if _measured(share) else DASH


@register.filter
def figure(value: float) -> str:
    """A metric at four significant digits."""
    return f"{value:.4g}".replace("-", "−")


@register.filter
def decimal(value: float | None, digits: int = 2) -> str:
    """A figure with a true minus, and none before a zero: 0.41, 6.10, −0.25."""
    if not _measured(value):
        return DASH
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


@register.filter
def count(value: int | None) -> str:
    return f"{value:,}" if _measured(value) else DASH


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
    return f"{seconds:.1f} s" if 0 < seconds < 3 else f"{whole} s"


@register.filter
def moment(when: dt.datetime | None) -> str:
    return DASH if not when else when.strftime("%d %b %Y, %H:%M UTC").lstrip("0")


@register.filter
def short_hash(sha256: str) -> str:
    """3f9c…a1, enough to tell two apart on a page; the whole hash is in the title."""
    return f"{sha256[:4]}…{sha256[-2:]}" if sha256 else "–"


@register.filter
def get(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key)


@register.filter
def seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


GUARDS = {
    "valid_text": "Valid text",
    "kl": "KL to the first policy, nats",
    "length_growth": "Length against the first policy",
    "duplicates": "Repeats of another sample",
}


@register.filter
def guard_title(name: str) -> str:
    return GUARDS.get(name, words(name))


@register.filter
def guard_value(guard: dict[str, Any]) -> str:
    """The figure with its limit: 6.1 of 25, 98.2 % (at least 95 %)."""
    value, limit = guard["value"], guard["limit"]
    if guard["name"] == "valid_text":
        return f"{percent(value, 1)} · at least {percent(limit)}"
    if guard["name"] == "duplicates":
        return f"{percent(value, 1)} of {percent(limit)}"
    unit = " ×" if guard["name"] == "length_growth" else ""
    return f"{decimal(value, 1 if not unit else 2)} of {decimal(limit, 0)}{unit}"


@register.filter
def check_value(check: dict[str, Any]) -> str:
    value = check["value"]
    if not _measured(value):
        return DASH
    if check["form"] == "percent":
        return percent(value, 1)
    unit = " points" if check["form"] == "points" else " %"
    text = decimal(100 * value, 0)
    return ("" if text.startswith(("−", "0")) else "+") + text + unit


@register.filter
def said(label: Label) -> str:
    """What a label says, by the side shown: "left, slightly better", "tie"."""
    for part in label.answer.get("parts", {}).values():
        if part.get("outcome") != "prefer":
            return words(part.get("outcome", ""))
        side = "left" if label.order and part["chosen"] == label.order[0] else "right"
        return f"{side}, {part['strength']}" if part.get("strength") else side
    return "–"
