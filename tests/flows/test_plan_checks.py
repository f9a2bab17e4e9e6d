"""What could not be carried out later is refused before anybody labels, and nothing is left."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import iterations
from labeling.models import Iteration
from models_runtime.models import Job
from tests.factories import Cast, IterationFactory
from training import pipeline
from training.models import Evaluation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"method": "magic"}, "no training method named 'magic'"),
        ({"options": {"magic": 1}}, "no option named 'magic'"),
        ({"margin": "huge"}, "margin of reward must be one of"),
        ({"evaluation": {"samples_per_prompt": 1}}, "must lie between"),
        ({"guards": {"magic": 1}}, "no option named 'magic'"),
        ({"strategy": "magic"}, "selecting pairs named magic"),
        ({"start_training": "magic"}, "by auto or by a person"),
        ({"comparisons": 0}, "at least one"),
        ({"magic": 1}, "no setting named magic"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_starts_nothing(
    cast: Cast, setting: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        pipeline.start_iteration(cast.campaign, **setting)
    assert not Iteration.objects.exists()


def test_a_plan_is_checked_with_what_a_model_of_its_size_starts_with(cast: Cast) -> None:
    policy = cast.campaign.first_policy
    assert policy is not None
    policy.facts = {"parameters": 431_000}
    policy.save()
    plan = {
        "method": "grpo",
        "options": {"k": 256},
    }  # 1,024 answers a step, but 128 of a small one
    with pytest.raises(ValueError, match="multiple of k"):
        pipeline.start_iteration(cast.campaign, **plan)
    policy.facts = {"parameters": 431_000_000}
    policy.save()
    assert pipeline.start_iteration(cast.campaign, **plan).state == "sampling"


def test_a_closed_campaign_starts_nothing(cast: Cast) -> None:
    cast.campaign.state = "closed"
    with pytest.raises(ValueError, match="is closed"):
        pipeline.start_iteration(cast.campaign)


def test_a_failed_iteration_can_be_given_up_and_the_next_one_started(cast: Cast) -> None:
    failed = IterationFactory(campaign=cast.campaign, state="collecting")
    iterations.fail(failed, "The disk is full.")
    with pytest.raises(ValueError, match="still failed"):
        pipeline.start_iteration(cast.campaign)
    iterations.reject(iteration=failed)
    assert pipeline.start_iteration(cast.campaign).state == "sampling"


def test_a_failure_remembers_the_stored_state_not_one_that_was_rolled_back(cast: Cast) -> None:
    iteration = IterationFactory(campaign=cast.campaign, state="collecting")
    iteration.state = "training"
    iterations.fail(iteration, "It was rolled back.")
    assert iteration.failed_from == "collecting"
    iterations.retry(iteration)
    assert Iteration.objects.get().state == "collecting"


def test_a_candidate_that_failed_a_guard_cannot_be_promoted(cast: Cast) -> None:
    iteration = IterationFactory(campaign=cast.campaign, state="review")
    policy = cast.campaign.first_policy
    Evaluation.objects.create(
        project=cast.project,
        iteration=iteration,
        checkpoint=policy,
        job=Job.objects.create(project=cast.project, kind="evaluate"),
        result={"guards": [{"ok": False, "sentence": "The policy is too far away."}]},
    )
    with pytest.raises(ValueError, match="too far away"):
        pipeline.promote(iteration, policy)
    assert Iteration.objects.get().state == "review"


def test_an_absent_figure_does_not_pass_a_gate() -> None:
    judged = Evaluation(result={"metrics": {"win_rate": None}})
    assert not pipeline._passes(judged, {"win_rate": 0.5})
