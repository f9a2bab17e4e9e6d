"""Drawing a card's parts, those that are alike on every card once."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from django import template
from django.template import Context, Engine
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from annotate import keys
from annotate.cards import Part

register = template.Library()


@dataclass(frozen=True)
class _Look:
    """All that the drawing of an instant card's part depends on; equal looks are drawn alike."""

    said: str  # the part's setting and its controls
    language: str
    printed: str  # the rater's keys
    part: Part = field(compare=False)
    keys: keys.Keys = field(compare=False)


@register.simple_tag(takes_context=True)
def drawn(context: Context, part: Part) -> SafeString:
    """A part by its own template. A card that one press answers has buttons alone, the same for
    every comparison: of each kind they are drawn once, which saves an answer a twentieth of its
    time. What somebody is given back is drawn for them."""
    if not context["card"].instant or part.given:
        return Engine.get_default().get_template(part.template).render(context)
    chosen = keys.of(context["request"].user)
    said = repr((part.key, part.type, part.config, part.controls))
    return _buttons(_Look(said, get_language() or "", chosen.json, part, chosen))


@functools.lru_cache(maxsize=256)
def _buttons(look: _Look) -> SafeString:
    shown = Context({"part": look.part, "card": {"instant": True}, "keys": look.keys})
    return Engine.get_default().get_template(look.part.template).render(shown)
