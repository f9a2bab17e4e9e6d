"""Completions that are put to raters beside an iteration's own, in a batch with tags.

Their comparisons belong to no iteration: they wait for raters whatever an iteration does, count
towards no target, and every list and frozen row tells them by the batch's tags. A snapshot leaves
them out where that is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from django.db import transaction

from labeling.comparisons import Candidates, candidates_among, fold_of
from labeling.models import (
    Comparison,
    ComparisonCompletion,
    Prompt,
    SamplingBatch,
)
from models_runtime import pairing
from models_runtime.pairing import Pairing

ACROSS = "across"
OUTSIDE = 0  # the number that a fold is drawn by, and frozen rows have, of what is in no iteration

Duel = tuple[int, int]  # two checkpoints, by id
Found = tuple[int, Pairing]  # with its prompt's id


def build(batch: SamplingBatch, duels: Sequence[Duel], wanted: int, seed: int) -> int:
    """Open comparisons of a batch that was taken in: of each duel its share of ``wanted``, pairs
    of one checkpoint's text against the other's, spread over prompts. How many the batch has.

    Repeating it changes nothing. Identical texts are never shown.
    """
    chosen = choose(candidates_among(batch.completions.all(), {}), duels, wanted, seed)
    with transaction.atomic():
        held = SamplingBatch.objects.select_for_update().select_related(None).get(pk=batch.pk)
        if not held.comparisons.exists():
            _insert(held, chosen, seed)
    return batch.comparisons.count()


def choose(candidates: Candidates, duels: Sequence[Duel], wanted: int, seed: int) -> list[Found]:
    """Of each duel as many pairs as its share, no two of the same texts. Pure."""
    texts = {one.id: one.text_sha for row in candidates.values() for one in row}
    seen: set[tuple[int, frozenset[str]]] = set()
    chosen: list[Found] = []
    for place, duel in enumerate(duels):
        share = wanted // len(duels) + (place < wanted % len(duels))
        kept = 0
        for prompt, pair in _offers(candidates, duel, seed + place):
            key = (prompt, frozenset(texts[pk] for pk in pair.ids))
            if kept < share and key not in seen:
                seen.add(key)
                chosen.append((prompt, pair))
                kept += 1
    return chosen


def _offers(candidates: Candidates, duel: Duel, seed: int) -> Iterator[Found]:
    """Every prompt's first pair, in a drawn order, then every prompt's second."""
    pools = {pk: [one for one in row if one.group in duel] for pk, row in candidates.items()}
    most = max((len(row) ** 2 for row in pools.values()), default=0)
    by_prompt = pairing.choose(pools, ACROSS, seed=seed, count=most)
    prompts = list(by_prompt)
    random.Random(f"tagged/{seed}").shuffle(prompts)
    for layer in zip_longest(*(by_prompt[prompt] for prompt in prompts)):
        for prompt, pair in zip(prompts, layer, strict=True):
            if pair is not None:
                yield prompt, pair


def _insert(batch: SamplingBatch, chosen: Sequence[Found], seed: int) -> None:
    campaign = batch.campaign
    assert campaign is not None
    items = Prompt.objects.filter(pk__in={prompt for prompt, _ in chosen})
    item = dict(items.values_list("pk", "item"))
    draw = random.Random(f"tagged order/{seed}")
    rows = [
        Comparison(
            campaign=campaign,
            prompt_id=prompt,
            batch=batch,
            overlap=campaign.labels_per_comparison,
            slots_left=campaign.labels_per_comparison,
            fold=fold_of(OUTSIDE, item[prompt]),
            shuffle=draw.getrandbits(31),
            strategy=pair.strategy,
            score=pair.score,
            propensity=pair.propensity,
        )
        for prompt, pair in chosen
    ]
    Comparison.objects.bulk_create(rows)
    ComparisonCompletion.objects.bulk_create(
        ComparisonCompletion(comparison=row, completion_id=pk, position=position)
        for row, (_, pair) in zip(rows, chosen, strict=True)
        for position, pk in enumerate(pair.ids)
    )
