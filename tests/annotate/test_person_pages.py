"""All that is kept of one person: shown, downloaded, anonymised and erased from a page."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import consents, erasure, erasure_job, groups, invitations, labels, leases
from labeling.invitations import Crowd, Terms
from labeling.models import Acceptance, Exclusion, GroupMember, Membership, RaterText, User
from models_runtime.models import AuditEvent, Job
from tests.factories import LLAMA2, Cast, MembershipFactory, make_cast, open_comparisons

pytestmark = pytest.mark.django_db
PARTS = {**LLAMA2, "why": {"type": "rationale"}}
KEY = "6a1f6a1e-8a55-4d5c-9f1d-0d5f0f0d9a11"


@pytest.fixture
def cast() -> Cast:
    """With one answer of the rater's, a reason, a group, a consent and a platform's id."""
    made = make_cast(parts=PARTS)
    User.objects.filter(pk=made.rater.pk).update(email="rater@example.org")
    made.rater.refresh_from_db()
    terms = Terms(name="June", campaign=made.campaign, crowd=Crowd("PROLIFIC_PID", 1, "C0DE"))
    link, _token = invitations.make(project=made.project, terms=terms, actor=made.lead)
    invitations.accept(invitation=link, user=made.rater, participant="p1")
    group = groups.make(project=made.project, name="Students", kind="group")
    groups.put_in(group=group, users=[made.rater], actor=made.lead)
    version = consents.publish(project=made.project, markdown="Be kind.", based_on=0)
    assert version is not None
    consents.give(rater=made.rater, version=version)
    made.campaign.refresh_from_db()
    open_comparisons(made.campaign, 2)
    card = leases.claim_next(rater=made.rater, campaign=made.campaign)
    assert card is not None
    said = {"preference": {"choice": "0:better"}, "why": {"text": "It is kinder to Ada."}}
    labels.record_label(assignment=card, parts=said, idempotency_key=KEY)
    return made


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(cast: Cast, act: str = "") -> str:
    return f"/people/{cast.project.slug}/{cast.rater.public_id}/{act}"


def files(response: Any) -> dict[str, list[Any]]:
    found = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    return {
        name: [json.loads(line) for line in found.read(name).decode().splitlines()]
        for name in found.namelist()
        if name.endswith(".jsonl")
    } | {"about": [json.loads(found.read("about.json"))]}


def test_the_page_shows_where_they_came_from_and_what_they_hold(cast: Cast) -> None:
    shown = browser(cast.lead).get(page(cast)).content.decode()
    for said in ("June", "p1", "Students", "consent, version 1", "Helpfulness"):
        assert said in shown


def test_a_rater_downloads_all_that_is_kept_of_them(cast: Cast) -> None:
    found = files(browser(cast.rater).get("/account/data.zip"))
    assert found["about"][0]["email"] == "rater@example.org"
    assert found["texts.jsonl"][0]["text"] == "It is kinder to Ada."
    (answer,) = found["answers.jsonl"]
    assert answer["campaign"] == "helpful"
    assert answer["answer"]
    assert found["groups.jsonl"][0]["name"] == "Students"
    assert found["consents.jsonl"][0]["text"] == "Be kind."
    assert found["invitations.jsonl"][0]["participant"] == "p1"


def test_no_id_of_a_completion_leaves_with_it(cast: Cast) -> None:
    """Who could number the completions could tell which came from one model."""
    (answer,) = files(browser(cast.rater).get("/account/data.zip"))["answers.jsonl"]
    label = cast.rater.labels.get()
    assert not {*label.order, label.pk, label.comparison_id} & set(answer.values())
    assert answer["answer"].startswith("A") or answer["answer"].startswith("B")


def test_a_lead_downloads_their_project_s_part_only(cast: Cast) -> None:
    MembershipFactory(user=cast.rater, project__slug="elsewhere", role="rater")
    found = files(browser(cast.lead).get(page(cast, "data.zip")))
    assert found["texts.jsonl"][0]["text"] == "It is kinder to Ada."
    assert "email" not in found["about"][0]
    assert "elsewhere" not in json.dumps(found)
    told = AuditEvent.objects.get(verb="person's data downloaded")
    assert told.actor_id == cast.lead.pk


def test_what_leads_noted_for_one_another_is_in_their_file_alone(cast: Cast) -> None:
    now = timezone.now()
    Exclusion.objects.create(
        campaign=cast.campaign, rater=cast.rater, from_at=now, until=now, reason="speed",
        text="Ask the agency.", by=cast.lead,
    )  # fmt: skip
    own = files(browser(cast.rater).get("/account/data.zip"))
    assert own["more/exclusion.jsonl"][0]["reason"] == "speed"
    assert "Ask the agency." not in json.dumps(own)
    assert "exclusion.text" in own["about"][0]["left_out"]
    assert "what leads noted" in browser(cast.rater).get("/account/").content.decode()
    led = files(browser(cast.lead).get(page(cast, "data.zip")))
    assert led["more/exclusion.jsonl"][0]["text"] == "Ask the agency."


def test_every_table_of_a_person_s_is_in_it() -> None:
    """A table that is added later comes along by itself, or is named as held elsewhere."""
    from labeling import person_data  # noqa: PLC0415

    tables = {name.removeprefix("more/") for name in person_data._others(own=False)}
    for model in User._meta.apps.get_app_config("labeling").get_models():
        fields = {f.name for f in model._meta.concrete_fields if f.related_model is User}
        if fields & set(person_data.PERSON):
            name = model._meta.model_name
            assert name in tables or name in person_data.ELSEWHERE


def test_anonymised_the_name_is_gone_and_the_texts_stay(cast: Cast) -> None:
    lead, rater = browser(cast.lead), browser(cast.rater)
    assert lead.post(page(cast, "anonymise/"), {"name": "somebody"}).status_code == 400
    cast.rater.refresh_from_db()
    assert cast.rater.username == "rater"
    assert lead.post(page(cast, "anonymise/"), {"name": "rater"})["Location"] == "/people/"
    cast.rater.refresh_from_db()
    assert cast.rater.username.startswith("anonymous-")
    assert (cast.rater.email, cast.rater.languages, cast.rater.is_active) == ("", [], False)
    assert RaterText.objects.get(rater=cast.rater).text == "It is kinder to Ada."
    assert cast.rater.labels.count() == 1
    assert Acceptance.objects.get(user=cast.rater).participant == ""
    assert not Membership.objects.filter(user=cast.rater).exists()
    assert not GroupMember.objects.filter(user=cast.rater).exists()
    assert "/sign-in/" in rater.get("/rate/")["Location"]
    assert "rater@" not in str(list(AuditEvent.objects.values_list("data", flat=True)))


def test_erased_from_the_page_a_worker_empties_what_they_typed(cast: Cast) -> None:
    lead = browser(cast.lead)
    response = lead.post(page(cast, "erase/"), {"name": "rater"})
    job = Job.objects.get(config__call="erase")
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert "being erased" in lead.get(page(cast)).content.decode()
    lead.post(page(cast, "erase/"), {"name": "rater"})
    assert Job.objects.filter(config__call="erase").count() == 1
    done: dict[str, Any] = {}
    erasure_job.run(_attempt(job, done))
    assert done == {"texts": 1, "snapshots": [], "jobs": [], "unread": []}
    cast.rater.refresh_from_db()
    assert cast.rater.erased_at is not None
    assert RaterText.objects.get(rater=cast.rater).text == ""
    assert Acceptance.objects.get(user=cast.rater).participant == ""
    erasure_job.run(_attempt(job, done))  # a worker that was lost in between does it again


@pytest.mark.parametrize("act", ["anonymise/", "erase/"])
def test_whoever_is_more_than_a_rater_or_works_elsewhere_stays(cast: Cast, act: str) -> None:
    lead = browser(cast.lead)
    extra = MembershipFactory(user=cast.rater, project=cast.project, role="researcher")
    said = lead.post(page(cast, act), {"name": "rater"}, follow=True).content.decode()
    assert "more than a rater" in said
    extra.delete()
    MembershipFactory(user=cast.rater, role="rater")
    said = lead.post(page(cast, act), {"name": "rater"}, follow=True).content.decode()
    assert "work beyond the projects you lead" in said
    cast.rater.refresh_from_db()
    assert cast.rater.username == "rater"


def test_anonymising_twice_changes_nothing(cast: Cast) -> None:
    for _again in range(2):
        erasure.anonymise(rater=cast.rater, actor=cast.lead)
    assert AuditEvent.objects.filter(verb="rater anonymised").count() == 1


def _attempt(job: Job, done: dict[str, Any]) -> Any:
    class Attempt:
        def spec(self) -> dict[str, Any]:
            return {"config": job.config}

        def finish(self, result: dict[str, Any]) -> None:
            done.update(result)

    return Attempt()
