"""A campaign of demonstrations trains by imitation, and one of neither preferences nor
demonstrations says why it does not."""

from __future__ import annotations

import dataclasses
import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from labeling import iterations, labels, leases, presets, snapshots, written
from labeling.iterations import Plan
from labeling.models import Iteration, Label, Snapshot
from labeling.pseudonyms import pseudonym
from models_runtime import artifacts
from models_runtime.models import Job
from tests.factories import Cast, ComparisonFactory, IterationFactory, UserFactory, make_cast
from tests.training import tiny
from training import lessons, pipeline

pytestmark = pytest.mark.django_db
PARTS = presets.parts("demonstration", tie=False)
PLAN = {**presets.PRESETS["demonstration"].settings(), "system_prompt": "tell me"}
SFT = {"learning_rate": 1e-2, "epochs": 4, "batch_size": 4}


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast(parts=PARTS)


def test_what_was_written_is_frozen_under_its_system_prompt(cast: Cast) -> None:
    iteration = _collecting(cast, count=5)
    kept = _write(cast, "the answer is very good")
    _write(cast, "taken back by its rater")
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    _write(cast, "the reply was very good")
    labels.flag(assignment=Label.objects.latest("pk").assignment, code="broken")
    other = UserFactory()
    _write(cast, "erased by its own rater", other)
    written.erase(other)
    snapshot = snapshots.freeze(campaign=cast.campaign, iteration=iteration)
    [row] = _rows(snapshot)
    prompt = kept.comparison.prompt
    assert row == {
        "prompt_id": prompt.pk,
        "messages": [{"role": "system", "content": "tell me"}, *prompt.messages],
        "completion": "the answer is very good",
        "item": prompt.item,
        "split": "train",
        "fold": "policy",
        "iteration": iteration.number,
        "category": prompt.category,
        "tags": prompt.tags,
        "labelled_at": kept.created_at.isoformat(),
        "raters": [pseudonym(cast.project.pseudonym_key, cast.rater)],
    }
    manifest = snapshots.read_manifest(snapshot)
    assert manifest["rows"]["demonstrations.jsonl"] == 1
    assert manifest["counts"]["demonstrations"] == {"demonstration": 1, "flagged": 1, "erased": 1}
    told = StringIO()
    call_command("snapshot", cast.campaign.slug, iteration=iteration.number, stdout=told)
    assert "Written by raters: 1 demonstration, 1 erased, 1 flagged.\n" in told.getvalue()
    assert manifest["files"]["demonstrations.jsonl"] == snapshot.manifest["demonstrations.jsonl"]


def test_where_nobody_wrote_there_is_no_such_file(cast: Cast) -> None:
    rater = UserFactory()
    _collecting(cast, count=1)
    _write(cast, "erased by its own rater", rater)
    written.erase(rater)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert set(snapshot.manifest) == {"labels.jsonl", "preferences.jsonl", "manifest.json"}


def test_people_who_wrote_leave_programs_no_word(cast: Cast) -> None:
    _collecting(cast, count=1, overlap=2)
    _write(cast, "the answer is very good")
    _write(cast, "written by a program", UserFactory(kind="program"))
    [row] = _rows(snapshots.freeze(campaign=cast.campaign))
    assert row["completion"] == "the answer is very good"


@pytest.mark.training
def test_sft_trains_on_what_was_written(cast: Cast, tmp_path: Path) -> None:
    _collecting(cast, count=6)
    for _ in range(6):
        _write(cast, "the answer is very good")
    snapshot = snapshots.freeze(campaign=cast.campaign)
    folder = artifacts.fetch_folder(snapshot.uri, snapshot.manifest, None)
    job = tiny.train(tmp_path / "run", "sft", SFT, snapshot=folder)
    assert tiny.result_of(job)["rows"] == 6
    losses = [row["loss"] for row in tiny.metrics_of(job)]
    assert losses[-1] < losses[0]


def test_the_loop_trains_the_policy_alone(cast: Cast) -> None:
    iteration = _collecting(cast, count=1)
    _write(cast, "the answer is very good")
    iterations.request_freeze(iteration)
    for _ in range(2):
        iteration = Iteration.objects.select_related("campaign__project", "policy").get()
        pipeline.step(iteration)
    iteration.refresh_from_db()
    assert (iteration.state, iteration.error) == ("training", "")
    assert list(iteration.runs.values_list("role", "method")) == [("policy", "sft")]


@pytest.mark.parametrize(
    ("preset", "setting", "sentence"),
    [
        ("demonstration", {"method": "raft"}, lessons.ONLY_DEMONSTRATIONS),
        (
            "demonstration",
            {"method": "raft", "start_training": "auto"},
            lessons.ONLY_DEMONSTRATIONS,
        ),
        ("thumbs", {"start_training": "auto"}, lessons.ONE_BY_ONE),
        ("thumbs", {"method": "sft"}, lessons.ONE_BY_ONE),
    ],
)
def test_what_cannot_train_says_so_before_any_job_and_collects_on(
    preset: str, setting: dict[str, Any], sentence: str
) -> None:
    cast = make_cast(parts=presets.parts(preset, tie=False))
    plan = {**presets.PRESETS[preset].settings(), **setting, "target_labels": 1}
    iteration = _collecting(cast, count=1, plan=plan)
    Iteration.objects.update(labels_people=1)
    if plan["start_training"] == "person":
        iterations.request_freeze(iteration)
    for _ in range(2):
        pipeline.step(Iteration.objects.select_related("campaign__project", "policy").get())
    iteration.refresh_from_db()
    assert (iteration.state, iteration.error) == ("collecting", sentence)
    assert iteration.freeze_requested_at is None
    assert not Snapshot.objects.exists()
    assert not Job.objects.exists()


def _collecting(
    cast: Cast, *, count: int, overlap: int = 1, plan: dict[str, Any] | None = None
) -> Iteration:
    """A collecting iteration with cards of the prompt alone."""
    whole = {**dataclasses.asdict(Plan()), **(PLAN if plan is None else plan)}
    iteration: Iteration = IterationFactory(campaign=cast.campaign, plan=whole)
    for _ in range(count):
        ComparisonFactory(campaign=cast.campaign, iteration=iteration, texts=(), overlap=overlap)
    return iteration


def _write(cast: Cast, text: str, rater: Any = None) -> Label:
    card = leases.claim_next(rater=rater or cast.rater, campaign=cast.campaign)
    assert card is not None
    return labels.record_label(
        assignment=card, parts={"answer": {"text": text}}, idempotency_key=uuid.uuid4()
    )


def _rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    with artifacts.open_file(snapshot.uri, snapshots.DEMONSTRATIONS) as handle:
        return [json.loads(line) for line in handle.read().decode().splitlines()]
