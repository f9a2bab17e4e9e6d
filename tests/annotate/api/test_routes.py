"""What the routes do: the same as the pages and the commands, by the same services."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from django.core.management import call_command

from labeling.models import Iteration, Snapshot
from models_runtime.models import Job, MetricChunk
from tests.annotate.api.programs import Program, Scene
from tests.factories import open_comparisons
from tests.rating import answer
from training.configs import METHODS
from training.models import TrainingRun


def test_a_run_is_the_one_that_the_command_starts(researcher: Program, scene: Scene) -> None:
    call_command("train", "odpo", "--snapshot", str(scene.snapshot.pk), "--set", "beta=.2")
    body = {
        "method": "odpo",
        "snapshots": [{"id": scene.snapshot.pk}],
        "options": {"beta": 0.2},
    }
    before = TrainingRun.objects.count()
    assert researcher.post("/runs", body).status_code == 422  # the same run waits already
    assert TrainingRun.objects.count() == before
    Job.objects.update(state="cancelled")
    said = researcher.post("/runs", body).json()
    by_program, by_command = TrainingRun.objects.order_by("-pk")[:2]
    assert said["id"] == by_program.pk
    for name in ("role", "method", "options", "select", "snapshot_id", "iteration_id"):
        assert getattr(by_program, name) == getattr(by_command, name)
    assert by_program.job.config == by_command.job.config
    assert by_program.job.inputs == by_command.job.inputs
    assert by_program.created_by == scene.cast.researcher
    assert said["state"] == "queued"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"method": "alchemy"}, "no training method named 'alchemy'"),
        ({"options": {"beta": "strong"}}, "must be a number, not 'strong'"),
        ({"filters": {"luck": 1}}, "luck"),
    ],
)
def test_what_cannot_run_is_refused_in_the_service_s_words(
    researcher: Program, scene: Scene, changed: dict[str, Any], words: str
) -> None:
    before = Job.objects.count()
    body = {"method": "dpo", "snapshots": [{"id": scene.snapshot.pk}], **changed}
    response = researcher.post("/runs", body)
    assert (response.status_code, response.json()["code"]) == (422, "refused")
    assert words in response.json()["detail"]
    assert Job.objects.count() == before


def test_a_stopped_run_is_continued_and_a_running_one_is_not(
    researcher: Program, scene: Scene
) -> None:
    said = researcher.post(f"/runs/{scene.stopped.pk}/continue")
    assert (said.status_code, said.json()["state"]) == (202, "queued")
    late = researcher.post(f"/runs/{scene.run.pk}/continue")
    assert (late.status_code, late.json()["code"]) == (409, "state")
    stopped = researcher.post(f"/runs/{scene.stopped.pk}/stop")
    assert stopped.json()["state"] == "stopped"


def test_metrics_are_lines_from_a_step_on(researcher: Program, scene: Scene) -> None:
    rows = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}, {"step": 2, "eval_loss": 0.5}]
    MetricChunk.objects.create(
        job=scene.run.job, attempt=1, offset=0, from_step=1, to_step=2, rows=rows
    )
    response = researcher.get(f"/runs/{scene.run.pk}/metrics?from_step=2")
    lines = b"".join(response.streaming_content).splitlines()
    assert [json.loads(line) for line in lines] == rows[1:]
    assert response["Content-Type"] == "application/x-ndjson"
    assert response["Job-State"] == "running"


def test_freezing_is_what_the_page_s_button_does(lead: Program, scene: Scene) -> None:
    early = lead.post("/campaigns/helpful/freeze")
    assert early.status_code == 422
    assert early.json()["detail"] == "No iteration is collecting labels now."
    open_comparisons(scene.cast.campaign, 1)
    answer(scene.cast.rater, scene.cast.campaign, "0:better")
    said = lead.post("/campaigns/helpful/freeze")
    assert (said.status_code, said.json()["freeze_requested"]) == (202, True)
    assert Iteration.objects.get(state="collecting").freeze_requested_at is not None
    progress = lead.get("/campaigns/helpful/progress").json()
    assert (progress["labels"], progress["labels_by_people"]) == (1, 1)


def test_a_snapshot_s_file_comes_byte_for_byte(lead: Program, scene: Scene) -> None:
    shown = lead.get(f"/snapshots/{scene.snapshot.pk}").json()
    assert shown["files"] == scene.snapshot.manifest
    response = lead.get(f"/snapshots/{scene.snapshot.pk}/files/labels.jsonl")
    assert b"".join(response.streaming_content) == b'{"label": 1}\n'
    assert response["ETag"] == f'"{shown["files"]["labels.jsonl"]}"'
    assert lead.get(f"/snapshots/{scene.snapshot.pk}/files/manifest.json").status_code == 404


def test_a_file_that_the_store_lost_is_said_to_be_missing(lead: Program, scene: Scene) -> None:
    of = {"project": scene.cast.project, "campaign": scene.cast.campaign, "counts": {}}
    lost = Snapshot.objects.create(
        uri=scene.snapshot.uri, manifest={"lost.jsonl": "6" * 64}, sha256="6" * 64, **of
    )
    response = lead.get(f"/snapshots/{lost.pk}/files/lost.jsonl")
    assert (response.status_code, response.json()["code"]) == (410, "damaged")
    assert "lost.jsonl is missing" in response.json()["detail"]


def test_agreement_of_nothing_is_null_and_no_zero(lead: Program) -> None:
    said = lead.get("/campaigns/helpful/agreement").json()["people"]
    assert said["outcome"] == {"value": None, "low": None, "high": None, "n": 0}


def test_every_option_of_every_method_is_in_its_schema(researcher: Program) -> None:
    shown = {one["name"]: one["options"] for one in researcher.get("/methods").json()["items"]}
    assert list(shown) == list(METHODS)
    assert researcher.get("/methods/dpo").json()["options"] == shown["dpo"]
    for method, schema in shown.items():
        fields = dataclasses.fields(METHODS[method][1])
        assert list(schema["properties"]) == [field.name for field in fields]
        for field in fields:
            said = schema["properties"][field.name]
            assert said["default"] == field.default
            assert said["description"] == str(field.metadata["help"])


def test_the_model_card_is_the_page_s(lead: Program, scene: Scene) -> None:
    lead.client.force_login(scene.cast.lead)
    page = lead.client.get(f"/checkpoints/{scene.iteration.policy_id}/README.md")
    said = lead.get(f"/checkpoints/{scene.iteration.policy_id}/card")
    assert said.content == page.content
