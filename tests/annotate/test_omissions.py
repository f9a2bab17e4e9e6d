"""What a job left out of its data is told where the job is looked at, and nothing where it left
out nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate import omissions
from models_runtime.models import Job
from tests.browser.scenes import review_scene
from tests.factories import Cast
from training.models import Evaluation, TrainingRun

PAGE = "/campaigns/helpful/3/"
TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture
def scene(db: Any) -> Cast:
    return review_scene(12)


@pytest.fixture
def researcher(scene: Cast) -> Client:
    client = Client()
    client.force_login(scene.researcher)
    return client


def reward_run() -> TrainingRun:
    return TrainingRun.objects.get(iteration__number=3, role="reward_model")


def ended(job: Job, **result: Any) -> None:
    Job.objects.filter(pk=job.pk).update(result={**job.result, **result})


def test_every_reason_that_training_counts_has_words() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in TRAINING.rglob("*.py"))
    counted = set(re.findall(r'dropped\["([^"]+)"\]', code))
    assert len(counted) > 9
    assert not counted - set(omissions.WHY)


def test_a_run_says_what_it_left_out_and_why(researcher: Client) -> None:
    run = reward_run()
    ended(run.job, dropped={"tied": 1204, "too long": 3}, prompts_cut=1)
    said = (
        "1,204 left out (neither answer was preferred). "
        "3 left out (prompt and answer together are longer than the run takes). "
        "1 prompt is longer than the model&#x27;s context: its oldest part was cut."
    )
    assert f">run-{run.pk}</a>: {said}" in researcher.get(PAGE).content.decode()
    own = researcher.get(f"/jobs/{run.job_id}/").content.decode()
    assert all(sentence in own for sentence in said.replace("). ", ").|").split("|"))


def test_an_evaluation_says_that_prompts_were_cut(researcher: Client) -> None:
    judged = Evaluation.objects.get(iteration__number=3)
    Evaluation.objects.filter(pk=judged.pk).update(result={**judged.result, "prompts_cut": 2})
    body = researcher.get(PAGE).content.decode()
    assert f">evaluation of run-{judged.run_id}</a>: 2 prompts are longer than" in body


def test_sampling_says_that_prompts_were_cut(researcher: Client) -> None:
    ended(Job.objects.get(sampling_batch__isnull=False), prompts_cut=7)
    assert "<small>7 prompts are longer than" in researcher.get(PAGE).content.decode()


def test_nothing_is_said_where_nothing_was_left_out(researcher: Client) -> None:
    run = reward_run()
    ended(run.job, dropped={"tied": 0}, prompts_cut=0)
    for page in (PAGE, f"/jobs/{run.job_id}/"):
        body = researcher.get(page).content.decode()
        assert "left out" not in body
        assert "context" not in body


def test_a_reason_nobody_foresaw_is_told_in_its_own_word() -> None:
    assert omissions.of({"dropped": {"too short": 2}}) == ["2 left out (too short)."]
