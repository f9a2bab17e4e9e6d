"""What people say of one checkpoint against another, from the comparisons they made blind.

Where an iteration samples two policies, some of its pairs put one against the other. Only pairs
that were chosen at random count here: a strategy that looks for easy or hard pairs would bend
the rate. Identical texts are never shown; they are ties by themselves, and reported apart.

Pairs are drawn among a prompt's distinct texts, and a policy that collapsed says one of them most
of the time. The rate is that of the samples: a label about texts a and b stands for every pair of
a sample of the one policy and one of the other that say a and b, and counts by their number over
the probability with which the pair was drawn (Horvitz and Thompson 1952).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet

from labeling import accepted, questions
from labeling.agreement import cluster_interval
from labeling.models import ComparisonCompletion, Completion, Flag, Iteration, Label
from models_runtime.models import Checkpoint

UNBIASED = ("across", "random")

Texts = dict[int, Counter[tuple[int, str]]]  # by checkpoint: samples by prompt and text


@dataclass(frozen=True)
class Wins:
    """Counts of labels, and win_rate: wins plus half the ties among the samples' pairs of
    different texts, with its 95 % interval clustered by prompt (nan without labels). identical of
    pairs: automatic ties among all pairs of a completion of the one and a completion of the
    other to the same prompt."""

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
    """One label about two checkpoints: 1 the new one wins, 0 it loses, .5 neither. It stands for
    ``weight`` pairs of samples; where both policies said both texts, the value lies between."""

    prompt: int
    value: float
    weight: float = 1.0


def of_iteration(
    iteration: Iteration, source: str = "person", split: str | None = None
) -> Wins | None:
    """The policy of an iteration against the other checkpoint it sampled; None when there is
    none. ``split`` "heldout": only on prompts that no policy was trained on."""
    old = other_sampled(iteration)
    return between(iteration, iteration.policy, old, source, split) if old else None


def other_sampled(iteration: Iteration) -> Checkpoint | None:
    """What an iteration sampled besides its policy."""
    samplers = iteration.batches.values_list("samplers", flat=True)
    sampled = {row["checkpoint"] for rows in samplers for row in rows}
    return Checkpoint.objects.filter(pk__in=sampled - {iteration.policy_id}).first()


def between(
    iteration: Iteration,
    new: Checkpoint,
    old: Checkpoint,
    source: str = "person",
    split: str | None = None,
) -> Wins:
    """Labels in force of one source that compared new with old in this iteration."""
    made = _texts(iteration, (new, old), split)
    ours, theirs = made[new.pk], made[old.pk]
    rows = _labels(iteration, source, split)
    given = votes(rows, ours, theirs, _said(rows))
    identical, pairs = _identical(ours, theirs)
    return summarise(new, old, given, identical, pairs)


def summarise(
    new: Checkpoint, old: Checkpoint, given: list[Vote], identical: int, pairs: int
) -> Wins:
    """Wins of a list of votes. Pure."""
    counts = Counter((vote.value > 0.5) - (vote.value < 0.5) for vote in given)
    prompts = [vote.prompt for vote in given]
    rate = cluster_interval(
        [vote.value for vote in given], prompts, weights=[vote.weight for vote in given]
    )
    return Wins(
        new=new,
        old=old,
        wins=counts[1],
        ties=counts[0],
        losses=counts[-1],
        prompts=len(set(prompts)),
        win_rate=rate.mean,
        low=rate.low,
        high=rate.high,
        identical=identical,
        pairs=pairs,
    )


def votes(
    rows: Iterable[Label],
    ours: Counter[tuple[int, str]],
    theirs: Counter[tuple[int, str]],
    said: Mapping[int, str],
) -> list[Vote]:
    """In the training direction: where a red team picks the worse one, the other one wins.

    ours, theirs: how often the new and the old policy said a text of a prompt; said: the text
    (its sha256) of each completion.
    """
    found = []
    for label in rows:
        for first, second, value in _outcomes(label):
            prompt = label.comparison.prompt_id
            if first not in said or second not in said:
                continue  # what the rater wrote is no policy's
            one, other = (prompt, said[first]), (prompt, said[second])
            for_first, for_second = ours[one] * theirs[other], ours[other] * theirs[one]
            if both := for_first + for_second:
                mean = (value * for_first + (1 - value) * for_second) / both
                chance = _chance(label, ours, theirs, one, other)
                found.append(Vote(prompt, mean, both / chance))
    return found


def _outcomes(label: Label) -> list[tuple[int, int, float]]:
    """(completion, completion, 1 where the first is better, .5 for a tie)."""
    version = label.question_version
    ordered, tied = questions.preferences_of(version.parts, label.answer, version.trains_on)
    won = [(one.chosen, one.rejected, 1.0) for one in ordered]
    return won + [(ids[0], ids[1], 0.5) for ids in tied if len(ids) == 2]


def _chance(
    label: Label,
    ours: Counter[tuple[int, str]],
    theirs: Counter[tuple[int, str]],
    one: tuple[int, str],
    other: tuple[int, str],
) -> float:
    """The probability with which the pair was drawn among its prompt's. For the arm "across" a
    text that both policies said belongs to the one of which a sample was drawn to stand for it."""
    drawn = label.comparison.propensity or 1.0
    if label.comparison.strategy != "across":
        return drawn
    first, second = (ours[key] / (ours[key] + theirs[key]) for key in (one, other))
    return drawn * (first * (1 - second) + second * (1 - first))


def _labels(iteration: Iteration, source: str, split: str | None) -> QuerySet[Label]:
    """Counted, accepted answers of comparisons that nobody flagged and no lead discarded."""
    flagged = Flag.objects.filter(comparison=OuterRef("comparison"), resolved_at__isnull=True)
    rows = Label.objects.filter(
        ~Exists(flagged),
        accepted.rule(),
        accepted.counted(),
        comparison__iteration=iteration,
        comparison__strategy__in=UNBIASED,
        source=source,
    ).exclude(comparison__state="discarded")
    rows = rows.select_related("question_version", "comparison")
    return rows.filter(comparison__prompt__split=split) if split else rows


def _texts(iteration: Iteration, of: Iterable[Checkpoint], split: str | None) -> Texts:
    texts: Texts = {}
    for checkpoint in of:
        rows = Completion.objects.filter(batch__iteration=iteration, checkpoint=checkpoint)
        rows = rows.filter(prompt__split=split) if split else rows
        counted = rows.order_by().values_list("prompt", "text_sha256").annotate(n=Count("pk"))
        texts[checkpoint.pk] = Counter({(prompt, sha): n for prompt, sha, n in counted})
    return texts


def _said(labels: QuerySet[Label]) -> dict[int, str]:
    rows = ComparisonCompletion.objects.filter(comparison__in=labels.values("comparison"))
    return dict(rows.order_by().values_list("completion", "completion__text_sha256"))


def _identical(
    ours: Counter[tuple[int, str]], theirs: Counter[tuple[int, str]]
) -> tuple[int, int]:
    """(pairs with the same text, all pairs) of a completion by new and one by old."""
    identical = sum(n * theirs[key] for key, n in ours.items())
    per_prompt = [_by_prompt(one) for one in (ours, theirs)]
    return identical, sum(n * per_prompt[1][prompt] for prompt, n in per_prompt[0].items())


def _by_prompt(texts: Counter[tuple[int, str]]) -> Counter[int]:
    totals: Counter[int] = Counter()
    for (prompt, _), count in texts.items():
        totals[prompt] += count
    return totals
