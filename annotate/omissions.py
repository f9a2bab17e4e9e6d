"""What a job left out of its data and why, and how many prompts it had to cut, in words"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotate import numerals
from annotate.language import translated

# By the reasons under which training counts them (training.data, training.methods). A reason that
# is not here is shown in its own word: what was left out is never kept quiet.
WHY = {
    "tied": gettext_lazy("neither answer was preferred"),
    "identical texts": gettext_lazy("both answers are the same text"),
    "too long": gettext_lazy("prompt and answer together are longer than the run takes"),
    "cut off": gettext_lazy("the answer ended at its length limit"),
    "empty": gettext_lazy("the answer is empty"),
}


def of(result: dict[str, Any]) -> list[str]:
    """One sentence for each kind of loss in a job's result; none where nothing was lost."""
    dropped: dict[str, int] = result.get("dropped") or {}
    said = [_left_out(n, why) for why, n in sorted(dropped.items()) if n]
    cut = result.get("prompts_cut") or 0
    return [*said, _prompts_cut(cut)] if cut else said


def _left_out(n: int, why: str) -> str:
    reason = str(WHY.get(why) or translated(why))
    return _("%(n)s left out (%(why)s).") % {"n": numerals.whole(n), "why": reason}


def _prompts_cut(n: int) -> str:
    said = ngettext(
        "%(n)s prompt is longer than the model's context: its oldest part was cut.",
        "%(n)s prompts are longer than the model's context: their oldest part was cut.",
        n,
    )
    return said % {"n": numerals.whole(n)}
