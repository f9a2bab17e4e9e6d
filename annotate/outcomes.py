"""How a run ended where that was not its last step: which checkpoint it published, and when it
stopped waiting for a better one"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotate import numerals


def of(result: dict[str, Any]) -> list[str]:
    """Sentences on a training job's result; none where the last step was published."""
    best = result.get("best")
    if not best:
        return []
    shown = {
        "metric": best["metric"],
        "value": numerals.localised(f"{best['value']:.4g}"),
        "step": numerals.whole(best["step"]),
        "steps": numerals.whole(best["steps"]),
    }
    said = [_("Published is step %(step)s of %(steps)s: the best %(metric)s, %(value)s.") % shown]
    if "ended_early" in best:
        shown |= {
            "ended": numerals.whole(best["ended_early"]),
            "patience": numerals.whole(best["patience"]),
        }
        early = _(
            "Training ended early, after step %(ended)s: %(metric)s had not improved for "
            "%(patience)s looks."
        )
        said.append(early % shown)
    return said
