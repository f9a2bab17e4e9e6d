"""The loop, end to end, with real jobs on real (tiny) models: from prompts to a promoted policy.

Workers are played by this process: it claims and executes jobs as the gpu worker does, and rings
``tick`` as beat does. The stack tests have the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate import demo, loop_report
from labeling import simulation
from labeling.models import Campaign, Iteration, Label
from models_runtime import jobs
from models_runtime.models import Checkpoint, Job
from training import pipeline

pytestmark = [pytest.mark.training, pytest.mark.django_db(transaction=True)]
SMALL = {
    "prompts": 40,
    "comparisons": 60,
    "target_labels": 66,
    "count_simulated": True,
    "repeat": False,
    "evaluation": {"samples_per_prompt": 2},
    "options": {"k": 2, "epochs": 1},
}


@pytest.fixture
def campaign(tmp_path: Path, settings: Any) -> Campaign:
    settings.DATA_DIR = tmp_path
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    project = demo.ensure_project()
    policy = demo.ensure_policy(project)
    return demo.create_campaign(project=project, policy=policy, name="Loop", plan=SMALL)


def work_until(iteration: Iteration, done: Callable[[Iteration], bool], turns: int = 30) -> None:
    """Tick and execute jobs until the iteration is where the test wants it."""
    for _ in range(turns):
        pipeline.tick()
        iteration.refresh_from_db()
        if done(iteration):
            return
        jobs.execute_next("gpu")
    raise AssertionError(f"still {iteration.state}: {iteration.error}")


@pytest.mark.long
def test_labels_become_a_promoted_policy_and_the_next_iteration_starts_from_it(
    campaign: Campaign,
) -> None:
    iteration = pipeline.start_iteration(campaign)
    work_until(iteration, lambda i: i.state == "collecting")
    assert iteration.comparisons.count() == 60
    given = simulation.label_as_simulated(campaign=campaign, count=66, seed=0)
    assert given == 66
    work_until(iteration, lambda i: i.state == "review")

    assert {label.source for label in Label.objects.all()} == {"simulated"}
    run = iteration.runs.get(role="policy")
    assert run.output.parent == campaign.first_policy
    assert set(run.parents.all()) == {
        campaign.first_policy,
        iteration.runs.get(role="reward_model").output,
    }
    figures = loop_report.figures(iteration)
    assert 0 <= figures["policy"]["win_rate"] <= 1
    assert figures["labels"] == 66

    pipeline.promote(iteration, run.output)
    following = pipeline.start_iteration(campaign)
    assert following.policy == run.output
    work_until(following, lambda i: i.state == "collecting")
    makers = set(following.batches.get().completions.values_list("checkpoint", flat=True))
    assert makers == {run.output_id, campaign.first_policy_id}


def test_a_promotion_needs_an_evaluation_of_this_iteration(campaign: Campaign) -> None:
    iteration = pipeline.start_iteration(campaign)
    with pytest.raises(ValueError, match="has evaluated"):
        pipeline.promote(iteration, Checkpoint.objects.get())


def test_a_failed_sampling_fails_the_iteration_and_retry_resumes_it(campaign: Campaign) -> None:
    iteration = pipeline.start_iteration(campaign)
    pipeline.tick()
    job = Job.objects.get(kind="sample")
    Job.objects.filter(pk=job.pk).update(state="failed", error="The disk is full.")
    pipeline.tick()
    iteration.refresh_from_db()
    assert (iteration.state, iteration.error) == ("failed", "The disk is full.")

    pipeline.retry_iteration(iteration)
    work_until(iteration, lambda i: i.state == "collecting")
    assert iteration.batches.count() == 1
