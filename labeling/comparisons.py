"""From a sample job's output to open comparisons: take in its completions, choose pairs.

Both steps may be repeated: the second time they find their rows and change nothing.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import order, rendering, written
from labeling.iterations import Plan, plan_of
from labeling.models import (
    Comparison,
    ComparisonCompletion,
    Completion,
    Iteration,
    Pilot,
    Prompt,
    SamplingBatch,
)
from labeling.order import Order
from models_runtime import pairing
from models_runtime.pairing import Candidate, Pairing
from models_runtime.phrases import phrase
from models_runtime.records import CompletionRecord, read_jsonl

COMPLETIONS, EMBEDDINGS = "completions.jsonl", "embeddings.npy"
JUDGE_SHARE = 1 / 3  # of items: their labels train the reward model that judges
ACROSS_SHARE = 0.2  # of comparisons, when two checkpoints were sampled: one against the other
ROWS_AT_ONCE = 250  # written in some 20 ms; raters' answers wait no longer

Identity = tuple[int, int, int]  # prompt id, sampler index, sample index
Candidates = dict[int, list[Candidate]]  # by prompt id


@dataclass(frozen=True)
class Chosen:
    """A pair of completions of one prompt, and how it came to be chosen."""

    prompt: int
    pair: Pairing
    reserved: bool = False  # for evaluation: no strategy touches it (see order)


def ingest(batch: SamplingBatch, folder: Path) -> dict[str, int]:
    """Completions of a finished sample job as rows, rendered, identical texts linked.

    Rendering takes milliseconds a text, so it is done outside any transaction, and rows go in by
    short ones, a prompt's together; until ingested_at is set nobody is shown one. folder holds
    completions.jsonl. Returns {"completions", "duplicates", "unfinished", "empty"}. Raises
    ValueError when the file names a prompt that is not the campaign's.
    """
    batch = SamplingBatch.objects.select_related("iteration").get(pk=batch.pk)
    if batch.ingested_at is None:
        records = _records(folder)
        _refuse_strangers(batch, records)
        present = set(batch.completions.values_list("prompt", flat=True).distinct())
        for chunk in _chunks([row for row in records if row.prompt_id not in present]):
            _insert_completions(batch, _completions(batch, chunk))
        _finish(batch, _counts(records))
    return batch.counts


def build(iteration: Iteration, folder: Path | None) -> int:
    """Open the comparisons that the iteration's plan asks for, or as many as there are pairs.

    Pairs, or groups of another size, are chosen outside any transaction, always the same ones,
    and inserted by short ones. folder holds the sample job's embeddings.npy where the plan's
    strategy needs one; it is None where cards show the prompt alone and nothing is sampled.
    Returns how many the iteration has. Raises ValueError for a strategy that cannot be followed.
    """
    iteration = Iteration.objects.select_related("campaign").get(pk=iteration.pk)
    plan = plan_of(iteration)
    draw = random.Random(f"pairs/{plan.seed}/{iteration.number}")
    candidates = _candidates(iteration, folder) if folder else _bare_prompts(iteration)
    chosen = select(candidates, plan, draw)
    rows = _comparisons(iteration, plan, chosen, draw)
    if Pilot.objects.filter(campaign=iteration.campaign, decision="").exists():
        _withhold(rows)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        _insert_comparisons(iteration, start, rows[part], chosen[part])
    return iteration.comparisons.count()


def select(
    candidates: Mapping[int, Sequence[Candidate]], plan: Plan, draw: random.Random
) -> list[Chosen]:
    """plan.comparisons pairs, no two of the same texts, spread over prompts as evenly as can be.

    Shares of them come from each arm: the reserved slice, whose prompts are drawn before any
    other's, random pairs that no strategy touches, pairs of one checkpoint against another where
    two were sampled, and the plan's strategy for the rest. Groups of another size than two are
    all random.
    """
    size = plan.completions_per_comparison
    texts = {c.id: c.text_sha for row in candidates.values() for c in row}
    taken: set[tuple[int, frozenset[str]]] = set()
    chosen: list[Chosen] = []
    if kept := round(plan.comparisons * plan.reserve_share):
        count = math.ceil(kept / max(1, len(candidates)))
        offers = _offers(candidates, ("random", size), count, draw)
        chosen = [replace(one, reserved=True) for one in _take(offers, kept, taken, texts)]
    for strategy, wanted in _arms(candidates, plan):
        count = math.ceil(wanted / max(1, len(candidates)))
        offers = _offers(candidates, (strategy, size), count, draw, chosen)
        chosen += _take(offers, wanted, taken, texts)
    # What an arm could not give (too few distinct texts), random pairs fill up.
    count, most = 1, max((len(row) ** 2 for row in candidates.values()), default=0)
    while len(chosen) < plan.comparisons and count < most:
        missing = plan.comparisons - len(chosen)
        offers = _offers(candidates, ("random", size), count, draw, chosen)
        chosen += _take(offers, missing, taken, texts)
        count *= 2
    return chosen


def fold_of(iteration_number: int, item: str) -> str:
    """Which reward model may learn from an item in an iteration: drawn anew in each, by hash."""
    digest = hashlib.sha256(f"fold/{iteration_number}/{item}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "judge" if share < JUDGE_SHARE else "policy"


def _arms(candidates: Mapping[int, Sequence[Candidate]], plan: Plan) -> list[tuple[str, int]]:
    """(strategy, how many pairs), in the order in which they choose."""
    left = plan.comparisons - round(plan.comparisons * plan.reserve_share)
    if plan.completions_per_comparison != 2:
        return [("random", left)]
    groups = {candidate.group for row in candidates.values() for candidate in row}
    across = round(plan.comparisons * ACROSS_SHARE) if len(groups) > 1 else 0
    untouched = round(plan.comparisons * plan.random_share)
    rest = max(0, left - across - untouched)
    return [("across", across), ("random", untouched), (plan.strategy, rest)]


def _offers(
    candidates: Mapping[int, Sequence[Candidate]],
    kind: tuple[str, int],
    count: int,
    draw: random.Random,
    chosen: Sequence[Chosen] = (),
) -> Iterator[Chosen]:
    """Pairs, or groups, of a kind (strategy, completions), at most count a prompt: every prompt's
    best, then every prompt's second best. Prompts with the fewest so far come first, otherwise
    their order is drawn."""
    seed = draw.getrandbits(32)
    strategy, size = kind
    if size == 2:
        by_prompt = pairing.choose(candidates, strategy, seed=seed, count=count)
    else:
        by_prompt = pairing.choose_groups(candidates, size, seed=seed, count=count)
    so_far = Counter(one.prompt for one in chosen)
    prompts = list(by_prompt)
    draw.shuffle(prompts)
    prompts.sort(key=lambda prompt: so_far[prompt])
    for layer in zip_longest(*(by_prompt[prompt] for prompt in prompts)):
        for prompt, pair in zip(prompts, layer, strict=True):
            if pair is not None:
                yield Chosen(prompt, pair)


def _take(
    offers: Iterable[Chosen],
    wanted: int,
    taken: set[tuple[int, frozenset[str]]],
    texts: Mapping[int, str],
) -> list[Chosen]:
    """The first wanted offers whose texts no earlier one has, marked as taken."""
    kept: list[Chosen] = []
    for offer in offers:
        if len(kept) >= wanted:
            break
        key = (offer.prompt, frozenset(texts[pk] for pk in offer.pair.ids))
        if key not in taken:
            taken.add(key)
            kept.append(offer)
    return kept


def _comparisons(
    iteration: Iteration, plan: Plan, chosen: list[Chosen], draw: random.Random
) -> list[Comparison]:
    """A row not yet in the database for each pair."""
    prompts = Prompt.objects.filter(pk__in={c.prompt for c in chosen})
    items = dict(prompts.values_list("pk", "item"))
    places = list(range(len(chosen)))
    draw.shuffle(places)
    people = set(places[: plan.people_only])
    twice = set(draw.sample(places, round(len(places) * plan.double_share)))
    once = iteration.campaign.labels_per_comparison
    rows = [
        _comparison(
            iteration,
            one,
            overlap=max(2, once) if place in twice else once,
            for_people=place in people,
            fold=fold_of(iteration.number, items[one.prompt]),
            shuffle=draw.getrandbits(31),
        )
        for place, one in enumerate(chosen)
    ]
    _put_in_order(rows, prompts, order.of(iteration.campaign), draw)
    return rows


def _put_in_order(
    rows: list[Comparison], prompts: QuerySet[Prompt], wanted: Order, draw: random.Random
) -> None:
    """Give the rows their places, where they are not simply drawn as they are made."""
    if wanted == Order():
        return
    facts = {
        row[0]: row
        for row in prompts.values_list("pk", "category", "language", "tags", "priority")
    }
    asked = [
        order.Facts(*facts[row.prompt_id], row.audience == "person", row.reserved) for row in rows
    ]
    for row, place in zip(rows, order.places(asked, wanted, draw), strict=True):
        row.priority, row.shuffle = place


def _withhold(rows: list[Comparison]) -> None:
    """Nobody gets one before the pilot has drawn its own of them (pilots.py)."""
    for row in rows:
        row.withheld, row.overlap, row.slots_left = row.overlap, 0, 0


def _insert_comparisons(
    iteration: Iteration, start: int, rows: list[Comparison], chosen: list[Chosen]
) -> None:
    """Insert the rows that come at place start, unless they, or later ones, are there."""
    with transaction.atomic():
        Iteration.objects.select_for_update().only("pk").get(pk=iteration.pk)
        if iteration.comparisons.count() > start:
            return
        Comparison.objects.bulk_create(rows)
        ComparisonCompletion.objects.bulk_create(_members(rows, chosen))


def _comparison(
    iteration: Iteration,
    chosen: Chosen,
    *,
    overlap: int,
    for_people: bool,
    fold: str,
    shuffle: int,
) -> Comparison:
    return Comparison(
        campaign_id=iteration.campaign_id,
        iteration=iteration,
        prompt_id=chosen.prompt,
        audience="person" if for_people else "any",
        priority=order.FOR_PEOPLE if for_people else 0,
        reserved=chosen.reserved,
        overlap=overlap,
        slots_left=overlap,
        fold=fold,
        shuffle=shuffle,
        strategy=chosen.pair.strategy,
        score=chosen.pair.score,
        propensity=chosen.pair.propensity,
    )


def _members(rows: list[Comparison], chosen: list[Chosen]) -> list[ComparisonCompletion]:
    return [
        ComparisonCompletion(comparison=row, completion_id=pk, position=position)
        for row, one in zip(rows, chosen, strict=True)
        for position, pk in enumerate(one.pair.ids)
    ]


# --- completions ---------------------------------------------------------------------------


def _records(folder: Path) -> list[CompletionRecord]:
    rows = list(read_jsonl(folder / COMPLETIONS, CompletionRecord))
    return sorted(rows, key=lambda row: (row.prompt_id, row.sampler, row.index))


def _refuse_strangers(batch: SamplingBatch, records: list[CompletionRecord]) -> None:
    campaign = batch.iteration.campaign_id if batch.iteration else batch.campaign_id
    known = Prompt.objects.filter(prompt_set__campaign=campaign).values_list("pk", flat=True)
    if strangers := {row.prompt_id for row in records} - set(known):
        raise ValueError(
            phrase(
                "The samples answer prompt %(strangers)s, not one of the campaign's.",
                strangers=str(min(strangers)),
            )
        )


def _chunks(records: list[CompletionRecord]) -> Iterator[list[CompletionRecord]]:
    """Sorted records in chunks of some ROWS_AT_ONCE, no prompt in two of them."""
    chunk: list[CompletionRecord] = []
    for _, rows in groupby(records, lambda row: row.prompt_id):
        chunk += rows
        if len(chunk) >= ROWS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _completions(batch: SamplingBatch, records: list[CompletionRecord]) -> list[Completion]:
    """Rows not yet in the database, in their records' order; each distinct text rendered once."""
    html = {text: rendering.render(text) for text in {row.text for row in records}}
    return [
        Completion(
            batch=batch,
            prompt_id=row.prompt_id,
            sampler_index=row.sampler,
            sample_index=row.index,
            text=row.text,
            text_sha256=hashlib.sha256(row.text.encode("utf-8", "surrogatepass")).hexdigest(),
            html=html[row.text],
            renderer=rendering.RENDERER,
            finish_reason=row.finish_reason,
            token_count=row.token_count,
            seed=row.seed,
            **_provenance(batch.samplers[row.sampler], batch.iteration),
        )
        for row in records
    ]


def _provenance(sampler: dict[str, Any], iteration: Iteration | None) -> dict[str, Any]:
    return {
        "checkpoint_id": sampler["checkpoint"],
        "on_policy": iteration is not None and sampler["checkpoint"] == iteration.policy_id,
        "temperature": sampler["temperature"],
        "top_p": sampler["top_p"],
        "max_new_tokens": sampler["max_new_tokens"],
        "system_prompt": sampler["system_prompt"],
    }


def _insert_completions(batch: SamplingBatch, rows: list[Completion]) -> None:
    """Insert the rows of prompts that have none yet: another worker may do the same. Of
    identical texts of a prompt, the later ones point to the first."""
    with transaction.atomic():
        SamplingBatch.objects.select_for_update().only("pk").get(pk=batch.pk)
        there = batch.completions.filter(prompt__in={row.prompt_id for row in rows})
        present = set(there.values_list("prompt", flat=True))
        first: dict[tuple[int, str], Completion] = {}
        rows = [row for row in rows if row.prompt_id not in present]
        for row in rows:
            first.setdefault((row.prompt_id, row.text_sha256), row)
        Completion.objects.bulk_create(first.values())
        copies = [row for row in rows if row.pk is None]
        for row in copies:
            row.duplicate_of = first[(row.prompt_id, row.text_sha256)]
        Completion.objects.bulk_create(copies)


def _counts(records: list[CompletionRecord]) -> dict[str, int]:
    return {
        "completions": len(records),
        "duplicates": len(records) - len({(row.prompt_id, row.text) for row in records}),
        "unfinished": sum(row.finish_reason == "length" for row in records),
        "empty": sum(not row.text.strip() for row in records),
    }


def _finish(batch: SamplingBatch, counts: dict[str, int]) -> None:
    batch.counts, batch.ingested_at = counts, timezone.now()
    rows = SamplingBatch.objects.filter(pk=batch.pk, ingested_at__isnull=True)
    rows.update(counts=batch.counts, ingested_at=batch.ingested_at)


def _candidates(iteration: Iteration, folder: Path) -> Candidates:
    """Every completion of the iteration that raters could be shown, by prompt."""
    taken_in = {"batch__iteration": iteration, "batch__ingested_at__isnull": False}
    return candidates_among(Completion.objects.filter(**taken_in), _embeddings(folder))


def candidates_among(
    rows: QuerySet[Completion], vectors: Mapping[Identity, np.ndarray]
) -> Candidates:
    """Those of these completions that raters could be shown, by prompt."""
    # By identity and not by id: an ingest taken up again must offer the same pairs.
    rows = rows.filter(state="done").order_by("prompt", "sampler_index", "sample_index")
    found: Candidates = defaultdict(list)
    for pk, prompt, sampler, sample, sha, checkpoint in rows.values_list(
        "pk", "prompt", "sampler_index", "sample_index", "text_sha256", "checkpoint"
    ):
        vector = vectors.get((prompt, sampler, sample))
        found[prompt].append(Candidate(pk, sha, vector, group=checkpoint or 0))
    return dict(found)


def _bare_prompts(iteration: Iteration) -> Candidates:
    """The campaign's prompts, for cards that show nothing else: not those which raters wrote, or
    they would be asked to write after what they wrote."""
    rows = Prompt.objects.filter(prompt_set__campaign=iteration.campaign_id, withdrawn_at=None)
    rows = rows.exclude(source=written.SOURCE).order_by("id")
    return {pk: [] for pk in rows.values_list("pk", flat=True)}


def _embeddings(folder: Path) -> dict[Identity, np.ndarray]:
    """Where the job made embeddings: the vector of each completion, by its identity."""
    if not (folder / EMBEDDINGS).exists():
        return {}
    vectors = np.load(folder / EMBEDDINGS, mmap_mode="r", allow_pickle=False)
    return {
        (row.prompt_id, row.sampler, row.index): vectors[row.embedding_row]
        for row in read_jsonl(folder / COMPLETIONS, CompletionRecord)
        if row.embedding_row is not None
    }
