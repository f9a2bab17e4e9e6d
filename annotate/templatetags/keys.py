"""A rater's own keys, for the pages that print them."""

from __future__ import annotations

from django import template

from annotate import keys

register = template.Library()


@register.simple_tag(takes_context=True)
def shortcuts(context: template.Context) -> keys.Keys:
    """The keys of whoever the page is for."""
    return keys.of(context["request"].user)
