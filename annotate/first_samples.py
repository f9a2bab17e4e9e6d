"""What a person at the terminal sees until the first comparison can be answered."""

from __future__ import annotations

import time
from collections.abc import Iterator

from labeling.models import Comparison, Iteration
from models_runtime.models import Job

POLL_SECONDS = 0.5


def lines() -> Iterator[str]:
    """One line for each change of the newest sampling job, ending when a comparison is open.

    Ends at once when one is, and when no iteration is sampling.
    """
    said = ""
    while not Comparison.objects.filter(state="open", slots_left__gt=0).exists():
        iteration = Iteration.objects.order_by("-id").first()
        if iteration is None or iteration.state != "sampling":
            yield from _ended(iteration)
            return
        line = _line(Job.objects.filter(sampling_batch__iteration=iteration).last())
        if line != said:
            yield line
        said = line
        time.sleep(POLL_SECONDS)


def _ended(iteration: Iteration | None) -> Iterator[str]:
    if iteration is not None and iteration.state == "failed":
        yield f"Sampling failed: {iteration.error}"


def _line(job: Job | None) -> str:
    if job is None or job.state == "queued":
        return "Sampling waits for the gpu worker."
    if job.state == "running" and job.progress.get("total"):
        return "Sampling: {done} of {total} {unit}.".format(**job.progress)
    return "Sampling: loading the model." if job.state == "running" else "Building comparisons."
