"""A run that published an earlier checkpoint than its last, or ended early, says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import translation

from annotate import model_card, outcomes
from models_runtime.models import Job
from tests.browser.scenes import review_scene
from tests.factories import Cast
from training.models import TrainingRun

BEST = {"metric": "eval_loss", "step": 1200, "value": 0.41234, "steps": 6000}
EARLY = {**BEST, "ended_early": 1800, "patience": 3}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Whatever language a request of another test left behind."""
    with translation.override("en-gb"):
        yield


def test_the_last_step_needs_no_word() -> None:
    assert outcomes.of({}) == []


def test_what_a_judge_was_asked_is_said() -> None:
    told = {"answers": 1200, "without_verdict": 0, "calls": 1203}
    assert outcomes.of({"judge": told}) == [
        "The judge gave all of 1,200 answers a number, in 1,203 requests."
    ]
    assert outcomes.of({"judge": {**told, "without_verdict": 30}}) == [
        "The judge gave 1,170 of 1,200 answers a number, in 1,203 requests; the others count as "
        "the middle of its scale."
    ]


def test_what_was_published_and_when_the_run_ended_are_said() -> None:
    published = "Published is step 1,200 of 6,000: the best eval_loss, 0.4123."
    assert outcomes.of({"best": BEST}) == [published]
    assert outcomes.of({"best": EARLY}) == [
        published,
        "Training ended early, after step 1,800: eval_loss had not improved for 3 looks.",
    ]


@pytest.mark.parametrize("where", ["ppo", "grpo"])
def test_what_guards_only_warned_of_is_said(where: str) -> None:
    def said(times: int) -> list[str]:
        told = {"warnings": times, "last_warning": "At step 8 a guard found too much."}
        train = {"train": {"loss": 0.1}}
        return outcomes.of({"metrics": {**train, **told} if where == "ppo" else {"train": told}})

    assert said(1) == ["Guards of this run only warned, 1 time: At step 8 a guard found too much."]
    assert "only warned, 2 times, at last:" in said(2)[0]
    assert outcomes.of({"metrics": {"train": {"loss": 0.1}}}) == []


@pytest.mark.django_db
def test_the_job_s_page_and_the_model_card_say_it(client: Client) -> None:
    scene: Cast = review_scene(12)
    run = TrainingRun.objects.exclude(output=None).order_by("-id")[0]
    Job.objects.filter(pk=run.job_id).update(result={"best": EARLY})
    client.force_login(scene.researcher)
    assert "Training ended early" in client.get(f"/jobs/{run.job_id}/").content.decode()
    assert run.output is not None
    assert "- Training ended early, after step 1,800" in model_card.of(run.output).body
