"""The lead's pages: a campaign in one form, its acts, its figures."""

from __future__ import annotations

import contextlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labeling import labels, preferences_by_comparison
from labeling.judgements import Judged
from labeling.models import Campaign, Comparison, Iteration, Label, Prompt, SamplingBatch
from models_runtime import jobs
from models_runtime.models import AuditEvent, Job
from tests.factories import Cast, IterationFactory, MembershipFactory, open_comparisons
from tests.rating import answer
from training import pipeline

FRAGMENT = {"HX-Request": "true"}
LINES = b'{"prompt": "Why is the sky blue?"}\n{"prompt": "How do I boil an egg?"}\n'


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def fields(cast: Cast, **changes: Any) -> dict[str, Any]:
    return {
        "preset": "llama2", "project": cast.project.pk, "name": "Safety first",
        "trains_on": "chosen", "first_policy": cast.campaign.first_policy_id,
        "target_labels": 24, "labels_per_comparison": 1, "double_share": 0.1,
        "strategy": "random", "method": "raft", "start_training": "person", "k": 4,
        "temperature": "0.8", "max_new_tokens": 64, "margin": "none", **changes,
    }  # fmt: skip


def test_one_form_makes_a_draft_with_its_prompts(lead: Client, cast: Cast) -> None:
    upload = SimpleUploadedFile("mine.jsonl", LINES)
    part = {"type": "pairwise", "key": "preference", "required": "on", "scale": "llama2"}
    parts = {f"parts-0-{name}": value for name, value in {**part, "tie": "on"}.items()}
    said = {"guidelines": "**Be kind.**", "question": "Better?"}
    form = fields(cast, prompts=upload, **parts, **said)
    response = lead.post("/campaigns/new/", form, follow=True)
    made = Campaign.objects.get(slug="safety-first")
    assert response.redirect_chain[-1][0] == "/campaigns/safety-first/"
    assert "2 prompts imported" in response.content.decode()
    assert made.state == "draft"
    assert made.question.text == "Better?"
    assert made.question.parts["preference"] == {
        "type": "pairwise",
        "scale": "llama2",
        "tie": True,
        "both_bad": False,
        "unsure": False,
    }
    assert (made.plan["target_labels"], made.plan["comparisons"]) == (24, 24)
    assert made.guideline.markdown == "**Be kind.**"


def test_the_form_sets_margin_and_temperatures_and_samples_at_each(
    lead: Client, cast: Cast
) -> None:
    upload = SimpleUploadedFile("mine.jsonl", LINES)
    form = fields(cast, margin="large", temperature="0.8, 1.2", prompts=upload)
    lead.post("/campaigns/new/", form)
    made = Campaign.objects.get(slug="safety-first")
    assert made.plan["margin"] == "large"
    assert (made.plan["temperature"], made.plan["more_temperatures"]) == (0.8, [1.2])
    lead.post("/campaigns/safety-first/open/")
    pipeline.step(made.iterations.get())
    batch = SamplingBatch.objects.get()
    assert [row["temperature"] for row in batch.samplers] == [0.8, 1.2]
    assert {row["checkpoint"] for row in batch.samplers} == {cast.campaign.first_policy_id}
    assert len({row["seed"] for row in batch.job.config["samplers"]}) == 2


def test_a_fault_in_the_prompts_is_told_with_its_line_and_imports_nothing(
    lead: Client, cast: Cast
) -> None:
    upload = SimpleUploadedFile("mine.jsonl", LINES + b"{broken\n")
    form = fields(cast, prompts=upload)
    body = lead.post("/campaigns/new/", form, follow=True).content.decode()
    assert "Nothing was imported from mine.jsonl" in body
    assert "Line 3" in body
    assert Prompt.objects.filter(prompt_set__campaign__slug="safety-first").count() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"preset": "7"}, {"target_labels": 0}, {"method": "evil"},
        {"first_policy": 0}, {"k": 1}, {"temperature": "nan"},
        {"temperature": "0.8, hot"}, {"temperature": "1 2 3 4 5"}, {"margin": "huge"},
        {"strategy": "../x"},
    ],
)  # fmt: skip
def test_a_wrong_field_is_marked_and_makes_nothing(
    lead: Client, cast: Cast, wrong: dict[str, Any]
) -> None:
    response = lead.post("/campaigns/new/", fields(cast, **wrong))
    assert response.status_code == 400
    assert "errorlist" in response.content.decode()
    assert Campaign.objects.count() == 1


def test_a_lead_makes_campaigns_in_their_own_project_only(lead: Client, cast: Cast) -> None:
    elsewhere = MembershipFactory().project
    response = lead.post("/campaigns/new/", fields(cast, project=elsewhere.pk))
    assert response.status_code == 400
    assert Campaign.objects.count() == 1


def test_two_campaigns_of_one_name_have_two_addresses(lead: Client, cast: Cast) -> None:
    for _ in range(2):
        lead.post("/campaigns/new/", fields(cast, name="New"))
    slugs = set(Campaign.objects.filter(name="New").values_list("slug", flat=True))
    assert len(slugs) == 2
    assert "new" not in slugs  # the address of the form itself


def test_a_draft_without_prompts_does_not_open(lead: Client, cast: Cast) -> None:
    Campaign.objects.update(state="draft")
    body = lead.post("/campaigns/helpful/open/", follow=True).content.decode()
    assert "Import prompts first" in body
    assert Campaign.objects.get().state == "draft"


def test_opening_starts_the_first_iteration(lead: Client, cast: Cast) -> None:
    Campaign.objects.update(state="draft")
    upload = SimpleUploadedFile("mine.csv", b"prompt\nWhy?\nHow?\n")
    lead.post("/campaigns/helpful/prompts/", {"prompts": upload})
    lead.post("/campaigns/helpful/open/")
    assert Campaign.objects.get().state == "open"
    assert Iteration.objects.get().state == "sampling"


def test_pause_resume_and_close_are_written_down_and_may_be_repeated(
    lead: Client, cast: Cast
) -> None:
    seen = []
    for verb in ("pause", "pause", "resume", "close", "close"):
        lead.post(f"/campaigns/helpful/{verb}/")
        seen.append(Campaign.objects.get().state)
    assert seen == ["paused", "paused", "open", "closed", "closed"]
    events = AuditEvent.objects.filter(verb="campaign moved")
    assert [event.to_state for event in events.order_by("id")] == ["paused", "open", "closed"]


def test_closing_ends_the_campaign_s_jobs_and_no_others(lead: Client, cast: Cast) -> None:
    iteration = IterationFactory(campaign=cast.campaign, state="sampling")
    rows = {
        state: Job.objects.create(project=cast.project, kind="sample", state=state)
        for state in ("running", "queued", "succeeded")
    }
    for job in rows.values():
        SamplingBatch.objects.create(iteration=iteration, job=job, samplers=[])
    elsewhere = Job.objects.create(project=cast.project, kind="sample")
    lead.post("/campaigns/helpful/pause/")
    assert not Job.objects.filter(state="cancelled").exists()
    lead.post("/campaigns/helpful/close/")
    states = {name: Job.objects.get(pk=job.pk).state for name, job in rows.items()}
    assert states == {"running": "cancelled", "queued": "cancelled", "succeeded": "succeeded"}
    elsewhere.refresh_from_db()
    assert elsewhere.state == "queued"


def test_freezing_needs_a_label_and_asks_once(lead: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    body = lead.post("/campaigns/helpful/freeze/", follow=True).content.decode()
    assert "no label to train on" in body
    assert Iteration.objects.get().freeze_requested_at is None
    answer(cast.rater, cast.campaign, "0:better")
    for _ in range(2):
        lead.post("/campaigns/helpful/freeze/")
    assert Iteration.objects.get().freeze_requested_at is not None
    assert AuditEvent.objects.filter(verb="freeze requested").count() == 1


def test_simulated_raters_are_for_the_demo_world_and_one_job_at_a_time(
    lead: Client, cast: Cast
) -> None:
    open_comparisons(cast.campaign, 1)
    lead.post("/campaigns/helpful/simulate/", {"count": 500})
    assert Job.objects.count() == 0
    Campaign.objects.update(demo_world=True)
    for _ in range(2):
        lead.post("/campaigns/helpful/simulate/", {"count": 500})
    assert Job.objects.get().config == {
        "call": "simulate",
        "campaign": cast.campaign.pk,
        "count": 500,
    }


def test_simulated_raters_promise_what_they_can_add_and_no_more(lead: Client, cast: Cast) -> None:
    """A card that is kept for people is none of theirs."""
    open_comparisons(cast.campaign, 4, overlap=2)
    Campaign.objects.update(demo_world=True)
    kept = Comparison.objects.order_by("pk")[:1]
    Comparison.objects.filter(pk__in=kept).update(audience="person")
    answer(cast.rater, cast.campaign, "0:better")
    page = lead.get("/campaigns/helpful/").content.decode()
    left = sum(Comparison.objects.filter(audience="any").values_list("slots_left", flat=True))
    assert left in (5, 6)
    assert f"Let simulated raters add {left}<" in page
    assert f'name="count" value="{left}"' in page
    Comparison.objects.filter(audience="any").update(slots_left=0)
    assert "No card is left for them" in lead.get("/campaigns/helpful/").content.decode()
    said = lead.post("/campaigns/helpful/simulate/", {"count": 500}, follow=True)
    assert "No card is left for simulated raters in this iteration." in said.content.decode()
    assert Job.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_double_press_makes_one_job(lead: Client, cast: Cast) -> None:
    """Both requests are past every check before the first one writes."""
    open_comparisons(cast.campaign, 1)
    Campaign.objects.update(demo_world=True)
    gate, submit = threading.Barrier(2), jobs.submit

    def meet(**job: Any) -> Job:
        with contextlib.suppress(threading.BrokenBarrierError):
            gate.wait(1)
        return submit(**job)

    def press() -> None:
        lead.post("/campaigns/helpful/simulate/", {"count": 500})
        connection.close()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(jobs, "submit", meet)
        for pressed in [pool.submit(press) for _ in range(2)]:
            pressed.result()
    assert Job.objects.count() == 1


def test_more_prompts_for_the_demo_world_are_refused_in_one_sentence(
    lead: Client, cast: Cast
) -> None:
    Campaign.objects.update(demo_world=True)
    upload = SimpleUploadedFile("mine.jsonl", LINES)
    response = lead.post("/campaigns/helpful/prompts/", {"prompts": upload}, follow=True)
    assert "knows its own prompts only" in response.content.decode()
    assert 'type="file"' not in response.content.decode()
    assert Prompt.objects.count() == 0


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_no_round_starts_in_a_campaign_that_is_not_open(
    lead: Client, cast: Cast, state: str
) -> None:
    Campaign.objects.update(state=state)
    body = lead.post("/campaigns/helpful/iterate/", follow=True).content.decode()
    assert f"The campaign is {state}: open it first." in body
    assert "samples now" not in body
    assert Iteration.objects.count() == 0


def test_the_page_keeps_people_and_simulated_raters_apart(lead: Client, cast: Cast) -> None:
    robot = MembershipFactory(user__kind="simulated", project=cast.project).user
    open_comparisons(cast.campaign, 5, overlap=2)
    for rater, count in ((cast.rater, 3), (cast.other_rater, 2), (robot, 1)):
        for _ in range(count):
            answer(rater, cast.campaign, "0:better")
    body = re.sub(r"\s+", " ", lead.get("/campaigns/helpful/").content.decode())
    assert "5 by people" in body
    assert "1 simulated" in body
    assert "5 labels show little." in body
    assert "as raters differ" in body
    assert Label.objects.count() == 6


def test_the_figures_are_the_newest_iterations(lead: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 4, overlap=2)
    for rater, choice in ((cast.rater, "0:better"), (cast.other_rater, "1:slightly")):
        for _ in range(4):
            answer(rater, cast.campaign, choice)
    first = lead.get("/campaigns/helpful/").context["figures"]
    assert (first.people, first.left.n, first.left.share) == (8, 8, 0.5)
    assert first.strengths == [
        ("significantly", 0), ("better", 4), ("slightly", 4), ("negligibly", 0)
    ]  # fmt: skip
    assert {(row.name, row.labels, row.left.share) for row in first.raters} == {
        ("rater", 4, 1.0),
        ("other_rater", 4, 0.0),
    }
    assert first.agreement.all.n == 4
    cast.campaign.iterations.update(state="promoted")
    IterationFactory(campaign=cast.campaign)
    second = lead.get("/campaigns/helpful/").context["figures"]
    assert (second.people, second.raters, second.agreement.all.n) == (0, [], 0)


def test_polling_reads_no_label_again_when_none_came(lead: Client, cast: Cast) -> None:
    """And agreement only where a comparison has a second label more."""
    read: list[Judged] = []
    of = preferences_by_comparison.of

    def watched(*args: Any) -> list[Judged]:
        rows = of(*args)
        read.extend(rows)
        return rows

    open_comparisons(cast.campaign, 6, overlap=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preferences_by_comparison, "of", watched)
        for rater in (cast.rater, cast.rater, cast.other_rater):
            answer(rater, cast.campaign, "0:better")
            lead.get("/campaigns/helpful/")
        assert len(read) == 1  # the one that two have labelled
        with CaptureQueriesContext(connection) as asked:
            lead.get("/campaigns/helpful/", headers=FRAGMENT)
        answer(cast.rater, cast.campaign, "0:better")
        lead.get("/campaigns/helpful/")
        assert len(read) == 1
    assert not [one for one in asked if "active_ms" in one["sql"] or "GROUP BY" in one["sql"]]


def test_flags_are_listed_for_the_lead_and_settled(lead: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 2, texts=("left text", "right <text>"))
    for code in ("unsafe", "broken"):
        given = answer(cast.rater, cast.campaign, "0:better")
        labels.flag(assignment=given.assignment, code=code)
    body = lead.get("/campaigns/helpful/").content.decode()
    assert body.count("right &lt;text&gt;") == 2
    assert "Unsafe content" in body
    addresses = re.findall(r'action="(/campaigns/helpful/flags/\d+/\w+/)"', body)
    keep, discard = addresses[0], addresses[3]
    assert "counts" in lead.post(keep, follow=True).content.decode()
    assert "settled already" in lead.post(keep, follow=True).content.decode()
    body = lead.post(discard, follow=True).content.decode()
    assert "Flagged by raters" not in body
    assert set(Comparison.objects.values_list("state", flat=True)) == {"complete", "discarded"}


def test_the_live_part_is_the_page_without_its_frame(lead: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    body = lead.get("/campaigns/helpful/", headers=FRAGMENT).content.decode()
    assert 'id="live"' in body
    assert "<html" not in body


def test_an_unfinished_job_s_bar_is_on_the_page(lead: Client, cast: Cast) -> None:
    iteration = IterationFactory(campaign=cast.campaign, state="sampling")
    job = Job.objects.create(
        project=cast.project,
        kind="sample",
        state="running",
        progress={"done": 40, "total": 160, "unit": "prompts"},
    )
    iteration.batches.create(job=job, samplers=[])
    assert "40 / 160 prompts" in lead.get("/campaigns/helpful/").content.decode()


def test_the_first_campaign_is_invited(client: Client, cast: Cast) -> None:
    client.force_login(cast.outsider)
    assert "No campaign yet" in client.get("/campaigns/").content.decode()
