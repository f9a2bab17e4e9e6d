"""The row job that keeps checkpoints of a run for raters: read whole and checked, while the run
goes on and nobody waits for a page."""

from __future__ import annotations

from typing import Any

from models_runtime import jobs, resumable
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.models import Job, Project
from models_runtime.phrases import of
from models_runtime.records import Progress

CALL = "keep"


def submit(project: Project, source: Job, steps: list[int], key: str, actor: Any = None) -> Job:
    """The job that keeps these steps of ``source``, which are held under the key."""
    config = {"call": CALL, "job": source.pk, "steps": steps, "held": key}
    return jobs.submit(
        project=project, kind="row", queue="default", config=config, actor=actor,
        priority=source.priority,
    )  # fmt: skip


def run(job: JobDir) -> None:
    """The row job "keep": config {"job", "steps", "held"}; result {"inputs"}, entries of
    Job.inputs."""
    config = job.spec()["config"]
    source, steps = Job.objects.get(pk=config["job"]), config["steps"]
    kept = []
    for number, step in enumerate(steps, start=1):
        job.check_stop()
        try:
            kept.append(resumable.keep(source, step, config["held"]))
        except ValueError as error:
            resumable.let_go(source, config["held"])
            raise BadInput(of(error)) from error
        job.progress(Progress(number, len(steps), "checkpoints"))
    job.finish({"inputs": kept})
    resumable.let_go(source, config["held"])
