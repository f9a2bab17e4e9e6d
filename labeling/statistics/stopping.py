"""When a comparison has labels enough: two rules for how many raters an item gets.

``more_decide`` is about votes alone and gives the majority that all raters together would have
given; ``belief`` weighs each vote by how often its rater is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

ALWAYS_RIGHT, NEVER_RIGHT = 0.999, 0.001  # no rater is believed to be better, or worse
RARE = 1e-6  # of a category that is not expected at all


def more_decide(votes: Sequence[int], most: int) -> bool:
    """Whether further votes, up to ``most`` in all, could change what a strict majority of
    ``most`` says; ``votes`` are how many each outcome has. With ``most`` 3 two that agree end it.

    Ending where they could not, the majority is that of ``most`` votes, always: either one
    outcome has more than half of ``most`` already, or none can come to it any more.

    >>> more_decide([2, 0], 3), more_decide([1, 1], 3), more_decide([3, 0], 5), more_decide([2], 5)
    (False, True, False, True)
    """
    given, leading = sum(votes), max(votes, default=0)
    left = most - given
    return left > 0 and 2 * leading <= most < 2 * (leading + left)


def belief(votes: Iterable[tuple[int, float]], prior: Sequence[float]) -> list[float]:
    """How likely each category is the right one, by Bayes, after ``votes`` of (category, how often
    its rater is right). ``prior``, a share a category, is what was believed before; errors fall
    on the other categories as often as those are common.

    >>> [round(share, 3) for share in belief([(1, 0.75), (1, 0.75)], [0.5, 0.5])]
    [0.1, 0.9]
    """
    shares = [max(share, RARE) for share in prior]
    logs = [math.log(share) for share in shares]
    for said, accuracy in votes:
        right = min(max(accuracy, NEVER_RIGHT), ALWAYS_RIGHT)
        for category, share in enumerate(shares):
            by_error = (1 - right) * shares[said] / (1 - share)
            logs[category] += math.log(right if category == said else by_error)
    top = max(logs)
    odds = [math.exp(log - top) for log in logs]
    return [one / sum(odds) for one in odds]
