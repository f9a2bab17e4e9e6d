"""One budget of requests to a judge for all rounds of a graph, whatever jobs carried them out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models_runtime import jobs, relayed
from models_runtime.jobs import AGAIN
from models_runtime.models import Job
from models_runtime.phrases import phrase
from training import scorers
from training.models import PairGraph


def relay(graph: PairGraph, config: Any) -> dict[str, Any]:
    """What the graph's next rewarding job says of its judge, with the requests that are left of
    the option judge_calls; empty where no endpoint judges. Raises ValueError, one sentence, where
    none is left."""
    told = scorers.relay_of(graph.iteration, config)
    if not told:
        return {}
    left = config.judge_calls - spent(graph)
    if left <= 0:
        raise ValueError(
            phrase(
                "The rounds asked the judge %(calls)s times, as often as the option judge_calls "
                "allows.",
                calls=config.judge_calls,
            )
        )
    return {"relay": {**told["relay"], "calls": left}}


def spent(graph: PairGraph) -> int:
    """Requests of all rounds so far, in vain or not."""
    rewarding = Job.objects.filter(pairs_rewarded_by__graph=graph)
    return sum(_spent(one) for job in rewarding for one in _with_cancelled(job))


def _with_cancelled(job: Job) -> Iterator[Job]:
    """The job, and those that it runs in the place of."""
    found: Job | None = job
    while found is not None:
        yield found
        found = Job.objects.filter(state="cancelled", **{f"result__{AGAIN}": found.pk}).first()


def _spent(job: Job) -> int:
    """As its worker counted on this host, or as its result has it, which knows no calls in
    vain."""
    told = job.result.get("judge", {}).get("calls", 0)
    return max(relayed.spent(jobs.folder(job)) if job.dir else 0, int(told))
