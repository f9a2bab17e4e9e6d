"""Many raters' answers to one verdict per comparison. Pure; each way of doing it has a name.

majority   For each pair of completions, on their ids: the outcome (this one, that one, tie) that
           more than half of the votes name; else the pair is undecided and dropped. The strength
           is the lower median of the winning side's strengths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labeling.judgements import SOURCES, Answer, Judged
from models_runtime.records import STRENGTHS, Preference, Strength

NAME = "majority"
# Why a comparison gives no preference; one reason each, the first that holds.
REASONS = ("flagged", "late", "no label that counts", "no majority", "tied", "erased")

Pair = tuple[int, int]  # two completion ids, ascending


@dataclass(frozen=True)
class Verdict:
    """The pairs of one comparison by outcome. ``reason`` says why there is no preference."""

    preferences: list[Preference] = field(default_factory=list)
    ties: list[list[int]] = field(default_factory=list)
    undecided: list[list[int]] = field(default_factory=list)
    labels: int = 0  # that voted
    source: str = ""  # person | program | simulated | mixed
    reason: str = ""
    adjudicated: bool = False  # a lead's own answer, and no majority


@dataclass
class _Votes:
    strengths: dict[int, list[Strength | None]]  # by the completion preferred
    ties: int = 0

    @property
    def total(self) -> int:
        return self.ties + sum(len(votes) for votes in self.strengths.values())


def majority(rows: Iterable[Answer]) -> Verdict:
    """The verdict of answers that all vote. Permuting the answers, or swapping what was shown on
    which side, changes nothing."""
    votes = _count(rows)
    verdict = Verdict()
    for pair in sorted(votes):
        _decide(pair, votes[pair], verdict)
    return verdict


def decide(judged: Judged, sources: Sequence[str] = SOURCES) -> Verdict:
    """The verdict on a comparison by its counted labels of these sources.

    Where people answered, programs and simulated raters have no vote. Where a lead decided, their
    answer is the verdict. A comparison with an unresolved flag has no verdict.
    """
    if judged.flags:
        return Verdict(reason="flagged")
    if judged.resolved is not None and judged.resolved.source in sources:
        return _resolved(judged.resolved, judged.erased)
    voters = voting(judged.answers, sources)
    if not voters:
        late = any(answer.late for answer in judged.answers if answer.source in sources)
        return Verdict(reason="late" if late else "no label that counts")
    found = majority(voters)
    return Verdict(
        found.preferences,
        found.ties,
        found.undecided,
        labels=len(voters),
        source=source_of(voters),
        reason=reason(found, judged.erased),
    )


def _resolved(answer: Answer, erased: int) -> Verdict:
    found = majority([answer])
    return Verdict(
        found.preferences,
        found.ties,
        labels=1,
        source=answer.source,
        reason=reason(found, erased),
        adjudicated=True,
    )


def agreeing(voters: Iterable[Answer], verdict: Verdict) -> float:
    """The share, 0 to 1, of what the voters say of the verdict's decided pairs that is what the
    verdict says: of two votes to one, 2/3. 1 where nothing is decided."""
    votes = _count(voters)
    agreed = said = 0
    for stated in verdict.preferences:
        found = votes[_pair(stated.chosen, stated.rejected)]
        agreed += len(found.strengths[stated.chosen])
        said += found.total
    for tie in verdict.ties:
        found = votes[_pair(*tie)]
        agreed += found.ties
        said += found.total
    return agreed / said if said else 1.0


def voting(answers: Iterable[Answer], sources: Sequence[str] = SOURCES) -> list[Answer]:
    """The answers that have a vote: counted, no hidden repeat, people before all others."""
    able = [a for a in answers if a.counted and a.occasion == 0 and a.source in sources]
    people = [answer for answer in able if answer.source == "person"]
    return people or able


def source_of(voters: Iterable[Answer]) -> str:
    """person, program or simulated, whichever all of them are; else mixed."""
    given = {answer.source for answer in voters}
    return given.pop() if len(given) == 1 else "mixed"


def lower_median(strengths: Iterable[Strength | None]) -> Strength | None:
    """The lower of the middle strengths; None when no vote states one.

    >>> lower_median(["significantly", "slightly"])
    'slightly'
    """
    weakest_first = list(reversed(STRENGTHS))
    ranks = sorted(weakest_first.index(s) for s in strengths if s is not None)
    return weakest_first[ranks[(len(ranks) - 1) // 2]] if ranks else None


def _count(rows: Iterable[Answer]) -> dict[Pair, _Votes]:
    votes: dict[Pair, _Votes] = defaultdict(lambda: _Votes(defaultdict(list)))
    for row in rows:
        for preference in row.preferences:
            pair = _pair(preference.chosen, preference.rejected)
            votes[pair].strengths[preference.chosen].append(preference.strength)
        for tie in row.ties:
            votes[_pair(*tie)].ties += 1
    return votes


def _decide(pair: Pair, votes: _Votes, verdict: Verdict) -> None:
    if 2 * votes.ties > votes.total:
        verdict.ties.append(list(pair))
        return
    for chosen, rejected in (pair, pair[::-1]):
        strengths = votes.strengths.get(chosen, [])
        if 2 * len(strengths) > votes.total:
            strength = lower_median(strengths)
            verdict.preferences.append(Preference(chosen, rejected, strength))
            return
    verdict.undecided.append(list(pair))


def reason(verdict: Verdict, erased: int) -> str:
    """Why a verdict has no preference; empty where it has one."""
    if verdict.preferences:
        return ""
    if verdict.undecided:
        return "no majority"
    if verdict.ties:
        return "tied"
    return "erased" if erased else "no label that counts"


def _pair(one: int, other: int) -> Pair:
    return (one, other) if one < other else (other, one)
