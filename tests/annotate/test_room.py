"""The form of a run says what it would need of memory, where the policy says how large it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from annotate import room
from labeling.models import Snapshot
from models_runtime import artifacts
from models_runtime.models import Checkpoint
from tests.factories import Cast, CheckpointFactory, IterationFactory
from tests.models_runtime.tiny import DEMO_POLICY

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(cast: Cast, settings: Any, tmp_path: Path) -> Checkpoint:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    uri, manifest = artifacts.put_folder(DEMO_POLICY, "policies/demo")
    facts = {"parameters": 431_000, "context_length": 256}
    made: Checkpoint = CheckpointFactory(
        project=cast.project, uri=uri, manifest=manifest, facts=facts
    )
    return made


def test_longer_rows_and_larger_batches_need_more(policy: Checkpoint) -> None:
    """By hand: 4 x 431,000 x 4 for weights, gradients and AdamW; 4 x (3 x (12 x 96 + 4 x 96 + 4 x
    256) + 3 x 1024) = 43,008 bytes a token, of 8 rows of 256; 150 MB of libraries."""
    with translation.override("en-gb"):
        said = room.needed(policy, "sft", {"batch_size": 8})
        less = room.needed(policy, "sft", {"batch_size": 8, "max_length": 16})
    assert "rows of 256 tokens, the longest there may be, it would need about 155 MB" in said
    assert "rows of 16 tokens" in less
    assert "about 72.4 MB of memory on a CPU" in less


def test_nothing_is_said_of_what_is_not_known(policy: Checkpoint) -> None:
    assert room.needed(policy, "sft", {"batch_size": -1}) == ""
    policy.facts = {}
    assert room.needed(policy, "sft", {}) == ""
    assert room.needed(CheckpointFactory(project=policy.project), "sft", {}) == ""


def form_of(client: Client, cast: Cast, policy: Checkpoint, method: str) -> str:
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, uri="file:///nowhere/snapshot"
    )
    row = IterationFactory(
        campaign=cast.campaign, policy=policy, snapshot=snapshot, state="review"
    )
    client.force_login(cast.researcher)
    return client.get(f"/campaigns/helpful/{row.number}/runs/{method}/").content.decode()


def test_the_form_says_it(client: Client, cast: Cast, policy: Checkpoint) -> None:
    assert "it would need about" in form_of(client, cast, policy, "dpo")


def test_the_form_says_what_stays_in_one_process(
    client: Client, cast: Cast, policy: Checkpoint, settings: Any
) -> None:
    settings.TRAINING_LAUNCH = "ddp"
    assert "but a run of this method goes on in one" in form_of(client, cast, policy, "simpo")


def test_a_method_that_several_processes_cannot_share_says_so(
    policy: Checkpoint, settings: Any
) -> None:
    settings.TRAINING_LAUNCH = ""
    assert room.in_one_process("ppo") == ""
    settings.TRAINING_LAUNCH = "ddp"
    assert room.in_one_process("dpo") == ""
    with translation.override("en-gb"):
        said = room.in_one_process("ppo")
    assert said.endswith("goes on in one: only sft, dpo, kto can share a batch.")
