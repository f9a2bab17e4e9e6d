"""The option judge_calls bounds what all rounds of a graph ask a judge, not each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labeling.models import Iteration, Snapshot
from models_runtime import jobs
from models_runtime.models import Checkpoint, Endpoint, Job
from models_runtime.relayed import SPENT
from tests.factories import Cast, IterationFactory
from training import judge_budget, pair_graphs
from training.models import PairGraph, PairRound

pytestmark = pytest.mark.django_db
OPTIONS = {"reward": "judge", "judge": "wise", "judge_calls": 100}


@pytest.fixture
def graph(cast: Cast, settings: Any, tmp_path: Path) -> PairGraph:
    settings.JOBS_DIR = tmp_path / "jobs"
    Endpoint.objects.create(project=cast.project, name="wise", base_url="http://127.0.0.1:9")
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, uri="file:///nowhere/snapshot"
    )
    iteration: Iteration = IterationFactory(
        campaign=cast.campaign, snapshot=snapshot, state="review"
    )
    return PairGraph.objects.create(iteration=iteration, recipe="online_dpo", options=OPTIONS)


def asked(graph: PairGraph, calls: int, state: str = "succeeded") -> Job:
    """A round whose judge was asked so many times, as its worker counted."""
    project = graph.iteration.campaign.project
    sampling, job = (
        Job.objects.create(project=project, kind=kind, state=state, dir=f"{kind}-{calls}")
        for kind in ("sample", "reward")
    )
    number = graph.rounds.count() + 1
    policy = Checkpoint.objects.create(
        project=project, kind="policy", name=f"tiny-{number}", uri="file:///nowhere"
    )
    PairRound.objects.create(
        graph=graph, number=number, policy=policy, sampling=sampling, rewarding=job
    )
    folder = jobs.folder(job) / "attempt-1"
    folder.mkdir(parents=True)
    (folder / SPENT).write_text("\n".join(map(str, range(1, calls + 1))) + "\n")
    return job


def left(graph: PairGraph) -> int:
    told = judge_budget.relay(graph, pair_graphs.config_of(graph))
    return int(told["relay"]["calls"])


def test_a_round_has_what_those_before_it_left(graph: PairGraph) -> None:
    assert left(graph) == 100
    asked(graph, 30)
    assert left(graph) == 70
    job = asked(graph, 25)
    Job.objects.filter(pk=job.pk).update(result={"judge": {"calls": 40}})  # on another host
    assert left(graph) == 30


def test_a_cancelled_job_s_requests_count_and_the_one_in_its_place_has_the_rest(
    graph: PairGraph, cast: Cast
) -> None:
    asked(graph, 10)
    job = asked(graph, 50, state="cancelled")
    Job.objects.filter(pk=job.pk).update(config={"relay": {"endpoint": 1, "calls": 90}})
    PairGraph.objects.update(state="stopped")
    graph.refresh_from_db()
    pair_graphs.go_on(graph, cast.researcher)
    made = graph.rounds.get(number=2).rewarding
    assert made is not None
    assert made != job
    assert made.config["relay"]["calls"] == 40
    assert judge_budget.spent(graph) == 60


def test_nothing_left_is_one_sentence(graph: PairGraph) -> None:
    asked(graph, 60)
    asked(graph, 40)
    with pytest.raises(ValueError, match="The rounds asked the judge 100 times, as often as"):
        left(graph)


def test_what_no_judge_rewards_has_no_budget(graph: PairGraph) -> None:
    PairGraph.objects.update(options={**OPTIONS, "reward": "model"})
    graph.refresh_from_db()
    assert judge_budget.relay(graph, pair_graphs.config_of(graph)) == {}
