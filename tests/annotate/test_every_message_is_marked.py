"""What a page says after a press is translated as well: the messages of every act, and what each
form refuses, whether it is sent as it stands, empty, or full of what no form should hold."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from labeling import care, iterations
from labeling.care import Care
from labeling.models import Campaign, Iteration, User
from models_runtime import attempts, jobdir, jobs
from models_runtime.attempts import Ending
from models_runtime.models import Job
from models_runtime.sentences import not_installed
from tests import page_forms, pseudo_language, talks
from tests.annotate.test_every_word_is_marked import known
from tests.browser import scenes
from tests.factories import PASSWORD
from training import lessons, runs

pytestmark = pytest.mark.long
ELSEWHERE = ("/language/", "/sign-out/")  # these say nothing, and change who asks


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    pseudo_language.speak(monkeypatch)


def browser(user: User | None) -> Client:
    client = Client(headers={"Accept-Language": "de"})
    if user is not None:
        client.force_login(user)
    return client


def said(user: User | None, address: str, data: dict[str, Any]) -> list[str]:
    """The words without marks on the page that a press leads to; what it did is undone."""
    with transaction.atomic():
        response = browser(user).post(address, data, follow=True)
        words = pseudo_language.unmarked(response.content.decode(), known())
        transaction.set_rollback(True)
    assert response.status_code < 500, address
    if "html" not in response.headers.get("Content-Type", ""):
        return []
    return [f"{address} {data} says {word}" for word in dict.fromkeys(words)]


def pressed(user: User, *pages: str) -> list[str]:
    """The same of every form of these pages, in each of three ways."""
    seen, found = set[tuple[str, str]](), []
    for page in pages:
        body = browser(user).get(page).content.decode()
        for form in page_forms.posted(body):
            address = form.action or page
            if address in ELSEWHERE:
                continue
            for data in (form.as_it_stands(), form.empty(), form.wrong()):
                if (address, str(data)) not in seen:
                    seen.add((address, str(data)))
                    found += said(user, address, data)
    assert seen, "no form was found"
    return found


def test_signing_in(db: Any) -> None:
    cast = scenes.rating_scene(2)
    for entry in ({}, {"username": "rater", "password": "?"}, {"username": "?", "password": "?"}):
        assert said(None, "/sign-in/", entry) == []
    User.objects.filter(pk=cast.rater.pk).update(is_active=False)
    assert said(None, "/sign-in/", {"username": "rater", "password": PASSWORD}) == []


def test_a_rater_s_forms(db: Any) -> None:
    cast = scenes.rating_scene(8)
    warning = Care("Violence.", needs_consent=True, veiled=True, daily_cards=1)
    pages = ("/rate/", "/rate/helpful/", "/account/", "/rate/helpful/care/")
    assert pressed(cast.rater, *pages) == []
    care.settle(campaign=cast.campaign, care=warning, actor=cast.lead)
    assert pressed(cast.rater, *pages) == []


@pytest.mark.parametrize("kind", [talks.CONVERSATION, talks.ARENA, talks.RED_TEAM])
def test_a_talk_s_forms(db: Any, kind: dict[str, Any]) -> None:
    cast = talks.cast_of(kind)
    assert pressed(cast.rater, "/talk/helpful/") == []
    talk = talks.begun(cast)
    address = f"/talks/{talk.public_id}/"
    assert pressed(cast.rater, address) == []
    turn = talks.say(talk)
    talks.answer(talk, *(f"Reply {n}." for n in range(turn.replies.count())))
    assert pressed(cast.rater, address) == []


def test_a_lead_s_forms(db: Any) -> None:
    cast = scenes.labelled_scene(12)
    own = [f"/campaigns/helpful/{page}" for page in ("", "wording/", "care/", "preview/")]
    pages = [*own, "/campaigns/new/", "/people/", "/account/"]
    assert pressed(cast.lead, *pages) == []
    for state in ("draft", "paused", "closed"):
        Campaign.objects.filter(pk=cast.campaign.pk).update(state=state)
        assert pressed(cast.lead, *own[:3]) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prompts.txt", ""), ("prompts.jsonl", ""), ("prompts.jsonl", "{\n" * 12),
        ("prompts.jsonl", '{"prompt": ""}\n{"prompt": 7}\n{"prompt": "?", "split": "?"}\n[]\n'),
        ("prompts.csv", "a,b\n1,2\n"), ("prompts.jsonl", '{"prompt": "?"}\n{"prompt": "?"}\n'),
    ],
)  # fmt: skip
def test_a_file_of_prompts(db: Any, name: str, text: str) -> None:
    cast = scenes.labelled_scene(4)
    for demo_world in (True, False):
        Campaign.objects.filter(pk=cast.campaign.pk).update(demo_world=demo_world)
        sent = SimpleUploadedFile(name, text.encode())
        assert said(cast.lead, "/campaigns/helpful/prompts/", {"prompts": sent}) == []


@pytest.mark.parametrize("verb", ["open", "pause", "resume", "close"])
def test_a_campaign_moved_from_any_state(db: Any, verb: str) -> None:
    cast = scenes.labelled_scene(4)
    for state in dict(Campaign.TRANSITIONS):
        Campaign.objects.filter(pk=cast.campaign.pk).update(state=state)
        assert said(cast.lead, f"/campaigns/helpful/{verb}/", {}) == []


ACTS = ("promote/", "reject/", "retry/", "pause/", "resume/", "runs/dpo/", "runs/raft/")


def test_a_researcher_s_forms_and_acts_in_every_state(db: Any) -> None:
    cast = scenes.review_scene(12)
    assert (
        pressed(cast.researcher, "/campaigns/helpful/3/", "/campaigns/helpful/3/runs/sft/") == []
    )
    for state in Iteration.TRANSITIONS:
        rows = Iteration.objects.filter(campaign=cast.campaign, number=3)
        rows.update(state=state, failed_from="training" if state == "failed" else "")
        for act in ACTS:
            assert said(cast.researcher, f"/campaigns/helpful/3/{act}", {}) == []
        for act in ("iterate/", "freeze/", "simulate/"):
            assert said(cast.lead, f"/campaigns/helpful/{act}", {"count": "7"}) == []


def test_a_job_s_acts_in_every_state(db: Any) -> None:
    cast = scenes.review_scene(12)
    job = Job.objects.create(project=cast.project, kind="train")
    for state in Job.TRANSITIONS:
        Job.objects.filter(pk=job.pk).update(state=state)
        for verb in ("stop", "retry", "cancel", "again"):
            assert said(cast.researcher, f"/jobs/{job.pk}/{verb}/", {}) == []


ENDINGS = (Ending(-9), Ending(-11), Ending(0), Ending(3), Ending(3, last_line="Oh no"))
ERRORS = (
    jobdir.DISK_FULL,
    jobdir.OUT_OF_MEMORY,
    jobs.WORKER_LOST,
    not_installed("numpy"),
    lessons.NOTHING,
    *runs.NO_PROMPTS.values(),
    *map(attempts._by_status, ENDINGS),
)


def test_an_error_that_was_stored_is_said(db: Any) -> None:
    cast = scenes.review_scene(12)
    for error in ERRORS:
        iteration = cast.campaign.iterations.get(number=3)
        Iteration.objects.filter(pk=iteration.pk).update(state="training")
        iterations.fail(iteration, error)
        job = Job.objects.create(project=cast.project, kind="train", state="failed", error=error)
        for page in ("/campaigns/helpful/3/", "/campaigns/helpful/", "/jobs/", f"/jobs/{job.pk}/"):
            body = browser(cast.researcher).get(page).content.decode()
            assert pseudo_language.unmarked(body, known()) == []
        job.delete()
