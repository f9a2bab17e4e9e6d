"""What DPO's policy is pulled towards: the campaign's first policy, or its parent by option."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from labeling.models import Snapshot
from models_runtime.jobdir import BadInput
from models_runtime.loading import load_policy, load_tokenizer
from models_runtime.records import Preference
from tests.factories import Cast, CheckpointFactory, IterationFactory
from tests.training import tiny
from training import runs
from training.data import Encoder
from training.losses import dpo, log_ratio
from training.models import TrainingRun
from training.scoring import completion_logps, in_batches

ONE_BATCH = {"batch_size": 20, "epochs": 1, "learning_rate": 1e-3, "beta": 0.5}


def started(cast: Cast, **options: str) -> tuple[TrainingRun, dict[str, str]]:
    """A DPO run of an iteration whose policy is no longer the first one; its inputs' addresses."""
    parent = CheckpointFactory(project=cast.campaign.project)
    snapshot = Snapshot.objects.create(
        project=cast.campaign.project, campaign=cast.campaign, uri="file:///nowhere/snapshot"
    )
    iteration = IterationFactory(campaign=cast.campaign, policy=parent, snapshot=snapshot)
    run = runs.start_run(iteration=iteration, role="policy", method="dpo", options=options)
    return run, {row["name"]: row["uri"] for row in run.job.inputs}


@pytest.mark.django_db
def test_the_first_policy_stays_the_reference_whatever_was_promoted(cast: Cast) -> None:
    run, inputs = started(cast)
    first = cast.campaign.first_policy
    assert first is not None
    assert inputs["reference"] == first.uri
    assert inputs["policy"] == run.iteration.policy.uri != first.uri
    assert run.job.config["options"]["reference"] == run.options["reference"] == "first"
    assert set(run.parents.all()) == {run.iteration.policy, first}


@pytest.mark.django_db
def test_the_parent_is_the_reference_when_asked_for(cast: Cast) -> None:
    run, inputs = started(cast, reference="parent")
    assert inputs["reference"] == inputs["policy"] == run.iteration.policy.uri
    assert run.options["reference"] == "parent"
    assert set(run.parents.all()) == {run.iteration.policy}


@pytest.mark.training
def test_a_policy_that_starts_as_its_reference_starts_at_log_2(tmp_path: Path) -> None:
    rows = tiny.metrics_of(tiny.train(tmp_path, "dpo", ONE_BATCH))
    assert rows[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.training
def test_one_that_has_moved_starts_at_the_loss_of_its_distance(tmp_path: Path) -> None:
    """The library's first loss against the equation on log-probabilities of our own."""
    reference = tiny.make_policy(tmp_path / "first", seed=5)
    folder = tiny.train(tmp_path, "dpo", {**ONE_BATCH, "reference": "first"}, reference=reference)
    expected = loss_of(tmp_path / "policy", reference, beta=0.5)
    assert abs(expected - math.log(2)) > 1e-3
    assert tiny.metrics_of(folder)[0]["loss"] == pytest.approx(expected, abs=1e-5)
    resolved = json.loads((folder / "attempt-1" / "config.json").read_text())
    assert resolved["options"]["reference"] == "first"
    assert set(resolved["inputs"]) == {"policy", "reference", "snapshot"}


def loss_of(policy: Path, reference: Path, beta: float) -> float:
    """The mean of -log sigmoid(beta h) over the pairs that tiny.train trains on."""
    encoder = Encoder(load_tokenizer(policy), 128)
    kept = [record for record in tiny.preference_records() if record.split == "train"]

    def logps(folder: Path, answer: int) -> torch.Tensor:
        rows = [encoder.encode(r.messages, r.completions[answer].text) for r in kept]
        return torch.tensor(in_batches(completion_logps, load_policy(folder), rows))

    h = log_ratio(*[logps(folder, side) for folder in (policy, reference) for side in (0, 1)])
    return dpo(h, beta).mean().item()


@pytest.mark.training
def test_pairs_that_do_not_weigh_one_are_refused_with_their_number(tmp_path: Path) -> None:
    records = tiny.preference_records()
    for number in (0, 1):
        (pair,) = records[number].preferences
        weighted = Preference(pair.chosen, pair.rejected, pair.strength, weight=0.5)
        records[number].preferences[:] = [weighted]
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", records)
    with pytest.raises(BadInput, match="2 of the 20 pairs have a weight other than 1"):
        tiny.train(tmp_path, "dpo", ONE_BATCH, snapshot=snapshot)
