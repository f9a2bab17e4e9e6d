"""A campaign's rule for many raters' labels: chosen by a lead, fitted to its labels, and written
into snapshots as rows with soft labels.

Without a rule every label is frozen as it was given and the preferences are the majority's. With
one the preferences are the rule's, and aggregated.jsonl says of each pair how likely each outcome
is. It holds ids and figures, and no text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from labeling import aggregates, aggregation, checks
from labeling.aggregates import Aggregated, Votes
from labeling.judgements import SOURCES, Judged
from labeling.models import Campaign, User
from labeling.pseudonyms import pseudonym
from models_runtime import audit
from models_runtime.phrases import phrase

NAME = "aggregated.jsonl"


def settle(*, campaign: Campaign, rule: str, actor: User | None = None) -> None:
    """Make ``rule`` the campaign's from now on; "" makes it every label and the majority. Raises
    ValueError for a rule that there is not."""
    check(rule)
    if campaign.aggregation == rule:
        return
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(aggregation=rule)
        data = {"from": campaign.aggregation, "to": rule}
        audit.record(verb="aggregation settled", obj=campaign, actor=actor, data=data)
    campaign.refresh_from_db(fields=["aggregation"])


def check(rule: str) -> None:
    if rule and rule not in aggregates.TITLES:
        raise ValueError(phrase("There is no rule named %(name)s.", name=rule))


def fit(
    campaign: Campaign, rows: Iterable[Judged], rule: str, sources: Sequence[str] = SOURCES
) -> Aggregated:
    """What a rule makes of the votes of these comparisons; gold is looked up where it is used."""
    votes = Votes()
    for row in rows:
        votes.see(row, sources)
    return aggregates.fit(votes, rule, _gold(campaign) if rule == "weighted" else {})


def _gold(campaign: Campaign) -> dict[str, tuple[int, int]]:
    """By pseudonym: answers to hidden gold, (right, of how many)."""
    scores = {
        rater: (score.right, score.n)
        for source in SOURCES
        for rater, score in checks.gold_scores(campaign, source).items()
    }
    key = campaign.project.pseudonym_key
    raters = User.objects.filter(pk__in=scores).only("public_id")
    return {pseudonym(key, rater): scores[rater.pk] for rater in raters}


@dataclass
class Written:
    """What was written of a rule's verdicts so far."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def lines(row: Judged, fitted: Aggregated, written: Written) -> Iterator[dict[str, Any]]:
    """The lines of one comparison: a pair of completion ids each, the lower first."""
    made, plain = fitted.decide(row), aggregation.decide(row)
    written.counts.update(aggregates.counts_of([(made, plain)]))
    if not made.labels or made.adjudicated:
        return
    voters = aggregation.voting(row.answers)
    for pair in sorted({pair for voter in voters for pair, _ in aggregates.stated(voter)}):
        soft = fitted.soft(row.comparison, pair)
        if soft is None:
            continue
        written.rows += 1
        yield {
            "comparison_id": row.comparison,
            "prompt_id": row.prompt,
            "iteration": row.iteration,
            "item": row.item,
            "split": row.split,
            "fold": row.fold,
            "one": pair[0],
            "other": pair[1],
            "p_one": soft.one,
            "p_tie": soft.tie,
            "p_other": soft.other,
            "difficulty": round(soft.difficulty, aggregates.DIGITS),
            "labels": made.labels,
            "source": made.source,
        }
