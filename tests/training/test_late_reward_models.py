"""A reward model can be trained on frozen labels for as long as a person looks at the candidates,
and becomes a checkpoint that other runs name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from models_runtime import jobs
from models_runtime.models import Checkpoint
from tests.factories import Cast, make_cast
from tests.training import store
from training import pipeline
from training.models import Evaluation, TrainingRun

pytestmark = [
    pytest.mark.training,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def cast(transactional_db: None, settings: Any, tmp_path: Path) -> Cast:
    store.keep_in(settings, tmp_path)
    return make_cast()


@pytest.mark.parametrize("state", ["evaluating", "review"])
def test_what_is_trained_beside_the_candidates_is_registered_and_nothing_else_moves(
    cast: Cast, tmp_path: Path, state: str
) -> None:
    iteration = store.in_review(cast, tmp_path)
    type(iteration).objects.update(state=state)
    iteration.refresh_from_db()
    call_command("train", "reward", "--snapshot", str(iteration.snapshot_id), "--set", "heads=3")
    run = TrainingRun.objects.get()
    jobs.execute(run.job_id)
    pipeline._settle_candidates(iteration)
    pipeline._settle_candidates(iteration)
    run.refresh_from_db()
    assert run.output == Checkpoint.objects.get(kind="reward_model")
    assert run.output.name == f"{iteration.campaign.slug}-reward-model-{run.pk}"
    assert not Evaluation.objects.exists()
    iteration.refresh_from_db()
    assert iteration.state == state
