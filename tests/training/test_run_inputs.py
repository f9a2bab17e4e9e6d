"""What the job of a run is given, by its method and options: checkpoints, labels and prompts."""

from __future__ import annotations

import pytest

from labeling.models import Iteration, Snapshot
from models_runtime.models import Checkpoint, Endpoint
from tests.factories import (
    Cast,
    CheckpointFactory,
    IterationFactory,
    ProjectFactory,
    PromptFactory,
)
from training import runs
from training.models import TrainingRun

pytestmark = pytest.mark.django_db


def frozen(cast: Cast, manifest: dict[str, str] | None = None) -> Iteration:
    """An iteration with frozen labels whose policy has these files."""
    policy = CheckpointFactory(project=cast.project, manifest=manifest or {})
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, uri="file:///nowhere/snapshot"
    )
    PromptFactory(prompt_set__campaign=cast.campaign, split="train")
    made: Iteration = IterationFactory(campaign=cast.campaign, policy=policy, snapshot=snapshot)
    return made


def rewarded(cast: Cast, iteration: Iteration) -> Checkpoint:
    """The reward model that the iteration trained."""
    run = runs.start_run(iteration=iteration, role="reward_model", method="reward")
    model: Checkpoint = CheckpointFactory(project=cast.project, kind="reward_model")
    TrainingRun.objects.filter(pk=run.pk).update(output=model)
    return model


def started(iteration: Iteration, method: str, **options: object) -> dict[str, str]:
    run = runs.start_run(iteration=iteration, role="policy", method=method, options=options)
    return {row["name"]: row["uri"] for row in run.job.inputs}


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("sft", {"policy", "snapshot"}),
        ("simpo", {"policy", "snapshot"}),
        ("tdpo", {"policy", "snapshot", "reference"}),
        ("kto", {"policy", "snapshot", "reference"}),
        ("spin", {"policy", "snapshot"}),
        ("raft", {"policy", "snapshot", "prompts", "reward_model"}),
        ("hindsight", {"policy", "snapshot"}),
        ("distil", {"policy", "snapshot", "prompts", "safety_model"}),
    ],
)
def test_a_method_gets_what_it_reads_and_no_more(cast: Cast, method: str, names: set[str]) -> None:
    iteration = frozen(cast)
    rewarded(cast, iteration)
    assert set(started(iteration, method)) == names


@pytest.mark.parametrize(("method", "name"), [("raft", "best.jsonl"), ("spin", "own.jsonl")])
def test_what_lies_beside_the_policy_of_the_iteration_before_is_taken_up(
    cast: Cast, method: str, name: str
) -> None:
    iteration = frozen(cast, {name: "0" * 64})
    rewarded(cast, iteration)
    inputs = started(iteration, method)
    assert inputs["earlier"] == inputs["policy"]
    other = {"raft": "spin", "spin": "raft"}[method]
    assert "earlier" not in started(iteration, other)


def test_a_safety_model_is_taken_by_its_name_or_refused(cast: Cast) -> None:
    iteration = frozen(cast)
    helpful = rewarded(cast, iteration)
    safety = CheckpointFactory(project=cast.project, kind="reward_model", name="safe")
    inputs = started(iteration, "ppo", reward="piecewise", safety_model="safe")
    assert (inputs["reward_model"], inputs["safety_model"]) == (helpful.uri, safety.uri)
    with pytest.raises(ValueError, match="no reward model named 'unsafe' to judge safety"):
        started(iteration, "ppo", reward="piecewise", safety_model="unsafe")


def test_who_teaches_and_who_judges_safety_are_taken_by_their_names(cast: Cast) -> None:
    iteration = frozen(cast)
    with pytest.raises(ValueError, match="distil needs a reward model, and none is trained yet"):
        started(iteration, "distil")
    safety = CheckpointFactory(project=cast.project, kind="reward_model", name="safe")
    teacher = CheckpointFactory(project=cast.project, name="wise")
    inputs = started(iteration, "distil", safety_model="safe", teacher="wise")
    assert (inputs["safety_model"], inputs["teacher"]) == (safety.uri, teacher.uri)
    with pytest.raises(ValueError, match="no policy named 'safe' to teach"):
        started(iteration, "distil", safety_model="safe", teacher="safe")
    with pytest.raises(ValueError, match="no reward model named 'wise' to judge safety"):
        started(iteration, "distil", safety_model="wise")


def test_a_built_in_reward_needs_no_model(cast: Cast) -> None:
    iteration = frozen(cast)
    assert set(started(iteration, "rloo", reward="length")) == {
        "policy", "snapshot", "reference", "prompts",
    }  # fmt: skip
    with pytest.raises(ValueError, match="rloo needs a reward model, and none is trained yet"):
        started(iteration, "rloo")


@pytest.mark.parametrize("method", ["ppo", "grpo", "rloo", "raft"])
def test_a_judge_is_an_endpoint_of_the_project_and_needs_no_model(cast: Cast, method: str) -> None:
    iteration = frozen(cast)
    wise = Endpoint.objects.create(project=cast.project, name="wise", base_url="http://localhost")
    Endpoint.objects.create(project=ProjectFactory(), name="theirs", base_url="http://localhost")
    options = {"reward": "judge", "judge": "wise", "judge_calls": 50, "judge_at_once": 2}
    assert "reward_model" not in started(iteration, method, **options)
    told = TrainingRun.objects.get().job.config["relay"]
    assert told == {"endpoint": wise.pk, "calls": 50, "at_once": 2, "seconds": 60.0}
    for name in ("", "theirs"):
        with pytest.raises(ValueError, match=f"no endpoint named '{name}' to judge"):
            started(iteration, method, reward="judge", judge=name)


def test_only_a_run_that_is_judged_has_somebody_to_ask(cast: Cast) -> None:
    started(frozen(cast), "rloo", reward="length", judge="wise")
    assert "relay" not in TrainingRun.objects.get().job.config


def test_a_reward_model_that_is_trained_later_replaces_no_other(cast: Cast) -> None:
    """The iteration's own stays the one that its policy learned by."""
    iteration = frozen(cast)
    own = rewarded(cast, iteration)
    started(iteration, "raft")
    later = rewarded(cast, iteration)
    assert own.uri != later.uri
    assert started(iteration, "rloo")["reward_model"] == own.uri


def test_where_no_policy_learned_by_one_the_newest_reward_model_rewards(cast: Cast) -> None:
    iteration = frozen(cast)
    started(iteration, "dpo")
    rewarded(cast, iteration)
    newest = rewarded(cast, iteration)
    assert started(iteration, "rloo")["reward_model"] == newest.uri
