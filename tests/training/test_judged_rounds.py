"""Online DPO by a judge behind an endpoint, as Guo et al. (2024) have it: the answer that it puts
highest is preferred, and the worker alone asks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labeling.models import Iteration
from models_runtime import artifacts, jobs
from models_runtime.models import Endpoint, Job
from tests.endpoint import Handler, endpoint
from tests.factories import Cast, make_cast
from tests.training import store
from training import pair_graphs
from training.models import PairGraph

pytestmark = [pytest.mark.training, pytest.mark.django_db(transaction=True)]


class Longest(Handler):
    """Likes long answers: a number by their length."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.loads(body["messages"][-1]["content"])["answer"]
        self.send_response(200)
        self.end_headers()
        said = str(min(10, 1 + len(answer) // 6))
        self._event({"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")


@pytest.fixture
def iteration(transactional_db: None, settings: Any, tmp_path: Path) -> Iteration:
    store.keep_in(settings, tmp_path)
    cast: Cast = make_cast()
    return store.in_review(cast, tmp_path)


@pytest.mark.long
def test_the_judge_s_favourite_is_preferred(iteration: Iteration) -> None:
    with endpoint(["unasked"]) as server:
        server.RequestHandlerClass = Longest
        Endpoint.objects.create(
            project=iteration.campaign.project, name="wise", base_url=server.url, model_name="big"
        )
        options = {"rounds": 1, "k": 4, "max_new_tokens": 8, "reward": "judge", "judge": "wise"}
        graph = pair_graphs.start(iteration=iteration, recipe="online_dpo", options=options)
        for _ in range(4):
            row = PairGraph.objects.select_related("iteration__campaign__project").get()
            pair_graphs.step(row)
            for job in Job.objects.filter(state="queued").exclude(kind="train"):
                jobs.execute(job.pk)
    graph.refresh_from_db()
    assert (graph.state, graph.error) == ("running", "")
    pairs = graph.rounds.get().pairs
    assert pairs is not None
    with artifacts.open_file(pairs.uri, "preferences.jsonl") as handle:
        lines = [json.loads(line) for line in handle.read().splitlines()]
    assert lines
    for line in lines:
        chosen, rejected = (len(one["text"]) for one in line["completions"])
        assert chosen > rejected
