"""An iteration never sits still without saying so: what it waits for, and what went wrong."""

from __future__ import annotations

import pytest

from models_runtime import jobs
from models_runtime.models import Job
from models_runtime.states import StaleState
from tests.factories import Cast, IterationFactory
from training import pipeline

pytestmark = pytest.mark.django_db


def sampling(cast: Cast) -> tuple[pipeline.Iteration, Job]:
    """An iteration with its sample job."""
    iteration = IterationFactory(campaign=cast.campaign, state="sampling")
    job = jobs.submit(project=cast.project, kind="sample", config={})
    iteration.batches.create(job=job, samplers=[])
    return iteration, job


def test_it_waits_for_a_stopped_job_until_that_goes_on(cast: Cast) -> None:
    iteration, job = sampling(cast)
    assert pipeline.stopped_jobs(iteration) == []
    jobs.request_stop(job)
    pipeline.step(iteration)
    iteration.refresh_from_db()
    assert iteration.state == "sampling"
    assert pipeline.stopped_jobs(iteration) == [job]
    jobs.requeue(job)
    assert pipeline.stopped_jobs(iteration) == []


def test_giving_up_ends_its_jobs_and_closes_it(cast: Cast) -> None:
    iteration, job = sampling(cast)
    jobs.request_stop(job)
    pipeline.give_up(iteration, cast.researcher)
    iteration.refresh_from_db()
    job.refresh_from_db()
    assert (iteration.state, job.state) == ("rejected", "cancelled")
    moves = iteration.events.order_by("id").values_list("from_state", "to_state", "actor")
    assert list(moves) == [
        ("sampling", "failed", None),
        ("failed", "rejected", cast.researcher.pk),
    ]


def test_what_waits_for_nothing_is_not_given_up_and_stays_as_it_is(cast: Cast) -> None:
    iteration, job = sampling(cast)
    with pytest.raises(StaleState):
        pipeline.give_up(iteration)
    iteration.refresh_from_db()
    job.refresh_from_db()
    assert (iteration.state, job.state) == ("sampling", "queued")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyError("/srv/data"), "The loop met an error of its own (KeyError); see its log."),
        (ValueError("'/srv/data/x.jsonl' is torn."), "'x.jsonl' is torn."),
        (FileNotFoundError(2, "No such file", "/srv/x"), "could not use a file x: No such file."),
    ],
)
def test_no_path_of_the_machine_is_in_an_iteration_s_error(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def fails(_: object) -> None:
        raise error

    monkeypatch.setitem(pipeline.STEPS, "sampling", fails)
    iteration, _ = sampling(cast)
    pipeline.step(iteration)
    iteration.refresh_from_db()
    assert iteration.state == "failed"
    assert sentence in iteration.error
    assert "/srv" not in iteration.error
