"""The researcher's pages: evidence, decision, runs, lineage, files to take away."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from labeling import iterations
from labeling.models import Iteration, Promotion
from models_runtime import attempts
from models_runtime.models import Job, MetricChunk
from tests.browser import scenes
from tests.browser.scenes import review_scene
from tests.factories import Cast, CompletionFactory, MembershipFactory, open_comparisons
from tests.labeling.test_human_wins import Round
from tests.rating import answer
from training.models import TrainingRun

FRAGMENT = {"HX-Request": "true"}
PAGE = "/campaigns/helpful/3/"


@pytest.fixture
def scene(db: Any) -> Cast:
    return review_scene(12)


@pytest.fixture
def researcher(scene: Cast) -> Client:
    client = Client()
    client.force_login(scene.researcher)
    return client


def third(cast: Cast) -> Iteration:
    return cast.campaign.iterations.get(number=3)


def test_the_chain_and_the_evidence_are_on_one_page(researcher: Client) -> None:
    body = researcher.get(PAGE).content.decode()
    for title in (
        "Prompts",
        "Samples",
        "Labels",
        "Snapshot",
        "Reward model",
        "Policy · ",
        "Promotion",
    ):
        assert f">{title}" in body
    assert "91.5 %" in body
    assert "Before you promote" in body
    assert "6.1 of 25" in body
    assert "At sea level water boils" in body


def test_the_blind_comparison_says_what_was_identical_and_what_was_held_out(
    db: Any, client: Client
) -> None:
    turn = Round()
    shown = turn.pair(prompt__split="heldout")
    for index, maker in enumerate((turn.new, turn.old)):
        CompletionFactory(
            prompt=shown.prompt, batch=turn.batch, checkpoint=maker, sampler_index=1 + index,
            text="the same",
        )  # fmt: skip
    turn.answer("new")
    role = MembershipFactory(project=turn.campaign.project, role="researcher")
    client.force_login(role.user)
    body = client.get(f"/campaigns/{turn.campaign.slug}/1/").content.decode()
    assert "People, held-out prompts only<" in body
    assert [body.count(text) for text in ("1 of 4<", "87.5 %<")] == [2, 2]


def test_the_best_candidate_is_put_forward_not_the_newest(researcher: Client, scene: Cast) -> None:
    scenes.evaluated(scene, third(scene), "a-later-and-worse-one", 0.55)
    body = researcher.get(PAGE).content.decode()
    assert "Before you promote: policy-3" in body
    assert body.index("Promote policy-3") < body.index("Promote a-later-and-worse-one")


def test_promoting_a_candidate_decides_once(researcher: Client, scene: Cast) -> None:
    candidate = third(scene).evaluations.get().checkpoint
    for _ in range(2):
        researcher.post(f"{PAGE}promote/", {"checkpoint": candidate.pk})
    assert third(scene).state == "promoted"
    assert Promotion.objects.filter(checkpoint=candidate).count() == 1
    assert Promotion.objects.get(checkpoint=candidate).by == scene.researcher


def test_only_what_this_iteration_evaluated_can_be_promoted(
    researcher: Client, scene: Cast
) -> None:
    other = scene.campaign.first_policy
    assert researcher.post(f"{PAGE}promote/", {"checkpoint": other.pk}).status_code == 404
    researcher.post(f"{PAGE}promote/", {"checkpoint": "x"})
    assert third(scene).state == "review"


def test_rejecting_keeps_the_policy_in_force(researcher: Client, scene: Cast) -> None:
    before = iterations.current_policy(scene.campaign)
    for _ in range(2):
        researcher.post(f"{PAGE}reject/")
    assert third(scene).state == "rejected"
    assert iterations.current_policy(scene.campaign) == before


def test_a_failed_iteration_says_why_and_is_retried(researcher: Client, scene: Cast) -> None:
    Iteration.objects.filter(number=3).update(state="training")
    iterations.fail(third(scene), "The reward model saw no labels.")
    assert "The reward model saw no labels." in researcher.get(PAGE).content.decode()
    researcher.post(f"{PAGE}retry/")
    assert third(scene).state == "training"


def test_pausing_is_a_mark_that_is_lifted_again(researcher: Client, scene: Cast) -> None:
    researcher.post(f"{PAGE}pause/")
    assert third(scene).paused_at is not None
    researcher.post(f"{PAGE}resume/")
    assert third(scene).paused_at is None


def test_the_run_form_is_the_method_s_own_options(researcher: Client, scene: Cast) -> None:
    page = researcher.get(f"{PAGE}runs/dpo/")
    assert "Strength of the pull towards the reference policy; 0" in page.content.decode()
    drawn = {field.name: field.value() for field in page.context["form"]}
    form = {name: value for name, value in drawn.items() if value is not False}
    form |= {"beta": "0.2", "reference": "parent", "max_new_tokens": "48"}
    response = researcher.post(f"{PAGE}runs/dpo/", form)
    assert (response.status_code, response["Location"]) == (302, PAGE)
    run = TrainingRun.objects.order_by("-id").first()
    assert run is not None
    assert (run.method, run.options["beta"], run.created_by) == ("dpo", 0.2, scene.researcher)
    assert (run.options["reference"], run.options["max_new_tokens"]) == ("parent", 48)
    assert run.job.state == "queued"


@pytest.mark.parametrize("beta", ["-1", "nan", "1e400", "x"])
def test_an_option_out_of_bounds_starts_nothing(
    researcher: Client, scene: Cast, beta: str
) -> None:
    before = TrainingRun.objects.count()
    response = researcher.post(f"{PAGE}runs/dpo/", {"beta": beta, "schedule": "constant"})
    assert response.status_code == 400
    assert TrainingRun.objects.count() == before


def test_supervised_fine_tuning_is_offered_as_a_run(researcher: Client, scene: Cast) -> None:
    assert "Supervised fine-tuning (SFT)" in researcher.get(PAGE).content.decode()
    form = researcher.get(f"{PAGE}runs/sft/").context["form"]
    suggested = {name: field.initial for name, field in form.fields.items()}
    researcher.post(f"{PAGE}runs/sft/", suggested)
    run = TrainingRun.objects.order_by("-id").first()
    assert run is not None
    assert (run.method, run.role, run.job.state) == ("sft", "policy", "queued")


def test_a_recipe_is_no_method_of_a_run(researcher: Client, scene: Cast) -> None:
    assert researcher.get(f"{PAGE}runs/reward/").status_code == 200
    assert researcher.get(f"{PAGE}runs/online_dpo/").status_code == 404


@pytest.mark.parametrize("kind", ["prompts", "samples", "labels"])
def test_the_rows_behind_the_chain(researcher: Client, scene: Cast, kind: str) -> None:
    assert researcher.get(f"{PAGE}rows/{kind}/").status_code == 200
    assert researcher.get(f"{PAGE}rows/{kind}/?page=9999").status_code == 200
    assert researcher.get(f"{PAGE}rows/{kind}/?page=x").status_code == 200


def test_a_job_shows_its_curves_and_gives_them_as_csv(researcher: Client, scene: Cast) -> None:
    job = third(scene).runs.get(job__state="running").job
    body = researcher.get(f"/jobs/{job.pk}/").content.decode()
    assert "rewards/margins" in body
    assert '<path class="l1" d="M' in body
    lines = researcher.get(f"/jobs/{job.pk}/metrics.csv").content.decode().splitlines()
    assert lines[0] == "step,kl,learning_rate,loss,rewards/accuracies,rewards/margins"
    assert len(lines) == 101


def test_no_cell_of_the_curves_is_a_formula(researcher: Client, scene: Cast) -> None:
    job = Job.objects.create(project=scene.project, kind="train")
    row = {"step": 1, "=cmd()": -1.5, "loss": " @SUM(A1)", "note": "\t=1+1"}
    MetricChunk.objects.create(job=job, attempt=1, offset=0, from_step=1, to_step=1, rows=[row])
    text = researcher.get(f"/jobs/{job.pk}/metrics.csv").content.decode()
    found = list(csv.reader(io.StringIO(text)))
    assert found == [["step", "'=cmd()", "loss", "note"], ["1", "-1.5", "' @SUM(A1)", "'\t=1+1"]]


def test_an_iteration_that_cannot_go_on_is_given_up(researcher: Client, scene: Cast) -> None:
    """Labels that all tie fail at every retry; without this the campaign would stand for good."""
    Iteration.objects.filter(number=3).update(state="failed", failed_from="training")
    body = researcher.get(PAGE).content.decode()
    assert "Retry" in body
    assert "Give up" in body
    researcher.post(f"{PAGE}reject/")
    assert third(scene).state == "rejected"
    assert iterations.create(campaign=scene.campaign).number == 4


@pytest.fixture
def stopped(scene: Cast) -> Job:
    """The policy's run, the only one, stopped by somebody while the iteration trains."""
    Iteration.objects.filter(number=3).update(state="training")
    run = TrainingRun.objects.filter(iteration__number=3, role="policy").order_by("id").last()
    assert run is not None
    TrainingRun.objects.filter(pk=run.pk).update(output=None)
    Job.objects.filter(pk=run.job_id).update(state="stopped", config={"method": "raft"})
    return Job.objects.get(pk=run.job_id)


def test_a_stopped_run_that_an_iteration_waits_for_may_go_on(
    researcher: Client, scene: Cast, stopped: Job
) -> None:
    body = researcher.get(PAGE, headers=FRAGMENT).content.decode()
    assert "Training: policy, RAFT was stopped." in body
    assert "The iteration waits for it" in body
    assert f"/jobs/{stopped.pk}/retry/" in body
    researcher.post(f"/jobs/{stopped.pk}/retry/")
    body = researcher.get(PAGE, headers=FRAGMENT).content.decode()
    assert "The iteration waits for it" not in body
    assert "Give up" not in body
    assert third(scene).state == "training"


def test_a_stopped_run_may_be_given_up_with_its_iteration(
    researcher: Client, scene: Cast, stopped: Job
) -> None:
    other = Job.objects.create(project=scene.project, kind="train", state="queued")
    TrainingRun.objects.filter(iteration__number=3, role="judge").update(job=other)
    assert "Give up" in researcher.get(PAGE).content.decode()
    researcher.post(f"{PAGE}reject/")
    assert third(scene).state == "rejected"
    assert {job.state for job in Job.objects.filter(pk__in=(stopped.pk, other.pk))} == {
        "cancelled"
    }
    assert iterations.create(campaign=scene.campaign).number == 4


def test_an_iteration_whose_runs_are_under_way_is_not_given_up_by_accident(
    researcher: Client, scene: Cast, stopped: Job
) -> None:
    Job.objects.filter(pk=stopped.pk).update(state="running")
    researcher.post(f"{PAGE}reject/")
    assert third(scene).state == "training"
    assert Job.objects.get(pk=stopped.pk).state == "running"


def test_the_end_of_a_log_is_shown_as_text(
    researcher: Client, scene: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.JOBS_DIR = tmp_path
    job = Job.objects.create(
        project=scene.project, kind="train", attempt=1, dir="train-1", state="failed",
        error="No space left on device.",
    )  # fmt: skip
    folder = attempts.attempt_folder(job)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("x" * 20_000 + "\n<script>alert(1)</script> the end\n")
    body = researcher.get(f"/jobs/{job.pk}/").content.decode()
    assert "the end" in body
    assert "<script>alert" not in body
    assert "No space left on device." in body
    assert len(body) < 30_000


def test_stopping_retrying_and_cancelling_a_job(researcher: Client, scene: Cast) -> None:
    job = Job.objects.create(project=scene.project, kind="train")
    seen = []
    for verb in ("retry", "stop", "stop", "retry", "cancel", "cancel", "stop"):
        assert researcher.post(f"/jobs/{job.pk}/{verb}/").status_code == 302
        job.refresh_from_db()
        seen.append(job.state)
    assert seen == ["queued", "stopped", "stopped", "queued"] + ["cancelled"] * 3


def test_a_job_without_metrics_has_no_curve(researcher: Client, scene: Cast) -> None:
    job = Job.objects.create(project=scene.project, kind="train", attempt=1)
    rows = [{"step": 1, "loss": None}, {"step": 2, "loss": 0.5}]
    MetricChunk.objects.create(job=job, attempt=1, offset=0, from_step=1, to_step=2, rows=rows)
    body = researcher.get(f"/jobs/{job.pk}/").content.decode()
    assert "<figure>" not in body


def test_a_checkpoint_answers_which_labels_trained_it(researcher: Client, scene: Cast) -> None:
    candidate = third(scene).evaluations.get().checkpoint
    body = researcher.get(f"/checkpoints/{candidate.pk}/").content.decode()
    for name in ("policy-3", "policy-2", "policy-1", scene.campaign.first_policy.name):
        assert name in body
    assert "registered as it was" in body


def test_a_snapshot_and_its_files(researcher: Client, scene: Cast) -> None:
    pk = third(scene).snapshot_id
    assert "preferences.jsonl" in researcher.get(f"/snapshots/{pk}/").content.decode()
    frozen = b"".join(researcher.get(f"/snapshots/{pk}/preferences.jsonl").streaming_content)
    assert json.loads(frozen.splitlines()[0])["comparison_id"]
    for name in ("..%2F..%2Fsecret_key", "../secret_key", "other.jsonl"):
        assert researcher.get(f"/snapshots/{pk}/{name}").status_code == 404


def test_the_export_is_what_a_trainer_reads(client: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    client.force_login(cast.lead)
    path = "/campaigns/helpful/export/person"
    said = client.get(f"{path}.jsonl", follow=True).content.decode()
    assert "no preference by people yet" in said
    answer(cast.rater, cast.campaign, "0:better")
    response = client.get(f"{path}.jsonl")
    row = json.loads(b"".join(response.streaming_content))
    assert (row["strength"], row["source"]) == ("better", "person")
    assert "margin" not in row
    parquet = b"".join(client.get(f"{path}.parquet").streaming_content)
    assert parquet[:4] == parquet[-4:] == b"PAR1"


def test_the_live_part_stops_asking_once_decided(researcher: Client, scene: Cast) -> None:
    assert "every 2s" in researcher.get(PAGE, headers=FRAGMENT).content.decode()
    researcher.post(f"{PAGE}reject/")
    assert "every 2s" not in researcher.get(PAGE, headers=FRAGMENT).content.decode()
