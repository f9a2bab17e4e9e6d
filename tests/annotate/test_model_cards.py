"""A checkpoint's model card says what the rows say, as a hub reads it; hostile names are inert."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation
from huggingface_hub import ModelCard

from annotate import model_card, training_cost
from labeling import rendering
from labeling.models import PromptSet, Snapshot
from models_runtime.models import Checkpoint, Job
from tests.browser import scenes
from tests.browser.scenes import review_scene
from tests.factories import Cast, CheckpointFactory
from training.models import Evaluation, TrainingRun

HOSTILE = (
    "x\n---\nlicense: mit\n# Heading <script>alert(1)</script> [a](javascript:alert(1)) "
    "![b](https://evil.example/i.png) https://evil.example www.evil.example a@evil.example "
    "`code` | cell | $x$ \u202e\u200b \U0001f600 \U000e0041 \"quoted\" 'q' \\ & &lt;"
)


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Whatever language a request of another test left behind."""
    with translation.override("en-gb"):
        yield


@pytest.fixture
def scene(db: Any) -> Cast:
    return review_scene(12)


def candidate() -> Checkpoint:
    return Evaluation.objects.order_by("-id")[0].checkpoint


def test_the_front_matter_is_what_a_hub_reads(scene: Cast) -> None:
    card = ModelCard(model_card.of(candidate()).text, ignore_metadata_errors=False)
    front = card.data.to_dict()
    assert front["license"] == "unknown"
    assert front["pipeline_tag"] == "text-generation"
    first = scene.campaign.first_policy
    assert first is not None
    assert front["base_model"] == [first.name]
    assert front["tags"] == ["concord", "rlhf", "policy", "raft"]
    snapshot = Snapshot.objects.order_by("-id")[0]
    assert front["datasets"][0] == f"helpful/snapshot-{snapshot.sha256[:12]}"
    assert card.text.lstrip().startswith(f"# {candidate().name}")


def test_the_body_says_data_method_metrics_limits_lineage_and_cost(scene: Cast) -> None:
    run = TrainingRun.objects.get(output=candidate())
    run.options = {"beta": 0.2, "reference": "first"}
    run.save()
    result = {"dropped": {"too long": 3}, "metrics": {"train": {"loss": 0.25}}}
    Job.objects.filter(pk=run.job_id).update(cpu_seconds=7200.0, result=result)
    Snapshot.objects.filter(pk=run.snapshot_id).update(
        counts={
            "labels": {"person": 40, "simulated": 1200},
            "comparisons": {"kept": 30, "tied": 4},
        }
    )
    PromptSet.objects.update(licence="CC-BY-4.0")
    body = model_card.of(candidate()).body
    for said in (
        f"- Snapshot of labels: {run.snapshot_id}, sha256 `{run.snapshot.sha256}`",
        "- Labels by people: 40\n",
        "- Labels by simulated raters: 1,200\n",
        "- Comparisons kept: 30\n",
        "- Comparisons dropped: tied 4\n",
        "3 left out",
        "- `beta = 0.2`\n",
        "- Wins over the first policy: 91.5 % (95 % interval 87.0 % to 95.5 %)\n",
        "KL to the first policy, nats: 6.1 of 25 (held)",
        "- `train/loss = 0.25`",
        "Lineage, back to the first policy",
        "| registered as it was |",
        "CC-BY-4.0",
        "- This run: 7,200 CPU-seconds, 0 device-seconds, 0.0200 kWh, 9.50 g CO2\n",
        "10 W a CPU core",
    ):
        assert said in body, said


def test_a_mixture_names_its_sets_their_licences_and_the_filters(scene: Cast) -> None:
    run = TrainingRun.objects.get(output=candidate())
    imported = Snapshot.objects.create(
        project=scene.project,
        campaign=scene.campaign,
        sha256="c" * 64,
        uri="file:///nowhere/hh",
        counts={"imported": {"name": "helpful", "licence": "MIT"}},
    )
    for place, snapshot in enumerate((run.snapshot, imported)):
        run.parts.create(snapshot=snapshot, place=place, weight=1.0)
    run.select = {"filters": {"least_agreement": 0.7, "tags": ""}}
    run.save()
    card = model_card.of(candidate())
    assert f"helpful/snapshot-{'c' * 12}" in card.front["datasets"]
    assert f"- Mixed with it: snapshot {imported.pk}, sha256 `{'c' * 64}`\n" in card.body
    assert "- Filters: `least_agreement = 0.7`\n" in card.body
    assert "- Imported set helpful: MIT\n" in card.body


def test_what_a_guard_did_not_hold_and_nobody_labelled_is_said(scene: Cast) -> None:
    evaluation = Evaluation.objects.order_by("-id")[0]
    evaluation.result["guards"][1] |= {"ok": False, "value": 40.0}
    evaluation.save()
    Snapshot.objects.update(counts={"labels": {"person": 0, "simulated": 9}})
    body = model_card.of(evaluation.checkpoint).body
    assert "nats: 40.0 of 25 (NOT held)" in body
    assert "No person's label is in it" in body


def test_a_checkpoint_that_was_only_registered_claims_nothing(scene: Cast) -> None:
    card = model_card.of(CheckpointFactory(project=scene.project, facts={"licence": "apache-2.0"}))
    assert card.front["license"] == "apache-2.0"
    assert "base_model" not in card.front
    assert "what it was trained on is not known here" in card.body
    assert "Not trained here." in card.body
    assert "This policy has not been evaluated." in card.body


def test_hostile_names_are_inert(scene: Cast) -> None:
    """Every name that people choose, in the file and on the page."""
    row = candidate()
    Checkpoint.objects.update(facts={"hub": HOSTILE, "licence": HOSTILE, "architecture": HOSTILE})
    PromptSet.objects.update(name=HOSTILE[:200], licence=HOSTILE[:200])
    TrainingRun.objects.update(options={HOSTILE: HOSTILE}, method="raft")
    Checkpoint.objects.filter(pk=row.pk).update(name=HOSTILE)
    scene.project.name = scene.campaign.name = HOSTILE[:200]
    scene.project.save()
    scene.campaign.save()
    card = model_card.of(Checkpoint.objects.get(pk=row.pk))
    front = yaml.safe_load(card.text.split("\n---\n")[0].removeprefix("---\n"))
    assert front == card.front
    assert front["license"] == HOSTILE
    assert re.findall(r"^#+ .*$", card.body, re.MULTILINE)[1:] == [
        f"## {title}"
        for title in ("What it is", "Data", "Method", "Metrics", "Limits",
                      "Lineage, back to the first policy", "Licences", "Cost")
    ]  # fmt: skip
    assert "\u202e" not in card.text
    html = rendering.render(card.body)
    assert "<a" not in html
    assert "<math" not in html
    assert "javascript:alert" not in re.findall(r'(?:href|src)="([^"]*)"', html)
    assert "image" not in html.replace("imag\\", "")
    tables = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    assert {len(re.findall(r"<t[hd]", cells)) for cells in tables} == {5}


def test_energy_and_co2_follow_the_settings(scene: Cast, settings: Any) -> None:
    """One device at 400 W for half an hour and a core at 20 W for one hour: 220 Wh."""
    settings.CPU_WATTS, settings.DEVICE_WATTS, settings.GRAMS_PER_KWH = 20, 400, 100
    job = scenes._job(scene, "train", "succeeded")
    job.cpu_seconds, job.result = 3600.0, {"device": {"name": "a card", "count": 1}}
    assert job.finished_at is not None
    job.started_at = job.finished_at - scenes.timedelta(minutes=30)
    cost = training_cost.of([job, job])
    assert cost.device_seconds == 1800
    assert cost.kilowatt_hours == pytest.approx(0.22)
    assert cost.grams == pytest.approx(22)


def test_reward_models_count_towards_the_cost_of_what_they_taught(scene: Cast) -> None:
    run = TrainingRun.objects.get(output=candidate())
    judge = CheckpointFactory(project=scene.project, kind="reward_model")
    taught = TrainingRun.objects.filter(role="reward_model")[0]
    taught.output = judge
    taught.save()
    run.parents.set([judge])
    Job.objects.update(cpu_seconds=0.0)
    Job.objects.filter(pk__in=(run.job_id, taught.job_id)).update(cpu_seconds=100.0)
    body = model_card.of(candidate()).body
    assert "This run: 100 CPU-seconds" in body
    assert "reward models included: 200 CPU-seconds" in body


def test_the_page_shows_it_and_the_file_is_taken_away(scene: Cast, client: Client) -> None:
    row, before = candidate(), dict(candidate().manifest)
    client.force_login(scene.researcher)
    page = client.get(f"/checkpoints/{row.pk}/", headers={"Accept-Language": "de"})
    assert 'id="model-card"' in page.content.decode()
    given = client.get(f"/checkpoints/{row.pk}/README.md", headers={"Accept-Language": "de"})
    assert given["Content-Disposition"] == 'attachment; filename="README.md"'
    assert "## Limits\n" in given.content.decode()
    row.refresh_from_db()
    assert row.manifest == before


def test_the_command_writes_it_by_name_or_number(scene: Cast, tmp_path: Path) -> None:
    row = candidate()
    said = StringIO()
    call_command("model_card", row.name, stdout=said)
    assert said.getvalue().startswith("---\nlicense:")
    call_command("model_card", str(row.pk), "--out", str(tmp_path / "README.md"), stdout=said)
    assert (tmp_path / "README.md").read_text("utf-8") == model_card.of(row).text
    with pytest.raises(CommandError, match="There is no checkpoint named nobody"):
        call_command("model_card", "nobody")
    CheckpointFactory(name=row.name)
    with pytest.raises(CommandError, match="name one --project"):
        call_command("model_card", row.name)
