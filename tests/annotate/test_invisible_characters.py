"""A character that hides, or turns the reading direction, is spelled out on every page or refused
where a name is given: else a file's name or a job's error could read as something else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from annotate.templatetags.concord import EXCERPT
from labeling.models import Campaign, Completion, Iteration, SamplingBatch
from models_runtime import attempts
from models_runtime.models import Job
from tests.factories import Cast, CheckpointFactory, open_comparisons

TURNED = "a\u202e<b>\u2066z"
PAGES = (
    "/campaigns/helpful/",
    "/campaigns/helpful/1/",
    "/campaigns/helpful/1/rows/prompts/",
    "/campaigns/helpful/1/rows/samples/",
    "/jobs/",
    "/jobs/{job}/",
    "/checkpoints/{checkpoint}/",
)


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    """Every text that comes out of a file, a model or an error, turned."""
    (comparison,) = open_comparisons(cast.campaign, 1, texts=(TURNED, "y" * (EXCERPT + 500)))
    prompt = comparison.prompt
    prompt.messages = [{"role": "user", "content": TURNED}]
    prompt.category = prompt.source = prompt.item = TURNED
    prompt.save()
    iteration = Iteration.objects.get()
    Iteration.objects.update(state="failed", failed_from="training", error=TURNED)
    job = Job.objects.create(
        project=cast.project,
        kind="sample",
        state="failed",
        error=TURNED,
        config={TURNED: TURNED},
        attempt=1,
        dir=f"job-{uuid.uuid4().hex}",
    )
    folder = attempts.attempt_folder(job)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(TURNED, encoding="utf-8")
    batch = SamplingBatch.objects.create(
        iteration=iteration, job=job, samplers=[], ingested_at=timezone.now()
    )
    for number, row in enumerate(Completion.objects.all()):
        Completion.objects.filter(pk=row.pk).update(batch=batch, sample_index=number)
    checkpoint = CheckpointFactory(
        project=cast.project, facts={TURNED: TURNED}, manifest={TURNED: "0" * 64}
    )
    return {"job": job.pk, "checkpoint": checkpoint.pk}


@pytest.mark.parametrize("page", PAGES)
def test_they_are_spelled_out(client: Client, cast: Cast, rows: dict[str, Any], page: str) -> None:
    client.force_login(cast.researcher)
    body = client.get(page.format(**rows)).content.decode()
    assert "\u202e" not in body
    assert "U+202E" in body
    assert "<b>\u2066" not in body


def test_a_message_about_a_file_spells_them_out(client: Client, cast: Cast) -> None:
    client.force_login(cast.lead)
    sent = {"prompts": SimpleUploadedFile(f"{TURNED}.jsonl", b"{}")}
    body = client.post("/campaigns/helpful/prompts/", sent, follow=True).content.decode()
    assert "Nothing was imported" in body
    assert "\u202e" not in body


def test_a_page_of_samples_shows_the_beginning_of_long_ones(
    client: Client, cast: Cast, rows: dict[str, Any]
) -> None:
    client.force_login(cast.researcher)
    body = client.get("/campaigns/helpful/1/rows/samples/").content.decode()
    assert "y" * EXCERPT + " … and 500 characters more" in body
    assert "y" * (EXCERPT + 1) not in body


@pytest.mark.parametrize("field", ["name", "question"])
def test_a_campaign_cannot_be_named_so(client: Client, cast: Cast, field: str) -> None:
    client.force_login(cast.lead)
    response = client.post("/campaigns/new/", {field: TURNED})
    assert response.status_code == 400
    assert response.context["form"].errors.as_data()[field][0].code == "invisible"
    assert Campaign.objects.count() == 1
