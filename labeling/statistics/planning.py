"""How many labels show what is to be shown: sample sizes for a stated precision."""

from __future__ import annotations

import math

from scipy import special


def labels_for_share(
    half_width: float,
    *,
    share: float = 0.5,
    per_item: int = 1,
    icc: float = 0.0,
    confidence: float = 0.95,
) -> int:
    """Labels after which a share (a win rate) is known to within ± half_width.

    n = z² p (1 - p) / d² (Cochran 1977, section 4.4; p = 1/2 is the worst case), times Kish's
    design effect 1 + (m - 1) ρ (Kish 1965, section 5.4) where each item gets m labels whose
    intraclass correlation is ρ: labels of one item say partly the same.

    >>> labels_for_share(0.05), labels_for_share(0.05, per_item=2, icc=0.5)
    (385, 577)
    """
    plain = _z(confidence) ** 2 * share * (1 - share) / half_width**2
    effect = 1 + (per_item - 1) * min(max(icc, 0.0), 1.0)
    return math.ceil(round(plain * effect, 6))


def items_for_agreement(half_width: float, agreement: float, confidence: float = 0.95) -> int:
    """Items labelled by two raters after which their percent agreement is known to within ±
    half_width: z² a (1 - a) / d², an item being one meeting of two. An agreement of all or none
    says little about a (1 - a), which is then taken at its worst.

    >>> items_for_agreement(0.05, 0.7)
    323
    """
    a = agreement if 0 < agreement < 1 else 0.5
    return labels_for_share(half_width, share=a, confidence=confidence)


def _z(confidence: float) -> float:
    return float(special.ndtri(0.5 + confidence / 2))
