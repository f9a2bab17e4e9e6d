"""From a sample job's output to the comparisons that raters are given."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection

from labeling import comparisons, rendering
from labeling.iterations import Plan, parse_plan
from labeling.models import (
    Comparison,
    ComparisonCompletion,
    Completion,
    Iteration,
    SamplingBatch,
)
from models_runtime.models import Checkpoint, Job
from models_runtime.records import CompletionRecord, jsonl_line
from tests import factories

pytestmark = pytest.mark.django_db
PROMPTS, K = 30, 4
SAMPLER = {"k": K, "temperature": 0.8, "top_p": 1.0, "max_new_tokens": 64, "system_prompt": ""}


@dataclasses.dataclass(frozen=True)
class Sampled:
    iteration: Iteration
    batch: SamplingBatch
    folder: Path
    old: Checkpoint


@pytest.fixture
def sampled(tmp_path: Path) -> Sampled:
    """30 prompts with 4 completions by the policy and 4 by the one before it; one in eight has
    the same text as another one of its prompt."""
    iteration = factories.IterationFactory(state="sampling")
    old = factories.CheckpointFactory(project=iteration.campaign.project)
    prompt_set = factories.PromptSetFactory(campaign=iteration.campaign)
    prompts = factories.PromptFactory.create_batch(PROMPTS, prompt_set=prompt_set)
    batch = SamplingBatch.objects.create(
        iteration=iteration,
        job=Job.objects.create(project=iteration.campaign.project, kind="sample"),
        samplers=[{**SAMPLER, "checkpoint": pk} for pk in (iteration.policy_id, old.pk)],
    )
    records = [
        _record(prompt.pk, sampler, index)
        for prompt in prompts
        for sampler in (0, 1)
        for index in range(K)
    ]
    _write(tmp_path, records)
    return Sampled(iteration, batch, tmp_path, old)


def test_completions_keep_where_they_came_from(sampled: Sampled) -> None:
    counts = comparisons.ingest(sampled.batch, sampled.folder)
    assert counts == {
        "completions": PROMPTS * 2 * K,
        "duplicates": PROMPTS,
        "unfinished": PROMPTS * 2,
        "empty": 0,
    }
    new = Completion.objects.filter(checkpoint=sampled.iteration.policy, sample_index=2).first()
    assert new is not None
    assert (new.on_policy, new.temperature, new.token_count) == (True, 0.8, 7)
    assert new.html == '<p dir="auto">Sampler 0 says <strong>2</strong></p>\n'
    assert not Completion.objects.filter(checkpoint=sampled.old, on_policy=True).exists()


def test_identical_texts_stay_separate_completions_linked_to_the_first(sampled: Sampled) -> None:
    comparisons.ingest(sampled.batch, sampled.folder)
    copies = Completion.objects.exclude(duplicate_of=None).select_related("duplicate_of")
    assert len(copies) == PROMPTS
    assert all(copy.text == copy.duplicate_of.text for copy in copies)
    assert all(copy.prompt_id == copy.duplicate_of.prompt_id for copy in copies)


def test_ingesting_twice_inserts_once(sampled: Sampled) -> None:
    first = comparisons.ingest(sampled.batch, sampled.folder)
    assert comparisons.ingest(sampled.batch, sampled.folder) == first
    assert Completion.objects.count() == PROMPTS * 2 * K


def test_an_ingest_that_was_killed_is_taken_up_and_hidden_until_it_is_whole(
    sampled: Sampled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "ROWS_AT_ONCE", 40)
    with monkeypatch.context() as patch:
        _fail_at(patch, 3, rendering, "render", distinct=2 * K - 1)
        with pytest.raises(KeyboardInterrupt):
            comparisons.ingest(sampled.batch, sampled.folder)
    assert Completion.objects.count() == 80
    assert comparisons.build(sampled.iteration, sampled.folder) == 0
    counts = comparisons.ingest(sampled.batch, sampled.folder)
    assert (counts["completions"], counts["duplicates"]) == (PROMPTS * 2 * K, PROMPTS)
    assert Completion.objects.count() == PROMPTS * 2 * K
    assert Completion.objects.exclude(duplicate_of=None).count() == PROMPTS


def test_a_build_that_was_killed_opens_the_same_comparisons(
    sampled: Sampled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "ROWS_AT_ONCE", 30)
    whole = [_spelled(c) for c in _build(sampled, comparisons=100)]
    ComparisonCompletion.objects.all().delete()
    Comparison.objects.all().delete()
    with monkeypatch.context() as patch:
        _fail_at(patch, 3, comparisons, "_members")
        with pytest.raises(KeyboardInterrupt):
            comparisons.build(sampled.iteration, sampled.folder)
    assert Comparison.objects.count() == 60
    assert [_spelled(c) for c in _build(sampled, comparisons=100)] == whole


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_while_texts_are_rendered_and_pairs_are_chosen(
    sampled: Sampled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite a transaction that writes holds up every answer and every heartbeat."""
    inside: list[bool] = []
    for module, name in (
        (rendering, "render"),
        (comparisons, "select"),
        (comparisons, "_records"),
    ):
        _watch(monkeypatch, module, name, lambda: inside.append(connection.in_atomic_block))
    _build(sampled, comparisons=20)
    assert len(inside) == 2 + 2 * K - 1  # distinct texts
    assert not any(inside)


def test_samples_of_somebody_elses_prompt_are_refused_whole(sampled: Sampled) -> None:
    stranger = factories.PromptFactory()
    _write(sampled.folder, [_record(stranger.pk, 0, 0)])
    with pytest.raises(ValueError, match=f"prompt {stranger.pk}, not one of the campaign's"):
        comparisons.ingest(sampled.batch, sampled.folder)
    assert Completion.objects.count() == 0


def test_the_plan_says_how_many_are_opened_and_how_many_are_labelled_twice(
    sampled: Sampled,
) -> None:
    built = _build(sampled, comparisons=100, double_share=0.1, people_only=12)
    assert len(built) == 100
    assert Counter(c.overlap for c in built) == {1: 90, 2: 10}
    assert all(c.slots_left == c.overlap for c in built)
    kept = [c for c in built if c.audience == "person"]
    assert len(kept) == 12
    assert min(c.priority for c in kept) > max(c.priority for c in built if c not in kept)


def test_building_twice_opens_once(sampled: Sampled) -> None:
    _build(sampled, comparisons=20)
    assert comparisons.build(sampled.iteration, sampled.folder) == 20
    assert Comparison.objects.count() == 20


def test_pairs_have_two_texts_and_no_two_of_them_the_same_ones(sampled: Sampled) -> None:
    built = _build(sampled, comparisons=600)
    texts = [frozenset(item.completion.text for item in c.items.all()) for c in built]
    assert all(len(pair) == 2 for pair in texts)
    seen = Counter((c.prompt_id, pair) for c, pair in zip(built, texts, strict=True))
    assert max(seen.values()) == 1
    assert len(built) == 600  # of 30 * 7 * 6 / 2 that there are


def test_a_plan_that_asks_for_more_pairs_than_there_are_gets_them_all(sampled: Sampled) -> None:
    assert len(_build(sampled, comparisons=5000)) == PROMPTS * 21


@pytest.mark.parametrize("size", [1, 3, 7])
def test_cards_of_another_size_are_random_groups_of_distinct_texts(
    sampled: Sampled, size: int
) -> None:
    """Each prompt has 7 distinct texts among its 8 completions."""
    built = _build(sampled, comparisons=45, completions_per_comparison=size)
    texts = [frozenset(item.completion.text for item in c.items.all()) for c in built]
    assert {len(group) for group in texts} == {size}
    assert {c.strategy for c in built} == {"random"}
    seen = Counter((c.prompt_id, group) for c, group in zip(built, texts, strict=True))
    assert max(seen.values()) == 1
    assert len(built) == (PROMPTS if size == 7 else 45)
    assert max(Counter(c.prompt_id for c in built).values()) == (1 if size == 7 else 2)


def test_cards_of_the_prompt_alone_need_no_sample(sampled: Sampled) -> None:
    plan = dataclasses.asdict(Plan(comparisons=12, completions_per_comparison=0))
    Iteration.objects.filter(pk=sampled.iteration.pk).update(plan=plan)
    assert comparisons.build(sampled.iteration, None) == 12
    assert comparisons.build(sampled.iteration, None) == 12
    assert ComparisonCompletion.objects.count() == 0
    assert Comparison.objects.values("prompt").distinct().count() == 12


def test_more_bare_cards_than_prompts_are_one_for_each(sampled: Sampled) -> None:
    plan = dataclasses.asdict(Plan(comparisons=100, completions_per_comparison=0))
    Iteration.objects.filter(pk=sampled.iteration.pk).update(plan=plan)
    assert comparisons.build(sampled.iteration, None) == PROMPTS


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"completions_per_comparison": 10}, "A card shows 0 to 9 completions, not 10."),
        ({"completions_per_comparison": -1}, "A card shows 0 to 9 completions, not -1."),
        ({"completions_per_comparison": 4, "strategy": "easy"}, "easy chooses pairs"),
        ({"completions_per_comparison": 9, "k": 4}, "needs as many samples, not 4"),
    ],
)
def test_a_plan_whose_cards_cannot_be_filled_is_refused(
    plan: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_plan(plan)
    both = {"completions_per_comparison": 9, "k": 5, "more_temperatures": [1.2]}
    assert parse_plan(both).completions_per_comparison == 9


def test_pairs_are_spread_over_prompts(sampled: Sampled) -> None:
    built = _build(sampled, comparisons=75)
    per_prompt = Counter(c.prompt_id for c in built)
    assert len(per_prompt) == PROMPTS
    assert max(per_prompt.values()) == 3


def test_the_new_and_the_old_policy_meet(sampled: Sampled) -> None:
    built = _build(sampled, comparisons=100, strategy="easy")
    across = [c for c in built if c.strategy == "across"]
    assert len(across) == 20
    for comparison in across:
        makers = {item.completion.checkpoint_id for item in comparison.items.all()}
        assert makers == {sampled.iteration.policy_id, sampled.old.pk}


def test_a_strategy_leaves_a_random_share_untouched(sampled: Sampled) -> None:
    built = _build(sampled, comparisons=100, strategy="easy", random_share=0.1)
    assert Counter(c.strategy for c in built) == {"across": 20, "random": 10, "easy": 70}
    scored = {c.strategy: c.score for c in built}
    assert all(score is not None for score in scored.values())
    random_arm = [c for c in built if c.strategy == "random"]
    assert all(c.propensity == pytest.approx(1 / 21) for c in random_arm)


def test_easy_pairs_are_less_alike_than_random_ones(sampled: Sampled) -> None:
    built = _build(sampled, comparisons=100, strategy="easy", random_share=0.3)
    mean = {
        name: np.mean([c.score for c in built if c.strategy == name])
        for name in ("easy", "random")
    }
    assert mean["easy"] < mean["random"] - 0.1


def test_a_strategy_that_needs_missing_embeddings_opens_nothing(sampled: Sampled) -> None:
    (sampled.folder / "embeddings.npy").unlink()
    with pytest.raises(ValueError, match="embeddings"):
        _build(sampled, comparisons=10, strategy="hard")
    assert Comparison.objects.count() == 0


def test_an_item_has_one_fold_in_an_iteration_and_others_later(sampled: Sampled) -> None:
    built = _build(sampled, comparisons=300)
    folds = {(c.prompt.item, c.fold) for c in built}
    assert len(folds) == len({item for item, _ in folds})
    drawn = Counter(comparisons.fold_of(1, f"item {n}") for n in range(3000))
    assert 920 < drawn["judge"] < 1080  # a third, 3 standard deviations
    moved = [comparisons.fold_of(1, f"{n}") != comparisons.fold_of(2, f"{n}") for n in range(900)]
    assert 330 < sum(moved) < 470  # 2 * 1/3 * 2/3 of them


def _build(sampled: Sampled, **plan: Any) -> list[Comparison]:
    comparisons.ingest(sampled.batch, sampled.folder)
    Iteration.objects.filter(pk=sampled.iteration.pk).update(plan=dataclasses.asdict(Plan(**plan)))
    comparisons.build(sampled.iteration, sampled.folder)
    rows = Comparison.objects.select_related("prompt").prefetch_related("items__completion")
    return list(rows.order_by("id"))


def _spelled(one: Comparison) -> tuple[Any, ...]:
    """All that was drawn about a comparison."""
    ids = [item.completion_id for item in one.items.all()]
    return (ids, one.overlap, one.audience, one.priority, one.fold, one.shuffle, one.strategy)


def _watch(
    patch: pytest.MonkeyPatch, module: Any, name: str, before: Callable[[], object]
) -> None:
    original = getattr(module, name)

    def watched(*args: Any) -> Any:
        before()
        return original(*args)

    patch.setattr(module, name, watched)


def _fail_at(
    patch: pytest.MonkeyPatch, part: int, module: Any, name: str, distinct: int = 1
) -> None:
    """Be killed in the call that begins the numbered part; a part has ``distinct`` calls."""
    calls = itertools.count(1)

    def fail() -> None:
        if next(calls) > (part - 1) * distinct:
            raise KeyboardInterrupt

    _watch(patch, module, name, fail)


def _record(prompt: int, sampler: int, index: int) -> CompletionRecord:
    """The old policy's first completion repeats the new one's first."""
    says = "Sampler 0 says **0**" if index == 0 else f"Sampler {sampler} says **{index}**"
    reason = "length" if index == 3 else "eos"
    return CompletionRecord(prompt, sampler, index, says, reason, 7, seed=5, embedding_row=0)


def _write(folder: Path, records: list[CompletionRecord]) -> None:
    rows = [dataclasses.replace(row, embedding_row=n) for n, row in enumerate(records)]
    (folder / "completions.jsonl").write_text("".join(map(jsonl_line, rows)), encoding="utf-8")
    vectors = np.random.default_rng(0).normal(size=(len(rows), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(folder / "embeddings.npy", vectors)
