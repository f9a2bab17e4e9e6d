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
    "prompt too long": gettext_lazy("the prompt is longer than the model's context takes"),
    "cut off": gettext_lazy("the answer ended at its length limit"),
    "empty": gettext_lazy("the answer is empty"),
    "weaker than asked": gettext_lazy("the preference is weaker than the filter asks for"),
    "no strength rated": gettext_lazy("nobody rated how strong the preference is"),
    "too little agreement": gettext_lazy("too few labels agree"),
    "tag left out": gettext_lazy("the prompt has a tag that the filter leaves out"),
    "tag not asked for": gettext_lazy("the prompt has no tag that the filter asks for"),
    "category not asked for": gettext_lazy("the prompt is of another group"),
    "before the first day": gettext_lazy("labelled before the filter's first day"),
    "after the last day": gettext_lazy("labelled after the filter's last day"),
    "rater left out": gettext_lazy("a rater whom the filter leaves out had a vote"),
    "not said by the snapshot": gettext_lazy("the snapshot does not say what the filter asks"),
    "held out elsewhere": gettext_lazy("the iteration holds the prompt out for evaluation"),
    "duplicate": gettext_lazy("the same prompt and answers occur before"),
    "beyond its share": gettext_lazy("the mixture's weights leave no room"),
    "left over": gettext_lazy("it would have been alone in its forward pass"),
    "no points": gettext_lazy("nobody gave the answer points for what is learned"),
    "no single best": gettext_lazy("no answer of the comparison is above all others"),
    "circular": gettext_lazy("its preferences contradict each other"),
    "without a reference": gettext_lazy("there is no reference answer to the prompt"),
    "in the middle": gettext_lazy("the answer is neither good nor bad"),
    "not mined": gettext_lazy("the policy's own answer is among the safer ones"),
    "no answer": gettext_lazy("the teacher gave no whole answer"),
    "safety did not rise": gettext_lazy("the teacher's answer is no safer"),
    "rewards alike": gettext_lazy("the best and the worst answer are rewarded alike"),
    "erased": gettext_lazy("the prompt was taken back"),
    "told otherwise": gettext_lazy("the chat template changes an earlier answer"),
}


def of(result: dict[str, Any]) -> list[str]:
    """One sentence for each kind of loss in a job's result, for what repeats and for each part of
    a mixture; none where nothing was lost, repeated or mixed."""
    dropped: dict[str, int] = result.get("dropped") or {}
    said = [_left_out(n, why) for why, n in sorted(dropped.items()) if n]
    cut = result.get("prompts_cut") or 0
    said += [_prompts_cut(cut)] if cut else []
    repeated = result.get("repeated") or 0
    said += [_repeated(repeated)] if repeated else []
    return said + [_drawn(part) for part in result.get("mixture") or []]


def _left_out(n: int, why: str) -> str:
    reason = str(WHY.get(why) or translated(why))
    return _("%(n)s left out (%(why)s).") % {"n": numerals.whole(n), "why": reason}


def _repeated(n: int) -> str:
    said = ngettext(
        "%(n)s row repeats the prompt and the answers of another and was kept.",
        "%(n)s rows repeat the prompt and the answers of another and were kept.",
        n,
    )
    return said % {"n": numerals.whole(n)}


def _drawn(part: dict[str, Any]) -> str:
    return _("Of snapshot %(number)s, %(drawn)s of %(rows)s rows drawn (weight %(weight)s).") % {
        "number": part["snapshot"],
        "drawn": numerals.whole(part["drawn"]),
        "rows": numerals.whole(part["rows"]),
        "weight": f"{part['weight']:g}",
    }


def _prompts_cut(n: int) -> str:
    said = ngettext(
        "%(n)s prompt is longer than the model's context: its oldest part was cut.",
        "%(n)s prompts are longer than the model's context: their oldest part was cut.",
        n,
    )
    return said % {"n": numerals.whole(n)}
