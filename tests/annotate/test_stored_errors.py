"""Why a job or an iteration failed is stored once and said to each reader in their language."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from labeling import iterations
from labeling.models import Iteration
from models_runtime.models import Job
from models_runtime.phrases import phrase
from tests.browser.scenes import review_scene
from tests.factories import Cast
from training import runs

NEEDS = phrase("%(method)s needs a reward model, and none is trained yet.", method="raft")
ENGLISH = "raft needs a reward model, and none is trained yet."
GERMAN = "raft braucht ein Belohnungsmodell"


@pytest.fixture
def scene(db: Any) -> Cast:
    return review_scene(12)


def read(cast: Cast, address: str, language: str) -> str:
    client = Client(headers={"Accept-Language": language})
    client.force_login(cast.researcher)
    return client.get(address).content.decode()


def test_each_reads_why_an_iteration_failed_in_their_own_language(scene: Cast) -> None:
    Iteration.objects.filter(number=3).update(state="training")
    iterations.fail(scene.campaign.iterations.get(number=3), NEEDS)
    for page in ("/campaigns/helpful/3/", "/campaigns/helpful/"):
        assert ENGLISH in read(scene, page, "en")
        assert GERMAN in read(scene, page, "de")
    assert read(scene, "/campaigns/helpful/3/", "de").count(GERMAN) == 2  # what happened, as well


def test_each_reads_why_a_job_failed_in_their_own_language(scene: Cast) -> None:
    job = Job.objects.create(project=scene.project, kind="train", state="failed", error=NEEDS)
    for page in ("/jobs/", f"/jobs/{job.pk}/"):
        assert ENGLISH in read(scene, page, "en")
        assert GERMAN in read(scene, page, "de")


def test_a_guard_that_does_not_hold_is_said_in_both(scene: Cast) -> None:
    judged = scene.campaign.iterations.get(number=3).evaluations.get()
    guard = {"name": "kl", "value": 31.25, "limit": 25.0, "ok": False, "sentence": "Too far."}
    judged.result["guards"] = [guard, {"name": "new", "ok": False, "sentence": "Of a later one."}]
    kl, new = runs.failed_guards(judged)
    assert kl == "The policy is 31.25 nats from the first one; at most 25.00 are allowed."
    assert (kl.message, new) == (runs.GUARDS["kl"], "Of a later one.")
