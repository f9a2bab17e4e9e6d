"""A job's page shows what the policy answered to the same prompts, step by step, and nothing of it
runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate import panels
from models_runtime import attempts
from models_runtime.models import Job
from tests.factories import Cast

pytestmark = pytest.mark.django_db
ASKED = [[{"role": "user", "content": text}] for text in ("Why?", "<b>How?</b>")]


@pytest.fixture
def job(cast: Cast, settings: Any, tmp_path: Path) -> Job:
    settings.JOBS_DIR = tmp_path
    return Job.objects.create(project=cast.project, kind="train", attempt=2, dir="train-1")


def write(job: Job, attempt: int, answers: dict[int, list[str]], end: str = "") -> None:
    folder = attempts.folder_of(job) / f"attempt-{attempt}"
    folder.mkdir(parents=True)
    rows = [
        {"step": step, "prompt": place, "messages": ASKED[place], "text": text, "ended": True}
        for step, texts in answers.items()
        for place, text in enumerate(texts)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / panels.FILE).write_text(text + end, encoding="utf-8")


def test_the_newest_step_is_first_and_a_later_attempt_counts(job: Job) -> None:
    write(job, 1, {25: ["a", "b"], 50: ["torn", "torn"]})
    write(job, 2, {50: ["c", "d"], 75: ["e", "f"]}, end='{"step": 100, "pro')
    panel = panels.of(job)
    assert panel is not None
    assert panel.prompts == ASKED
    assert [(row.step, row.texts) for row in panel.rows] == [
        (75, ["e", "f"]), (50, ["c", "d"]), (25, ["a", "b"]),
    ]  # fmt: skip


def test_a_long_run_shows_its_newest_steps_alone(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "TAIL_BYTES", 2000)
    write(job, 2, {step: ["a" * 40, "b" * 40] for step in range(100)})
    panel = panels.of(job)
    assert panel is not None
    assert panel.rows[0].step == 99
    assert len(panel.rows) < panels.STEPS


def test_the_page_has_the_table_with_texts_that_are_inert(
    client: Client, cast: Cast, job: Job
) -> None:
    client.force_login(cast.researcher)
    assert 'id="panel"' not in client.get(f"/jobs/{job.pk}/").content.decode()
    write(job, 2, {25: ["Because.", "<script>alert(1)</script>\u202e"]})
    body = client.get(f"/jobs/{job.pk}/").content.decode()
    assert 'id="panel"' in body
    assert "Because." in body
    assert "&lt;b&gt;How?&lt;/b&gt;" in body
    assert "<script>alert" not in body
    assert "\u202e" not in body
