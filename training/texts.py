"""What a text alone tells: whether it repeats itself, and how near it is to a reference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

ORDERS = 4  # of n-grams, as BLEU-4


def repeats(text: str) -> bool:
    """Whether three words in a row occur three times."""
    words = text.lower().split()
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return any(trigrams.count(three) >= 3 for three in set(trigrams))


def sentence_bleu(text: str, reference: str) -> float:
    """Smoothed sentence BLEU in [0, 1] on lower-case words between spaces.

    The geometric mean of n-gram precisions for n = 1 .. 4, one added to both counts for n > 1
    (Lin and Och, 2004), times the brevity penalty exp(1 - r / c). Not sacreBLEU's number, which
    has a tokenizer of its own and is meant for whole corpora.

    "a b c" for "a b d": 2/3, (1 + 1)/(2 + 1), (0 + 1)/(1 + 1), (0 + 1)/(0 + 1)
    -> (2/3 * 2/3 * 1/2 * 1) ** .25 = .6866.
    """
    said, wanted = text.lower().split(), reference.lower().split()
    if not said or not wanted:
        return 0.0
    logs = 0.0
    for order in range(1, ORDERS + 1):
        found, total = _matches(said, wanted, order)
        smooth = order > 1
        if not found + smooth:
            return 0.0
        logs += math.log((found + smooth) / (total + smooth)) / ORDERS
    return math.exp(logs + min(0.0, 1 - len(wanted) / len(said)))


def _matches(said: Sequence[str], wanted: Sequence[str], order: int) -> tuple[int, int]:
    """(n-grams of said that wanted has, each as often as it has it; all n-grams of said)."""
    have, allowed = _ngrams(said, order), _ngrams(wanted, order)
    return sum((have & allowed).values()), sum(have.values())


def _ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))
