"""How alike the two texts of a card are: the share of their words that both have.

Words are counted here, where texts lie, and no model is needed: Jaccard's coefficient of the two
sets of words, 1 where both have the same words, 0 where they share none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labeling.models import Campaign, Comparison, ComparisonCompletion

MOST = 5_000  # cards that are compared: the newest with two labels or more
READ = 500  # cards whose texts are in memory at a time
CHARACTERS = 4_000  # of a text: further on it hardly changes
_WORD = re.compile(r"\w+")


def of_texts(one: str, other: str) -> float:
    """Jaccard's coefficient (1901) of the sets of words, in lower case; two texts without a word
    are as alike as they are equal.

    >>> of_texts("The sky is blue", "the sky is red")
    0.6
    """
    mine, theirs = (set(_WORD.findall(text[:CHARACTERS].lower())) for text in (one, other))
    if not mine and not theirs:
        return float(one == other)
    return len(mine & theirs) / len(mine | theirs)


def of_cards(campaign: Campaign) -> dict[int, float]:
    """By comparison, of the newest cards of two completions that have two labels or more."""
    cards = Comparison.objects.filter(campaign=campaign, purpose="work").exclude(state="discarded")
    twice = cards.filter(counted__gt=1).order_by("-pk").values_list("pk", flat=True)
    wanted = list(twice[:MOST])
    return {
        card: of_texts(*texts)
        for start in range(0, len(wanted), READ)
        for card, texts in _texts(wanted[start : start + READ])
        if len(texts) == 2
    }


def _texts(cards: list[int]) -> Iterator[tuple[int, list[str]]]:
    rows = ComparisonCompletion.objects.filter(comparison__in=cards).order_by(
        "comparison", "position"
    )
    found: dict[int, list[str]] = {}
    for card, text in rows.values_list("comparison", "completion__text"):
        found.setdefault(card, []).append(text)
    yield from found.items()
