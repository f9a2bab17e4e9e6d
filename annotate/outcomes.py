"""What else is to be known of how a run ended: that guards only warned, which checkpoint it
published where that was not the last step, when it stopped waiting for a better one, and what a
judge behind an endpoint was asked."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate import numerals
from annotate.language import translated
from models_runtime.phrases import restored


def of(result: dict[str, Any]) -> list[str]:
    """Sentences on a training job's result; none where nothing warned and the last step was
    published."""
    told = _warned(result.get("metrics") or {}) + _best(result.get("best") or {})
    return told + _judged(result.get("judge") or {})


def _judged(judge: dict[str, Any]) -> list[str]:
    if not judge:
        return []
    shown = {
        "judged": numerals.whole(judge["answers"] - judge["without_verdict"]),
        "answers": numerals.whole(judge["answers"]),
        "calls": numerals.whole(judge["calls"]),
    }
    if judge["without_verdict"]:
        said = _(
            "The judge gave %(judged)s of %(answers)s answers a number, in %(calls)s requests; "
            "the others count as the middle of its scale."
        )
    else:
        said = _("The judge gave all of %(answers)s answers a number, in %(calls)s requests.")
    return [said % shown]


def _warned(metrics: dict[str, Any]) -> list[str]:
    """The last warning, by whatever guard."""
    told = metrics if "warnings" in metrics else metrics.get("train") or {}
    if not told.get("warnings"):
        return []
    said = ngettext(
        "Guards of this run only warned, %(n)s time: %(last)s",
        "Guards of this run only warned, %(n)s times, at last: %(last)s",
        told["warnings"],
    )
    return [
        said
        % {
            "n": numerals.whole(told["warnings"]),
            "last": translated(restored(told["last_warning"])),
        }
    ]


def _best(best: dict[str, Any]) -> list[str]:
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
