"""Checkpoints of a run that is still under way are put to raters, and the run never notices."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from annotate import evidence
from labeling import human_wins, leases, snapshots
from labeling.models import Comparison, Iteration, Label, SamplingBatch, Snapshot
from models_runtime import artifacts, handover, jobs, resumable
from models_runtime.models import Checkpoint, Job
from tests.factories import Cast, make_cast
from tests.models_runtime.processes import wait_for
from tests.rating import answer
from tests.training import store
from training import checkpoint_batches, pipeline, runs
from training.models import CheckpointBatch, TrainingRun

pytestmark = [
    pytest.mark.training,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
]
SLOW = {"learning_rate": 3e-3, "batch_size": 1, "epochs": 30, "save_every": 20, "panel": 0}


@pytest.fixture
def cast(transactional_db: None, settings: Any, tmp_path: Path) -> Cast:
    store.keep_in(settings, tmp_path)
    return make_cast()


@pytest.fixture
def iteration(cast: Cast, tmp_path: Path) -> Iteration:
    return store.in_review(cast, tmp_path)


def start(iteration: Iteration, method: str = "odpo", **options: Any) -> TrainingRun:
    told = {**SLOW, **options}
    return runs.start_run(iteration=iteration, role="policy", method=method, options=told)


def aside(job: Job) -> threading.Thread:
    """A worker of its own executes the job."""

    def work() -> None:
        jobs.execute(job.pk)
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    return worker


def work(turns: int = 8) -> None:
    """Take up what is there, and execute what waits, but no evaluation of the run."""
    for _ in range(turns):
        checkpoint_batches.tick()
        for job in Job.objects.filter(state="queued", kind="row"):
            store.kept(job)
        for job in Job.objects.filter(state="queued", kind__in=("publish", "sample")):
            jobs.execute(job.pk)


def test_a_run_under_way_is_rated_and_ends_as_if_nobody_had_asked(
    cast: Cast, iteration: Iteration
) -> None:
    alone = start(iteration)
    jobs.execute(alone.job.pk)
    run = start(iteration)
    worker = aside(run.job)
    step = wait_for(lambda: next(iter(resumable.steps(run.job)), 0), 60)
    row = checkpoint_batches.ask(run, [step], {"comparisons": 5, "tag": "early"}, cast.researcher)
    run.job.refresh_from_db()
    assert run.job.state == "running"
    work()
    worker.join(120)

    assert store.weights_of(run.job) == store.weights_of(alone.job)
    row.refresh_from_db()
    assert (row.opened, row.error) == (5, "")
    made = row.checkpoints.get()
    assert made.name == f"helpful-run-{run.pk}-step-{step}"
    assert (made.facts["step"], made.parent) == (step, iteration.policy)
    assert store.weights_of(run.job)["model.safetensors"] != made.manifest["model.safetensors"]
    assert [link["run"] for link in evidence.ancestry(made)] == [run, None]
    assert row.batch is not None
    assert row.batch.tags == ["early", f"{run.pk}/step-{step}"]
    for one in Comparison.objects.all():
        sides = set(one.completions.values_list("checkpoint", flat=True))
        assert sides == {made.pk, iteration.policy_id}
        assert (one.iteration, one.batch) == (None, row.batch)


@pytest.fixture
def rated(cast: Cast, iteration: Iteration) -> CheckpointBatch:
    """Two checkpoints of a finished run against each other, with the raters."""
    run = start(iteration, epochs=2, save_every=10)
    jobs.execute(run.job.pk)
    steps = resumable.steps(run.job)
    row = checkpoint_batches.ask(run, steps, {"against": "each other", "comparisons": 3})
    work()
    row.refresh_from_db()
    assert (row.error, row.opened) == ("", 3)
    return row


def test_asked_twice_it_is_the_same_and_other_options_sample_the_same_checkpoints(
    rated: CheckpointBatch,
) -> None:
    before = (Job.objects.count(), Checkpoint.objects.count(), Comparison.objects.count())
    steps, told = rated.options["steps"], {"against": "each other", "comparisons": 3}
    assert checkpoint_batches.ask(rated.run, steps[::-1], told) == rated
    work(2)
    assert before == (
        Job.objects.count(), Checkpoint.objects.count(), Comparison.objects.count()
    )  # fmt: skip
    again = checkpoint_batches.ask(rated.run, steps, {"comparisons": 2})
    work()
    again.refresh_from_db()
    assert (again.error, again.opened) == ("", 2)
    assert set(again.checkpoints.all()) == set(rated.checkpoints.all())


def test_its_labels_are_told_apart_and_can_be_left_out(
    cast: Cast, iteration: Iteration, rated: CheckpointBatch
) -> None:
    answer(cast.rater, cast.campaign, "0:better")
    label = Label.objects.get()
    assert label.comparison.batch == rated.batch
    iteration.refresh_from_db()
    assert (iteration.labels_people, human_wins.of_iteration(iteration)) == (0, None)
    with_them = snapshots.freeze(campaign=cast.campaign, iteration=iteration)
    assert rated.batch is not None
    assert frozen(with_them, "labels.jsonl")["batch_tags"] == rated.batch.tags
    assert set(rated.batch.tags) <= set(frozen(with_them, "preferences.jsonl")["tags"])
    with pytest.raises(ValueError, match="no labels yet"):
        snapshots.freeze(campaign=cast.campaign, iteration=iteration, tagged=False)


def frozen(snapshot: Snapshot, name: str) -> dict[str, Any]:
    with artifacts.open_file(snapshot.uri, name) as handle:
        found: dict[str, Any] = json.loads(handle.read().splitlines()[0])
    return found


def test_an_iteration_waits_for_none_of_it(iteration: Iteration, rated: CheckpointBatch) -> None:
    assert rated.batch is not None
    Job.objects.filter(pk=rated.batch.job_id).update(state="failed")
    assert pipeline.stopped_jobs(iteration) == []
    assert iteration.batches.count() == 0
    assert SamplingBatch.objects.count() == 1


def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    cast: Cast, iteration: Iteration
) -> None:
    run = start(iteration)
    for steps, told, words in (
        ([7], {}, "The checkpoint of step 7 is gone"),
        ([], {}, "Choose 1 to 8 checkpoints, not 0."),
        ([1], {"against": "each other"}, "Choose 2 to 8 checkpoints, not 1."),
        ([7], {"tag": " "}, "needs a tag"),
        ([7], {"prompt_set": 99}, "has no prompt set 99; it has"),
        ([7], {"colour": "red"}, "has no option named 'colour'"),
    ):
        with pytest.raises(ValueError, match=words):
            checkpoint_batches.ask(run, steps, told)  # type: ignore[arg-type]  # as sent
    judge = runs.start_run(iteration=iteration, role="reward_model", method="reward")
    with pytest.raises(ValueError, match="Only checkpoints of a policy"):
        checkpoint_batches.ask(judge, [7])
    assert not CheckpointBatch.objects.exists()
    assert set(Job.objects.values_list("kind", flat=True)) == {"train"}


def test_a_job_that_failed_is_tried_again_when_it_is_asked_for_again(
    iteration: Iteration, tmp_path: Path
) -> None:
    run = start(iteration, epochs=1, save_every=10)
    jobs.execute(run.job.pk)
    step = resumable.steps(run.job)[:1]
    row = published(checkpoint_batches.ask(run, step))
    Job.objects.filter(pk=row.publishing_id).update(state="failed", error="The disk is full.")
    checkpoint_batches.tick()
    row.refresh_from_db()
    assert row.error == "The disk is full."
    assert checkpoint_batches.ask(run, step).error == ""
    assert row.publishing is not None
    row.publishing.refresh_from_db()
    assert row.publishing.state == "queued"


def published(row: CheckpointBatch) -> CheckpointBatch:
    """Its checkpoints are kept, and the job that publishes them waits."""
    assert row.keeping is not None
    store.kept(row.keeping)
    checkpoint_batches.tick()
    row.refresh_from_db()
    return row


def test_a_checkpoint_that_was_asked_for_is_held_while_the_run_prunes_its_own(
    iteration: Iteration,
) -> None:
    run = start(iteration, epochs=1, save_every=10)
    jobs.execute(run.job.pk)
    step = resumable.steps(run.job)[0]
    row = checkpoint_batches.ask(run, [step], {"comparisons": 2})
    for folder in jobs.folder(run.job).glob(f"attempt-*/checkpoints/step-{step}"):
        shutil.rmtree(folder)
    handover.forget(run.job.dir)
    assert step not in resumable.steps(run.job)
    row = published(row)
    assert row.publishing is not None
    assert {one["name"] for one in row.publishing.inputs} == {"policy", f"step-{step}"}
    assert not list(jobs.folder(run.job).glob("held/*"))


def test_one_that_is_damaged_is_a_sentence_and_can_be_asked_for_once_more(
    iteration: Iteration,
) -> None:
    run = start(iteration, epochs=1, save_every=10)
    jobs.execute(run.job.pk)
    step = resumable.steps(run.job)[0]
    row = checkpoint_batches.ask(run, [step], {"comparisons": 2})
    (state,) = jobs.folder(run.job).glob(f"held/*/step-{step}/state.pt")
    whole = state.read_bytes()
    state.write_bytes(whole[:-1])  # of the run's own too: it is one file
    assert row.keeping is not None
    store.kept(row.keeping)
    checkpoint_batches.tick()
    row.refresh_from_db()
    assert f"The checkpoint of step {step} is gone" in row.error
    (again,) = jobs.folder(run.job).glob(f"attempt-*/checkpoints/step-{step}/state.pt")
    again.write_bytes(whole)
    row = checkpoint_batches.ask(run, [step], {"comparisons": 2})
    assert (row.error, published(row).error) == ("", "")


@pytest.fixture
def asked(iteration: Iteration) -> CheckpointBatch:
    """A checkpoint of a finished run, with the job that publishes it."""
    run = start(iteration, epochs=1, save_every=10)
    jobs.execute(run.job.pk)
    step = resumable.steps(run.job)[:1]
    return published(checkpoint_batches.ask(run, step, {"comparisons": 2}))


def again(row: CheckpointBatch) -> CheckpointBatch:
    return checkpoint_batches.ask(row.run, row.options["steps"], {"comparisons": 2})


def test_in_the_place_of_a_cancelled_job_another_one_runs(asked: CheckpointBatch) -> None:
    publishing = asked.publishing
    assert publishing is not None
    jobs.cancel(publishing)
    checkpoint_batches.tick()
    asked = again(asked)
    assert asked.error == ""
    assert asked.publishing is not None
    assert (asked.publishing.state, asked.publishing == publishing) == ("queued", False)
    jobs.execute(asked.publishing.pk)
    checkpoint_batches.tick()
    asked.refresh_from_db()
    assert asked.batch is not None
    jobs.cancel(asked.batch.job)
    assert again(asked).batch == asked.batch
    work()
    asked.refresh_from_db()
    assert (asked.opened, asked.error) == (2, "")
    before = Job.objects.count()
    assert again(asked) == asked
    assert Job.objects.count() == before


def test_one_process_at_a_time_takes_its_steps(
    asked: CheckpointBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def step(row: CheckpointBatch) -> None:
        taken.append(row)
        checkpoint_batches.tick()  # another beat, while this one works

    monkeypatch.setattr(checkpoint_batches, "_step", step)
    checkpoint_batches.tick()
    assert taken == [asked]
    checkpoint_batches.tick()
    assert taken == [asked, asked]


def test_an_error_in_one_leaves_the_others_their_turn(
    asked: CheckpointBatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = checkpoint_batches.ask(asked.run, asked.options["steps"], {"comparisons": 3})
    taken = []

    def step(row: CheckpointBatch) -> None:
        if row == asked:
            raise KeyError("lost")
        taken.append(row)

    monkeypatch.setattr(checkpoint_batches, "_step", step)
    checkpoint_batches.tick()
    assert taken == [other]
    assert "KeyError: 'lost'" in caplog.text
    asked.refresh_from_db()
    assert asked.error == "The loop met an error of its own (KeyError); see its log."


def test_a_step_that_comes_late_fails_nothing_that_is_with_the_raters(
    asked: CheckpointBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(row: CheckpointBatch) -> None:
        CheckpointBatch.objects.update(opened=2)  # by one that was first
        raise ValueError("No comparison could be opened.")

    monkeypatch.setattr(checkpoint_batches, "_step", step)
    checkpoint_batches.tick()
    asked.refresh_from_db()
    assert (asked.opened, asked.error) == (2, "")


def test_raters_get_them_while_the_iteration_trains(
    cast: Cast, iteration: Iteration, rated: CheckpointBatch
) -> None:
    Iteration.objects.update(state="training")
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    assert card.comparison.batch == rated.batch
