"""Rounds in which models make the pairs that the next policy learns from, by real jobs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labeling.models import Iteration, Label, Snapshot
from models_runtime import artifacts, jobs
from models_runtime.models import Checkpoint, Job
from models_runtime.records import AnswerReward, CompletionRecord, jsonl_line
from models_runtime.states import StaleState
from tests.factories import Cast
from tests.training import store
from training import pair_graphs, runs
from training.models import PairGraph, TrainingRun

pytestmark = [pytest.mark.training, pytest.mark.django_db]
FAST = {
    "learning_rate": 1e-2, "batch_size": 4, "epochs": 1, "panel": 0, "k": 3, "temperature": 1.0,
    "max_new_tokens": 40,
}  # fmt: skip


@pytest.fixture
def iteration(cast: Cast, settings: Any, tmp_path: Path) -> Iteration:
    """In review, with a policy and a reward model: what a tiny policy's random scores are."""
    store.keep_in(settings, tmp_path)
    return store.in_review(cast, tmp_path)


@pytest.fixture
def judged(iteration: Iteration) -> Iteration:
    told = {"learning_rate": 1e-2, "batch_size": 4}
    run = runs.start_run(iteration=iteration, role="reward_model", method="reward", options=told)
    jobs.execute(run.job.pk)
    run.job.refresh_from_db()
    runs.settle_run(run)
    return iteration


def work(graph: PairGraph, until: str = "", turns: int = 30) -> None:
    """Take up what is there and execute what waits, until the graph has ended, or a job of the
    kind ``until`` waits for a worker."""
    for _ in range(turns):
        pair_graphs.step(fresh(graph))
        graph.refresh_from_db()
        waiting = Job.objects.filter(state="queued").order_by("id").first()
        if graph.state != "running" or (waiting and waiting.kind == until):
            return
        if waiting:
            jobs.execute(waiting.pk)
    raise AssertionError(f"still {graph.state}: {graph.error}")


def fresh(graph: PairGraph) -> PairGraph:
    return PairGraph.objects.select_related("iteration__campaign__project").get(pk=graph.pk)


def frozen(snapshot: Snapshot) -> list[dict[str, Any]]:
    with artifacts.open_file(snapshot.uri, "preferences.jsonl") as handle:
        return [json.loads(line) for line in handle.read().splitlines()]


@pytest.mark.long
def test_two_rounds_each_from_the_policy_of_the_one_before(judged: Iteration) -> None:
    graph = pair_graphs.start(
        iteration=judged, recipe="online_dpo", options={**FAST, "rounds": 2, "prompts": 6}
    )
    work(graph)
    assert (graph.state, graph.error) == ("done", "")
    first, second = graph.rounds.select_related("run__output", "policy", "pairs")
    assert first.policy == judged.policy
    assert second.policy == first.run.output
    assert second.run.output.parent == first.run.output
    assert [one.run.role for one in (first, second)] == ["round", "policy"]
    assert store.weights_of(first.run.job) != store.weights_of(second.run.job)
    kinds = Job.objects.exclude(pk__in=judged.runs.filter(role="reward_model").values("job"))
    assert Counter(kinds.values_list("kind", flat=True)) == {"sample": 2, "reward": 2, "train": 2}
    reference = {row["name"]: row["uri"] for row in second.run.job.inputs}["reference"]
    assert reference == judged.campaign.first_policy.uri

    for row in (first, second):
        assert row.pairs.is_made_by_models
        assert row.pairs.counts["labels"] == {"person": 0, "program": 0, "simulated": 0}
        assert {line["source"] for line in frozen(row.pairs)} == {"model"}
    assert frozen(first.pairs) != frozen(second.pairs)
    assert not Label.objects.exists()


@pytest.mark.long
def test_a_step_taken_twice_happens_once_and_a_stopped_graph_goes_on(judged: Iteration) -> None:
    options = {**FAST, "rounds": 1}
    graph = pair_graphs.start(iteration=judged, recipe="online_dpo", options=options)
    work(graph, until="reward")
    before = Job.objects.count()
    pair_graphs.step(fresh(graph))
    pair_graphs.step(fresh(graph))
    assert Job.objects.count() == before

    pair_graphs.stop(graph)
    job = pair_graphs.current_job(graph)
    assert job is not None
    assert (graph.state, job.kind, job.state) == ("stopped", "reward", "stopped")
    pair_graphs.tick()
    with pytest.raises(StaleState):
        pair_graphs.stop(graph)
    pair_graphs.go_on(graph)
    work(graph, until="train")
    assert TrainingRun.objects.get(role="policy").snapshot.is_made_by_models
    pair_graphs.cancel(graph)
    assert pair_graphs.current_job(graph).state == "cancelled"  # type: ignore[union-attr]  # one
    with pytest.raises(StaleState):
        pair_graphs.go_on(graph)


def contrasts(iteration: Iteration, **told: Any) -> PairGraph:
    options = {**FAST, "weak_prompt": "Be rude.", **told}
    return pair_graphs.start(iteration=iteration, recipe="contrast", options=options)


def test_one_process_at_a_time_takes_a_graph_s_steps(
    iteration: Iteration, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, taken = contrasts(iteration), []

    def step(row: PairGraph) -> None:
        taken.append(row)
        pair_graphs.tick()  # another beat, while this one works

    monkeypatch.setattr(pair_graphs, "_step", step)
    pair_graphs.tick()
    assert taken == [graph]
    pair_graphs.tick()
    assert taken == [graph, graph]


def test_an_error_in_one_graph_leaves_the_others_their_turn(
    iteration: Iteration, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    graph, other = contrasts(iteration), contrasts(iteration, k=2)
    taken = []

    def step(row: PairGraph) -> None:
        if row == graph:
            raise KeyError("lost")
        taken.append(row)

    monkeypatch.setattr(pair_graphs, "_step", step)
    pair_graphs.tick()
    assert taken == [other]
    assert "KeyError: 'lost'" in caplog.text
    graph.refresh_from_db()
    said = "The loop met an error of its own (KeyError); see its log."
    assert (graph.state, graph.error) == ("failed", said)


def test_a_run_learns_from_the_pairs_that_its_round_names(
    iteration: Iteration, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, freeze = contrasts(iteration, k=2), pair_graphs._freeze
    kept = iteration.snapshot

    def late(*told: Any) -> Snapshot:
        graph.rounds.update(pairs=kept)  # by a step that was first
        return freeze(*told)

    monkeypatch.setattr(pair_graphs, "_freeze", late)
    work(graph, until="train")
    assert graph.rounds.get().pairs == kept
    assert TrainingRun.objects.get().snapshot == kept


@pytest.mark.long
def test_strong_answers_over_weak_ones(cast: Cast, iteration: Iteration, tmp_path: Path) -> None:
    weak = store.policy(cast, tmp_path, seed=3)
    options = {**FAST, "weak": weak.name, "k": 2}
    graph = pair_graphs.start(iteration=iteration, recipe="contrast", options=options)
    work(graph)
    assert (graph.state, graph.error) == ("done", "")
    row = graph.rounds.get()
    assert row.rewarding is None
    assert row.pairs is not None
    lines = frozen(row.pairs)
    for line in lines:
        chosen, rejected = line["completions"]
        assert (chosen["checkpoint"], rejected["checkpoint"]) == ("tiny-0", weak.name)
        assert line["preferences"][0]["chosen"] == chosen["id"]
        assert chosen["text"] != rejected["text"]
    counted = row.pairs.counts["comparisons"]
    assert sum(counted.values()) == store.PROMPTS * 2
    assert counted["kept"] == len(lines)
    assert TrainingRun.objects.get().output.parent == iteration.policy  # type: ignore[union-attr]


def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    cast: Cast, iteration: Iteration, tmp_path: Path
) -> None:
    other = store.policy(cast, tmp_path, seed=3)
    gone = store.policy(cast, tmp_path, seed=4)
    Checkpoint.objects.filter(pk=gone.pk).update(state="missing")
    Checkpoint.objects.filter(pk=other.pk).update(facts={"tokenizer_sha256": "other"})
    for recipe, told, words in (
        ("alchemy", {}, "no recipe named 'alchemy'"),
        ("online_dpo", {}, "needs a reward model, and none is trained yet"),
        ("online_dpo", {"k": 1}, "must lie between 2 and 1024"),
        ("online_dpo", {"reward": "judge", "judge": "wise"}, "no endpoint named 'wise'"),
        ("contrast", {}, "the same checkpoint under the same prompt"),
        ("contrast", {"weak": "nobody"}, "no policy named 'nobody'"),
        ("contrast", {"weak": gone.name}, "whose files are there"),
        ("contrast", {"strong": other.name}, "has another tokenizer"),
        ("contrast", {"weak_prompt": "Be rude.", "loss": "ipo", "beta": 0.3}, "set tau"),
    ):
        with pytest.raises(ValueError, match=words):
            pair_graphs.start(iteration=iteration, recipe=recipe, options=told)  # type: ignore[arg-type]  # as sent
    Iteration.objects.update(state="promoted")
    iteration.refresh_from_db()
    with pytest.raises(ValueError, match="until the iteration is decided"):
        pair_graphs.start(
            iteration=iteration, recipe="contrast", options={"weak_prompt": "Be rude."}
        )
    assert not PairGraph.objects.exists()
    assert not Job.objects.exists()


def test_a_model_without_a_template_ends_it_with_its_own_sentence(
    cast: Cast, iteration: Iteration, tmp_path: Path
) -> None:
    made = store.policy(cast, tmp_path, seed=3)
    graph = pair_graphs.start(
        iteration=iteration, recipe="contrast", options={**FAST, "weak": made.name}
    )
    job = graph.rounds.get().sampling
    Job.objects.filter(pk=job.pk).update(
        state="failed", error="The tokenizer has no chat template."
    )
    pair_graphs.step(fresh(graph))
    graph.refresh_from_db()
    assert (graph.state, graph.error) == ("failed", "The tokenizer has no chat template.")
    pair_graphs.go_on(graph)
    job.refresh_from_db()
    assert (graph.state, job.state) == ("running", "queued")


def answers(folder: Path, rewards: dict[int, list[float]]) -> tuple[Path, Path]:
    rows = [
        (CompletionRecord(prompt, 0, n, f"{prompt}.{n}", "eos", 3, 0), reward)
        for prompt, row in rewards.items()
        for n, reward in enumerate(row)
    ]
    said, given = folder / "completions.jsonl", folder / "rewards.jsonl"
    said.write_text("".join(jsonl_line(row) for row, _ in rows), encoding="utf-8")
    scored = [AnswerReward(row.prompt_id, 0, row.index, reward) for row, reward in rows]
    given.write_text("".join(map(jsonl_line, scored)), encoding="utf-8")
    return said, given


def test_the_best_of_a_prompt_over_its_worst_unless_they_are_rewarded_alike(
    tmp_path: Path,
) -> None:
    said, given = answers(tmp_path, {1: [0.2, 0.9, -0.5], 2: [1.0, 1.0], 3: [0.0, 0.3]})
    dropped: Counter[str] = Counter()
    pairs = pair_graphs.best_over_worst(said, given, 0.0, ("p", "p"), dropped)
    assert [(one.chosen.text, one.rejected.text) for one in pairs] == [
        ("1.1", "1.2"), ("3.1", "3.0"),
    ]  # fmt: skip
    assert dropped == {"rewards alike": 1}
    wide = list(pair_graphs.best_over_worst(said, given, 0.5, ("p", "p"), Counter()))
    assert len(wide) == 1
