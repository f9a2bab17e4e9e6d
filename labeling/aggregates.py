"""Rules that make one verdict of many raters' answers, each with its soft label. Pure.

A rule sees all votes of a campaign at once: of each pair of completions, who preferred which, or
tied them. It gives each pair how likely the one, a tie and the other are (its soft label), and
each rater how much they count. What is likelier than all else together is the verdict; a pair
without such an outcome is undecided. Which of two completions is the one changes nothing.

    majority       shares of the votes
    weighted       shares of votes that weigh ln(a / (1 - a)) for a rater right in a of their
                   answers (Nitzan and Paroush 1982): on gold where they answered enough of it,
                   else as learned from all raters (reliability.one_coin)
    dawid_skene    Dawid and Skene (1979): each rater has a table of what they say of what is so
    mace           Hovy et al. (2013): a rater knows, or answers by a habit of their own
    bradley_terry  Chen et al. (2013): completions have strengths, raters a reliability; of pairs
                   that share completions each says something of the others
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from labeling import aggregation
from labeling.aggregation import Pair, Verdict
from labeling.judgements import SOURCES, Answer, Judged
from labeling.statistics import latent, reliability
from labeling.statistics.estimates import Codes, Floats
from labeling.statistics.reliable_strengths import crowd_bradley_terry
from models_runtime.phrases import phrase
from models_runtime.records import Preference, Strength

TITLES = {
    "majority": phrase("Majority"),
    "weighted": phrase("Votes weighed by accuracy"),
    "dawid_skene": phrase("Dawid and Skene"),
    "mace": phrase("MACE"),
    "bradley_terry": phrase("Bradley–Terry with rater reliability"),
}
COUNTED = (
    phrase("preferences"),
    phrase("ties"),
    phrase("undecided"),
    phrase("other than the majority"),
)
OTHER, TIE, ONE = 0, 1, 2  # the one is the lower id
ENOUGH_GOLD = 10  # answers to gold from which on they say how often a rater is right
FEWEST = 3  # raters from whom anything is learned of one by way of the others
SURE = 0.99  # no rater counts as right more often, nor as wrong
DIGITS = 6  # of what is written: the same on every machine


@dataclass
class Votes:
    """All votes, one by one: ``items`` number the pairs, ``raters`` the raters."""

    items: array[int] = field(default_factory=lambda: array("q"))
    raters: array[int] = field(default_factory=lambda: array("q"))
    said: array[int] = field(default_factory=lambda: array("b"))
    pairs: dict[tuple[int, int, int], int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)

    def see(self, row: Judged, sources: Sequence[str] = SOURCES) -> None:
        """The answers of one comparison that vote; none of one that is flagged."""
        if row.flags:
            return
        for answer in aggregation.voting(row.answers, sources):
            for pair, outcome in stated(answer):
                self._add((row.comparison, *pair), answer.rater, outcome)

    def _add(self, key: tuple[int, int, int], rater: str, outcome: int) -> None:
        self.items.append(self.pairs.setdefault(key, len(self.pairs)))
        self.raters.append(self.people.setdefault(rater, len(self.people)))
        self.said.append(outcome)

    def columns(self) -> tuple[Codes, Codes, Codes]:
        columns = (self.items, self.raters, self.said)
        items, raters, said = (np.array(one, dtype=np.int64) for one in columns)
        return items, raters, said


@dataclass(frozen=True)
class Soft:
    """How likely the lower id, a tie and the higher id are; they add up to 1."""

    one: float
    tie: float
    other: float

    @property
    def difficulty(self) -> float:
        """The entropy over its greatest: 0 when one outcome is sure, 1 when nothing is known."""
        shares = np.array([self.one, self.tie, self.other])
        return float(special.entr(shares).sum()) / math.log(3)

    def preferred(self, chosen: int, rejected: int) -> float:
        """How likely ``chosen`` is preferred, a tie counting half."""
        return (self.one if chosen < rejected else self.other) + self.tie / 2


@dataclass(frozen=True)
class Aggregated:
    """What a rule made of the votes: ``shares`` (pairs, 3) of OTHER, TIE and ONE, and how much
    each rater counts, between -1 and 1 or as a share, by the rule's own measure."""

    rule: str
    pairs: Mapping[tuple[int, int, int], int]
    shares: Floats
    raters: dict[str, float]

    def soft(self, comparison: int, pair: Pair) -> Soft | None:
        """The soft label of a pair of completion ids, ascending; None where nobody voted."""
        place = self.pairs.get((comparison, *pair))
        if place is None:
            return None
        other, tie, one = (float(share) for share in self.shares[place])
        return Soft(one, tie, other)

    def decide(self, row: Judged, sources: Sequence[str] = SOURCES) -> Verdict:
        """The verdict on a comparison: as aggregation.decide's but for the votes' weight. What a
        lead decided stays."""
        plain = aggregation.decide(row, sources)
        if plain.adjudicated or not (plain.preferences or plain.ties or plain.undecided):
            return plain
        voters = aggregation.voting(row.answers, sources)
        verdict = replace(plain, preferences=[], ties=[], undecided=[])
        for pair in sorted({pair for voter in voters for pair, _ in stated(voter)}):
            self._decide(row.comparison, pair, voters, verdict)
        return replace(verdict, reason=aggregation.reason(verdict, row.erased))

    def _decide(
        self, comparison: int, pair: Pair, voters: Sequence[Answer], verdict: Verdict
    ) -> None:
        soft = self.soft(comparison, pair)
        if soft is None or max(soft.one, soft.tie, soft.other) <= 0.5 + 1e-9:
            verdict.undecided.append(list(pair))
        elif soft.tie > 0.5:
            verdict.ties.append(list(pair))
        else:
            chosen, rejected = pair if soft.one > 0.5 else pair[::-1]
            strength = aggregation.lower_median(_strengths(voters, chosen, rejected))
            verdict.preferences.append(Preference(chosen, rejected, strength))


def fit(votes: Votes, rule: str, gold: Mapping[str, tuple[int, int]] | None = None) -> Aggregated:
    """What ``rule`` makes of the votes. ``gold``: of each rater, (right, of how many) answers to
    gold. Raises ValueError for a rule that there is not."""
    if rule not in _RULES:
        raise ValueError(phrase("There is no rule named %(name)s.", name=rule))
    if not votes.pairs:
        return Aggregated(rule, {}, np.empty((0, 3)), {})
    shares, counts = _RULES[rule](votes, gold or {})
    raters = {
        name: round(float(counts[place]), DIGITS)
        for name, place in sorted(votes.people.items())
        if np.isfinite(counts[place])
    }
    return Aggregated(rule, votes.pairs, np.round(shares, DIGITS), raters)


def stated(answer: Answer) -> Iterable[tuple[Pair, int]]:
    """The pairs of an answer, ids ascending, each with its outcome."""
    for one in answer.preferences:
        lower = one.chosen < one.rejected
        pair = (one.chosen, one.rejected) if lower else (one.rejected, one.chosen)
        yield pair, ONE if lower else OTHER
    for first, second in answer.ties:
        yield (min(first, second), max(first, second)), TIE


def counts_of(rows: Iterable[tuple[Verdict, Verdict]]) -> Counter[str]:
    """Of verdicts by a rule, each beside the majority's: how many pairs came to what."""
    found: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    for made, majority in rows:
        found["preferences"] += len(made.preferences)
        found["ties"] += len(made.ties)
        found["undecided"] += len(made.undecided)
        found["other than the majority"] += _differing(made, majority)
    return found


def _differing(made: Verdict, majority: Verdict) -> int:
    before = {(p.chosen, p.rejected) for p in majority.preferences}
    ties = {tuple(tie) for tie in majority.ties}
    now = {(p.chosen, p.rejected) for p in made.preferences}
    return len(now - before) + len({tuple(tie) for tie in made.ties} - ties)


def _strengths(voters: Sequence[Answer], chosen: int, rejected: int) -> Iterable[Strength | None]:
    for voter in voters:
        for one in voter.preferences:
            if (one.chosen, one.rejected) == (chosen, rejected):
                yield one.strength


Made = tuple[Floats, Floats]  # shares (pairs, 3), and what each rater counts for (raters,)


def _majority(votes: Votes, gold: Mapping[str, tuple[int, int]]) -> Made:
    items, _, said = votes.columns()
    table = latent.votes(items, said, 3)
    return table / table.sum(axis=1, keepdims=True), np.ones(len(votes.people))


def _weighted(votes: Votes, gold: Mapping[str, tuple[int, int]]) -> Made:
    items, raters, said = votes.columns()
    accuracy = _accuracies(votes, gold)
    bounded = np.clip(np.where(np.isfinite(accuracy), accuracy, 0.75), 0.5, SURE)
    weights = special.logit(bounded)
    if not weights.any():
        weights = np.ones(len(weights))
    table = latent.votes(items, said, 3, weights[raters])
    total = table.sum(axis=1, keepdims=True)
    plain = latent.votes(items, said, 3)
    shares = np.where(total > 0, table, plain) / np.where(
        total > 0, total, plain.sum(axis=1, keepdims=True)
    )
    return shares, accuracy


def _accuracies(votes: Votes, gold: Mapping[str, tuple[int, int]]) -> Floats:
    """(raters,): how often each is right; NaN of whom nothing is known."""
    items, raters, said = votes.columns()
    found = np.full(len(votes.people), np.nan)
    if len(found) >= FEWEST and len(np.unique(said)) > 1:
        learned = reliability.one_coin(items, raters, *_categories(said), paired=True)
        found = learned.accuracy.copy()
    for name, (right, n) in gold.items():
        if n >= ENOUGH_GOLD and name in votes.people:
            found[votes.people[name]] = (right + 1) / (n + 2)  # Laplace's: never sure
    return found


def _dawid_skene(votes: Votes, gold: Mapping[str, tuple[int, int]]) -> Made:
    items, raters, said = _turned(votes)
    found = latent.dawid_skene(items, raters, *_categories(said), smoothing=0.01, tolerance=1e-6)
    return _three(found.posterior[: len(votes.pairs)]), found.competence


def _mace(votes: Votes, gold: Mapping[str, tuple[int, int]]) -> Made:
    items, raters, said = _turned(votes)
    found = latent.mace(items, raters, *_categories(said), restarts=4)
    return _three(found.posterior[: len(votes.pairs)]), found.competence


def _bradley_terry(votes: Votes, gold: Mapping[str, tuple[int, int]]) -> Made:
    """Completions are the same thing wherever they meet: ids are numbered over all pairs."""
    items, raters, said = votes.columns()
    ids = np.array([key[1:] for key in votes.pairs], dtype=np.int64)
    one, other = np.unique(ids, return_inverse=True)[1].reshape(ids.shape).T
    up, down, tied = said == ONE, said == OTHER, said == TIE
    first, second = one[items], other[items]
    winners = np.concatenate([first[up], second[down], first[tied], second[tied]])
    losers = np.concatenate([second[up], first[down], second[tied], first[tied]])
    who = np.concatenate([raters[up], raters[down], raters[tied], raters[tied]])
    weights = np.ones(len(who))
    weights[len(who) - 2 * int(tied.sum()) :] = 0.5
    size = int(max(one.max(), other.max())) + 1
    found = crowd_bradley_terry(winners, losers, who, size, weights=weights)
    wins = found.wins(one, other)
    return np.column_stack([1 - wins, np.zeros(len(wins)), wins]), found.reliability


def _turned(votes: Votes) -> tuple[Codes, Codes, Codes]:
    """Every vote as it is, and once more with the two completions exchanged, as votes on pairs of
    their own: so that ids change nothing."""
    items, raters, said = votes.columns()
    both = np.concatenate([items, items + len(votes.pairs)])
    return both, np.concatenate([raters, raters]), np.concatenate([said, ONE - said])


def _categories(said: Codes) -> tuple[Codes, int]:
    """Where nobody ever tied there are two outcomes."""
    return (said, 3) if (said == TIE).any() else (said // 2, 2)


def _three(posterior: Floats) -> Floats:
    if posterior.shape[1] == 3:
        return posterior
    return np.column_stack([posterior[:, 0], np.zeros(len(posterior)), posterior[:, 1]])


_RULES: dict[str, Callable[[Votes, Mapping[str, tuple[int, int]]], Made]] = {
    "majority": _majority,
    "weighted": _weighted,
    "dawid_skene": _dawid_skene,
    "mace": _mace,
    "bradley_terry": _bradley_terry,
}
