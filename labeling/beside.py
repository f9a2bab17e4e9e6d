"""Each rater beside the others of the same items: agreement, accuracy, competence, drift. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from labeling.agreement import wilson
from labeling.measures import TIE, Measure
from labeling.statistics import chance, latent, reliability
from labeling.statistics.estimates import (
    ALL_THE_SAME,
    NOBODY_TWICE,
    Codes,
    Estimate,
    Floats,
    undefined,
)
from models_runtime.phrases import phrase

SURE = 0.998  # one of five hundred raters who are like the others is told apart from them
NEAR = 0.04  # accuracy above luck that is next to nothing
CATEGORIES = 3  # the most for which truth is learned beside the raters
THREE = 3  # raters: two who differ are each as likely to err
FEW_RATERS = phrase("Fewer than three raters judged the same items.")
MANY_KINDS = phrase("It is learned for at most three kinds of answers.")
NOT_TOLD = phrase("Nearly all answers are alike: nothing tells knowing from habit.")


@dataclass(frozen=True)
class Beside:
    """A rater beside the others: agreement over so many cards, and Dawid and Skene's competence.
    ``is_apart``: they agree with others less than others do, by more than chance in 500 raters.
    ``accuracy`` is the share of their answers that are right, as learned from all raters, and
    ``drift`` the change of its log odds a week, with the p-value of none. ``may_guess``: that
    accuracy cannot be told from next to what the rater's own habit would give by luck."""

    agrees: Estimate
    is_apart: bool
    competence: float | None
    accuracy: Estimate
    drift: Estimate
    drift_p: float | None
    may_guess: bool
    rest: float | None = None  # how far the other raters agree with those beside them, on average
    unknown: str = NOBODY_TWICE  # why there is no competence, where there is none


NOT_BESIDE = Beside(
    agrees=undefined(NOBODY_TWICE),
    is_apart=False,
    competence=None,
    accuracy=undefined(NOBODY_TWICE),
    drift=undefined(NOBODY_TWICE),
    drift_p=None,
    may_guess=True,
)


@dataclass(frozen=True)
class _Met:
    """The judgements on items that two or more judged: places of items and of raters."""

    items: Codes
    who: Codes
    codes: Codes  # of as many kinds as ``size``
    size: int
    prompts: Codes  # of each item
    cards: Codes  # of each item
    days: Codes
    paired: bool


def agreeing(measure: Measure, within: Codes | None = None) -> tuple[Floats, Any]:
    """For each judgement: the share of the others on its item that say the same, and whether
    there are others; ``within`` (judgements,) counts as others those of the same number alone."""
    items = measure.column("items")
    if within is not None and len(items):
        items = np.unique(items * (int(within.max()) + 1) + within, return_inverse=True)[1]
    codes = measure.outcomes if measure.paired else measure.column("codes")
    size = 3 if measure.paired else len(measure.values)
    table = chance.counts(items, codes, size)
    same, given = table[items, codes] - 1, table.sum(axis=1)[items] - 1
    judged = given > 0
    return np.divide(same, given, out=np.zeros(len(items)), where=judged), judged


@dataclass(frozen=True)
class Hard:
    """How hard items are, of those that two or more judged: ``cards`` and ``difficulty`` (items,)
    from 0, all are sure, to 1, nothing is known. ``learned``: each rater was weighed by how often
    they are right; else by votes alone."""

    cards: Codes
    difficulty: Floats
    learned: bool


def others(measure: Measure | None) -> tuple[dict[int, Beside], Hard | None]:
    """By rater, where two or more judged the same; and how hard that was to judge."""
    if measure is None:
        return {}, None
    shares, judged = agreeing(measure)
    people, who = np.unique(measure.column("raters")[judged], return_inverse=True)
    if not len(people):
        return {}, None
    means = np.bincount(who, weights=shares[judged]) / np.bincount(who)
    cards = _cards_of_each(measure, judged, who)
    met = _met(measure, judged, who)
    competence = _competence(met, len(people))
    coins = _coins(met, len(people))
    learned = _learned(met, cards, coins) if coins else {}
    why = _why_not(met, len(people)) or NOT_TOLD
    nothing = (undefined(why), undefined(why), None, True)
    found = {}
    for place, pk in enumerate(people):
        mean, n = float(means[place]), int(cards[place])
        rest = float((means.sum() - mean) / (len(means) - 1)) if len(means) > 1 else math.nan
        found[int(pk)] = Beside(
            Estimate(mean, *wilson(mean * n, n), n),
            wilson(mean * n, n, SURE)[1] < rest,
            competence.get(place),
            *learned.get(place, nothing),
            rest if math.isfinite(rest) else None,
            "" if place in competence else why,
        )
    return found, _hard(met, coins)


def _hard(met: _Met, coins: reliability.Coins | None) -> Hard:
    """The entropy of what is believed of each item, over its greatest (as MACE ranks items by;
    Hovy et al. 2013, section 4.3). Of votes alone it is that of their shares."""
    belief = coins.belief if coins else chance.counts(met.items, met.codes, met.size)
    shares = belief / belief.sum(axis=1, keepdims=True)
    entropy = special.entr(shares).sum(axis=1) / math.log(met.size)
    return Hard(met.cards, entropy, coins is not None)


def _cards_of_each(measure: Measure, judged: Any, who: Codes) -> Codes:
    """How many cards each rater shares with others: pairs of one ranking are one card."""
    both = np.unique(np.column_stack([who, measure.column("cards")[judged]]), axis=0)
    counted: Codes = np.bincount(both[:, 0])
    return counted


def _met(measure: Measure, judged: Any, who: Codes) -> _Met:
    """Where no pair ever tied there are two outcomes."""
    codes = (measure.outcomes if measure.paired else measure.column("codes"))[judged]
    _, first, items = np.unique(
        measure.column("items")[judged], return_index=True, return_inverse=True
    )
    size = 3 if measure.paired else len(measure.values)
    if measure.paired and not (codes == 1).any() and TIE not in measure.codes:
        codes, size = codes // 2, 2
    prompts, cards, days = (measure.column(one)[judged] for one in ("prompts", "cards", "days"))
    return _Met(items, who, codes, size, prompts[first], cards[first], days, measure.paired)


def _competence(met: _Met, people: int) -> dict[int, float]:
    """By rater's place; nothing where fewer than three meet, with more than three categories, and
    where all answers are alike.

    Of pairs each judgement is taken as it is and turned round, so that which completion is the one
    changes nothing.
    """
    if people < THREE or met.size > CATEGORIES:
        return {}
    items, who, codes = met.items, met.who, met.codes
    if met.paired:
        items = np.concatenate([items, items + int(items.max()) + 1])
        who, codes = np.concatenate([who, who]), np.concatenate([codes, met.size - 1 - codes])
    found = latent.dawid_skene(items, who, codes, met.size, smoothing=0.01, tolerance=1e-6)
    return {place: float(one) for place, one in enumerate(found.competence) if math.isfinite(one)}


def _coins(met: _Met, people: int) -> reliability.Coins | None:
    """How often each is right, learned from all; None where that cannot be."""
    if _why_not(met, people):
        return None
    return reliability.one_coin(
        met.items, met.who, met.codes, met.size, paired=met.paired, clusters=met.prompts
    )


def _why_not(met: _Met, people: int) -> str:
    """Why nothing can be learned of raters by way of the others, in a sentence."""
    if people < THREE:
        return FEW_RATERS
    if met.size > CATEGORIES:
        return MANY_KINDS
    return ALL_THE_SAME if len(np.unique(met.codes)) < 2 else ""


def _learned(
    met: _Met, cards: Codes, coins: reliability.Coins
) -> dict[int, tuple[Estimate, Estimate, float | None, bool]]:
    """By rater's place: accuracy, drift, its p-value, and whether they may guess."""
    weeks = (met.days - 1) // 7
    order = np.argsort(met.who, kind="stable")
    found = {}
    for place, own in enumerate(np.split(order, np.cumsum(np.bincount(met.who))[:-1])):
        drift, p = reliability.drift(
            coins.right[own], coins.by_error[own], weeks[own].astype(float)
        )
        accuracy = coins.interval(place, int(cards[place]))
        luck = _luck(met, own, coins.belief.mean(axis=0))
        found[place] = (accuracy, drift, p, _is_near(accuracy, luck))
    return found


def _is_near(accuracy: Estimate, luck: float) -> bool:
    return accuracy.low is None or accuracy.low <= luck + NEAR


def _luck(met: _Met, own: Codes, common: Floats) -> float:
    """How often a rater would be right who gave their answers to any items at all."""
    habit = np.bincount(met.codes[own], minlength=met.size) / max(len(own), 1)
    if met.paired:
        habit, common = (habit + habit[::-1]) / 2, (common + common[::-1]) / 2
    return float(habit @ common)
