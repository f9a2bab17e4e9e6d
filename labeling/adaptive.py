"""Adaptive overlap: more labels where raters disagree, up to a most.

A campaign has a least (labels_per_comparison), a most and a rule. When a comparison has as many
labels as it has places, the rule says from those labels whether one more is wanted; then the
comparison has a place more and is open again. That is decided in the transaction of the answer
that completed it, so that no iteration ever takes an undecided comparison for a finished one; an
answer in a campaign of fixed overlap pays nothing for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, FloatField, OuterRef, Subquery, Sum

from labeling import accepted, questions
from labeling.measures import TIE, offered_codes
from labeling.models import Campaign, Comparison, Iteration, Seat, User
from labeling.questions import Parts, live
from labeling.statistics import stopping
from models_runtime import audit
from models_runtime.phrases import phrase

MOST = 25  # labels of a comparison
UNKNOWN = 0.75  # the accuracy of a rater of whom nothing is counted yet
TIES = 0.1  # of pairs, before anything is known of one
ONE, TIED, OTHER = 0, 1, 2

Pair = tuple[int, int]
Votes = dict[Pair, list[tuple[int, float]]]  # (outcome, its rater's accuracy) of each pair


@dataclass(frozen=True)
class Rule:
    """A campaign's settings. ``rule``: "" gives every comparison ``least`` labels; "majority" and
    "belief" (of at least ``sure``) end between that and ``most``."""

    least: int = 1
    rule: str = ""
    most: int = 0
    sure: float = 0.8


@dataclass(frozen=True)
class Savings:
    """``saved`` labels of the ``full`` number that the most for each comparison would take."""

    saved: int
    full: int
    comparisons: int  # that ended with fewer than the most


def of(campaign: Campaign) -> Rule:
    return Rule(
        campaign.labels_per_comparison,
        campaign.more_rule,
        campaign.most_labels,
        campaign.sure_enough,
    )


def change(*, campaign: Campaign, rule: Rule, actor: User | None = None) -> None:
    """Put a rule in force: for whatever becomes complete from now on; the least for comparisons
    that are built from now on. Raises ValueError for a rule that cannot be."""
    check(campaign, rule)
    before = of(campaign)
    if rule == before:
        return
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(
            labels_per_comparison=rule.least,
            more_rule=rule.rule,
            most_labels=rule.most,
            sure_enough=rule.sure,
        )
        audit.record(
            verb="overlap changed",
            obj=campaign,
            actor=actor,
            data={"from": vars(before), "to": vars(rule)},
        )
    campaign.refresh_from_db()


def check(campaign: Campaign, rule: Rule) -> None:
    """Raises ValueError, in one sentence."""
    if rule.rule not in dict([("", ""), *Campaign.MORE]):
        raise ValueError(phrase("There is no such rule."))
    if not 1 <= rule.least <= MOST:
        raise ValueError(phrase("A comparison gets 1 to %(most)s labels.", most=MOST))
    if not rule.rule:
        return
    if not rule.least < rule.most <= MOST:
        raise ValueError(
            phrase("The most is above the least, and at most %(most)s.", most=MOST),
        )
    if rule.rule == "belief" and not 0.5 < rule.sure < 1:
        raise ValueError(phrase("Belief is a share above one half and below 1."))
    if why := why_not(campaign):
        raise ValueError(why)


def why_not(campaign: Campaign) -> str:
    """Why the campaign's overlap cannot adapt, as a sentence; empty where it can."""
    parts = campaign.question.parts if campaign.question else {}
    if live.of(parts) is not None:
        return phrase("Raters talk with models here: nobody else is handed their comparisons.")
    if questions.voting_part(parts) is None:
        return phrase("The question compares nothing: raters cannot agree on which is better.")
    return ""


def reconsider(comparison: Comparison) -> None:
    """Open a comparison that was just completed for one label more, if the campaign's rule wants
    one; for the transaction that completed it. Its own row is held, so that labels that come at
    once are counted one after the other."""
    campaign = comparison.campaign
    if not campaign.more_rule or comparison.state != "complete" or comparison.reserved:
        return
    rows = Comparison.objects.filter(pk=comparison.pk, state="complete", conversation=None)
    votes = votes_of(comparison)
    below = rows.filter(overlap__lt=campaign.most_labels)
    if wants_more(votes, of(campaign), prior(campaign)) and below.update(
        overlap=F("overlap") + 1, slots_left=F("slots_left") + 1, state="open", spared=0
    ):
        comparison.state = "open"
        return
    fewer = rows.filter(overlap__lte=campaign.most_labels)
    fewer.update(spared=campaign.most_labels - F("overlap"))


def votes_of(comparison: Comparison) -> Votes:
    """What the comparison's counted labels say of each pair: people's where people answered, as
    in the verdict (aggregation.decide)."""
    found = list(_labels(comparison))
    people = [row for row in found if row["source"] == "person"]
    votes: Votes = defaultdict(list)
    for row in people or found:
        accuracy = UNKNOWN if row["accuracy"] is None else row["accuracy"]
        for pair, outcome in _outcomes(row):
            votes[pair].append((outcome, accuracy))
    return votes


def wants_more(votes: Votes, rule: Rule, prior: tuple[float, float, float]) -> bool:
    """Whether one more label is wanted for any of the pairs. Where none says anything of a pair
    (all are unsure), one is."""
    if not votes:
        return True
    if rule.rule == "majority":
        return any(stopping.more_decide(_counts(said), rule.most) for said in votes.values())
    return any(max(stopping.belief(said, prior)) < rule.sure for said in votes.values())


def prior(campaign: Campaign) -> tuple[float, float, float]:
    """Of one, tie and other: what is believed of a pair before any label."""
    ties = TIES if _offers_ties(campaign.question.parts if campaign.question else {}) else 0.0
    return ((1 - ties) / 2, ties, (1 - ties) / 2)


def savings(campaign: Campaign) -> Savings:
    """Of the comparisons that ended with fewer labels than the most, beside all counted labels."""
    rows = Comparison.objects.filter(campaign=campaign, state="complete", spared__gt=0)
    found = rows.aggregate(saved=Sum("spared"), n=Sum(F("spared") * 0 + 1))
    counts = Iteration.objects.filter(campaign=campaign).aggregate(
        people=Sum("labels_people"), others=Sum("labels_others")
    )
    given = (counts["people"] or 0) + (counts["others"] or 0)
    saved = found["saved"] or 0
    return Savings(saved, given + saved, found["n"] or 0)


def _labels(comparison: Comparison) -> Iterable[Mapping[str, Any]]:
    seats = Seat.objects.filter(rater=OuterRef("rater"), campaign=comparison.campaign_id)
    accuracy = Subquery(seats.values("accuracy")[:1], output_field=FloatField())
    rows = accepted.of(comparison.labels.all()).filter(accepted.counted())
    return rows.annotate(accuracy=accuracy).values(
        "source",
        "answer",
        "accuracy",
        "question_version__parts",
        "question_version__trains_on",
    )


def _outcomes(row: Mapping[str, Any]) -> Iterable[tuple[Pair, int]]:
    asked, turned = row["question_version__parts"], row["question_version__trains_on"]
    preferences, ties = questions.preferences_of(asked, row["answer"], turned)
    for one in preferences:
        low, high = sorted((one.chosen, one.rejected))
        yield (low, high), ONE if one.chosen == low else OTHER
    for tie in ties:
        low, high = sorted(tie)
        yield (low, high), TIED


def _counts(said: Iterable[tuple[int, float]]) -> list[int]:
    outcomes = [outcome for outcome, _ in said]
    return [outcomes.count(outcome) for outcome in (ONE, TIED, OTHER)]


def _offers_ties(parts: Parts) -> bool:
    voter = questions.voting_part(parts)
    if voter is None or parts[voter]["type"] != "pairwise":
        return True
    return TIE in offered_codes(parts[voter])
