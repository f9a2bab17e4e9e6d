"""How good a campaign's labels are: agreement by measure, and each rater's leanings. Pure.

Figures of people hold people's labels alone, and likewise those of programs and of simulated
raters. Everything is a figure with its interval, or a sentence that says why there is none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from labeling import (
    beside,
    coefficients,
    conditions,
    difficulty,
    group_differences,
    over_time,
    rater_figures,
)
from labeling.group_differences import Leanings
from labeling.measures import Measure, Reader, Said
from labeling.questions import Parts
from labeling.rater_figures import Lengths, Seen

VERSION = 4  # of the report's form
VERDICTS = ("pairwise", "ranking", "rating", "thumbs")  # kinds that say which is better


def report(
    rows: Iterable[Said],
    parts: Parts,
    lengths: Mapping[int, int] | None = None,
    groups: Mapping[int, set[int]] | None = None,
    similarity: Mapping[int, float] | None = None,
) -> dict[str, Any]:
    """The figures of raters of one kind, as plain data. ``lengths`` are those of the completions'
    texts in characters, for as many as length bias is to be seen in; ``groups`` are the raters of
    each group, by its id; ``similarity``, 0 to 1, is that of a comparison's two texts, by its id.
    """
    reader = Reader(parts)
    raters: dict[int, Seen] = defaultdict(Seen)
    pairs = Lengths(lengths or {})
    given: Counter[str] = Counter()
    comparisons = set()
    compared = next((key for key, part in parts.items() if part.get("type") == "pairwise"), "")
    for said in reader.read(rows):
        stored = said.parts.get(compared)
        raters[said.rater].see(said, stored)
        comparisons.add(said.comparison)
        if stored is not None:
            pairs.see(said, stored)
            given[_given(stored)] += 1
    measures = sorted(reader.measures.values(), key=lambda one: (one.part, one.name))
    judged_by = _judged_by(measures, parts, compared)
    others, hard = beside.others(judged_by)
    return {
        "version": VERSION,
        "labels": sum(one.labels for one in raters.values()),
        "comparisons": len(comparisons),
        "measures": [coefficients.of_measure(measure) for measure in measures],
        "strengths": conditions.by_strength(judged_by),
        "similarity": conditions.by_similarity(judged_by, similarity or {}),
        "side": asdict(rater_figures.firsts(raters.values())),
        "length": asdict(pairs.effect()),
        "weeks": over_time.by_week(judged_by),
        "guidelines": over_time.by_guideline(judged_by),
        "given": dict(given),
        "judged_by": [judged_by.part, judged_by.name] if judged_by else [],
        "raters": rater_figures.of_all(raters, pairs, others),
        "groups": group_differences.report(judged_by, _leanings(raters, pairs), groups or {}),
        "difficulty": difficulty.report(judged_by, hard),
    }


def _leanings(raters: Mapping[int, Seen], pairs: Lengths) -> Leanings:
    """Counted already, rater by rater."""
    found = Leanings()
    for pk, one in raters.items():
        if one.sided + one.ties:
            found.counts["ties"][pk] = [one.ties, one.ties + one.sided]
            found.counts["first"][pk] = [one.first, one.sided]
    for doublings, chosen, pk in zip(pairs.doublings, pairs.chosen, pairs.raters, strict=True):
        if doublings:
            found.see("longer", pk, bool(chosen) == (doublings > 0))
    return found


def _given(stored: dict[str, Any]) -> str:
    """What a comparison came to: its strength, "prefer" without one, else its outcome."""
    if stored["outcome"] != "prefer":
        return str(stored["outcome"])
    return str(stored.get("strength") or "prefer")


def _judged_by(measures: list[Measure], parts: Parts, compared: str) -> Measure | None:
    """What raters are held against each other by: the comparison, else the aspect that prefers,
    else the first verdict by name."""
    by_name = {(one.part, one.name): one for one in measures}
    wanted = [(compared, "")]
    wanted += [(key, str(part.get("prefer_by", ""))) for key, part in parts.items()]
    found = (by_name[key] for key in wanted if key in by_name)
    verdicts = (one for one in measures if one.kind in VERDICTS)
    return next(found, None) or next(verdicts, measures[0] if measures else None)
