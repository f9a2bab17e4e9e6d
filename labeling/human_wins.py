"""What people say of one checkpoint against another, from the comparisons they made blind.

Where an iteration samples two policies, some of its pairs put one against the other. Only pairs
that were chosen at random count here: a strategy that looks for easy or hard pairs would bend
the rate. Identical texts are never shown; they are ties by themselves, and reported apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet

from labeling import questions
from labeling.agreement import cluster_interval
from labeling.models import Completion, Flag, Iteration, Label
from models_runtime.models import Checkpoint

UNBIASED = ("across", "random")


@dataclass(frozen=True)
class Wins:
    """Counts of labels; win_rate is wins plus half the ties, with its 95 % interval clustered by
    prompt (nan without labels). identical of pairs: automatic ties among all pairs of a
    completion of the one and a completion of the other to the same prompt."""

    new: Checkpoint
    old: Checkpoint
    wins: int
    ties: int
    losses: int
    prompts: int
    win_rate: float
    low: float
    high: float
    identical: int
    pairs: int

    @property
    def labels(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def with_identical(self) -> float:
        """The win rate over all pairs, identical ones as ties."""
        same = self.identical / self.pairs if self.pairs else 0.0
        return same / 2 + (1 - same) * self.win_rate


@dataclass(frozen=True)
class Vote:
    """One label about two checkpoints: 1 the new one wins, 0 it loses, .5 neither."""

    prompt: int
    value: float


def of_iteration(iteration: Iteration, source: str = "person") -> Wins | None:
    """The policy of an iteration against the other checkpoint it sampled; None when there is
    none."""
    samplers = iteration.batches.values_list("samplers", flat=True)
    sampled = {row["checkpoint"] for rows in samplers for row in rows}
    old = Checkpoint.objects.filter(pk__in=sampled - {iteration.policy_id}).first()
    return between(iteration, iteration.policy, old, source) if old else None


def between(
    iteration: Iteration, new: Checkpoint, old: Checkpoint, source: str = "person"
) -> Wins:
    """Labels in force of one source that compared new with old in this iteration."""
    identical, pairs = _identical(iteration, new, old)
    return summarise(new, old, votes(iteration, new, old, source), identical, pairs)


def summarise(
    new: Checkpoint, old: Checkpoint, given: list[Vote], identical: int, pairs: int
) -> Wins:
    """Wins of a list of votes. Pure."""
    counts = Counter(vote.value for vote in given)
    prompts = [vote.prompt for vote in given]
    rate = cluster_interval([vote.value for vote in given], prompts)
    return Wins(
        new=new,
        old=old,
        wins=counts[1.0],
        ties=counts[0.5],
        losses=counts[0.0],
        prompts=len(set(prompts)),
        win_rate=rate.mean,
        low=rate.low,
        high=rate.high,
        identical=identical,
        pairs=pairs,
    )


def votes(iteration: Iteration, new: Checkpoint, old: Checkpoint, source: str) -> list[Vote]:
    """In the training direction: where a red team picks the worse one, the other one wins."""
    rows = _labels(iteration, source).select_related("question_version", "comparison")
    makers = dict(
        Completion.objects.filter(
            batch__iteration=iteration, checkpoint__in=(new, old)
        ).values_list("pk", "checkpoint")
    )
    found = []
    for label in rows:
        ids = label.order
        if {makers.get(pk) for pk in ids} == {new.pk, old.pk} and len(ids) == 2:
            found += _votes(label, makers, new)
    return found


def _labels(iteration: Iteration, source: str) -> QuerySet[Label]:
    """Counted answers in force of comparisons that nobody flagged."""
    flagged = Flag.objects.filter(comparison=OuterRef("comparison"), resolved_at__isnull=True)
    return Label.objects.filter(
        ~Exists(flagged),
        comparison__iteration=iteration,
        comparison__strategy__in=UNBIASED,
        kind="answer",
        superseded_by__isnull=True,
        counted=True,
        source=source,
    )


def _votes(label: Label, makers: dict[int, int], new: Checkpoint) -> list[Vote]:
    version = label.question_version
    ordered, tied = questions.preferences_of(version.parts, label.answer, version.trains_on)
    prompt = label.comparison.prompt_id
    won = [Vote(prompt, float(makers[one.chosen] == new.pk)) for one in ordered]
    return won + [Vote(prompt, 0.5) for _ in tied]


def _identical(iteration: Iteration, new: Checkpoint, old: Checkpoint) -> tuple[int, int]:
    """(pairs with the same text, all pairs) of a completion by new and one by old."""
    texts: dict[int, Counter[tuple[int, str]]] = {}
    for checkpoint in (new, old):
        rows = Completion.objects.filter(batch__iteration=iteration, checkpoint=checkpoint)
        counted = rows.order_by().values_list("prompt", "text_sha256").annotate(n=Count("pk"))
        texts[checkpoint.pk] = Counter({(prompt, sha): n for prompt, sha, n in counted})
    ours, theirs = texts[new.pk], texts[old.pk]
    identical = sum(n * theirs[key] for key, n in ours.items())
    per_prompt = [_by_prompt(one) for one in (ours, theirs)]
    return identical, sum(n * per_prompt[1][prompt] for prompt, n in per_prompt[0].items())


def _by_prompt(texts: Counter[tuple[int, str]]) -> Counter[int]:
    totals: Counter[int] = Counter()
    for (prompt, _), count in texts.items():
        totals[prompt] += count
    return totals
