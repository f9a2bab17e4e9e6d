"""The audit log in the browser: one's own projects, searched, paged and taken away."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from labeling import exclusions, people, send_backs
from labeling.models import User
from models_runtime import acting, audit
from models_runtime.acting import Place
from models_runtime.models import AuditEvent, AuditPlace
from tests.factories import PASSWORD, Cast, ProjectFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PAGE = "/audit/"


def browser(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    client.force_login(user)
    return client


def happened(cast: Cast, count: int, **given: Any) -> list[AuditEvent]:
    """Events of the cast's campaign, a minute apart, the last of them now."""
    start = timezone.now() - timedelta(minutes=count)
    made = [
        AuditEvent(
            **{
                "project": cast.project, "actor": cast.lead, "verb": "pay settled",
                "object_type": "labeling.campaign", "object_id": str(cast.campaign.pk),
                "at": start + timedelta(minutes=n), "data": {"number": n}, **given,
            }
        )
        for n in range(count)
    ]  # fmt: skip
    return AuditEvent.objects.bulk_create(made)


def shown(client: Client, query: str = "") -> list[int]:
    return [row["event"].pk for row in client.get(f"{PAGE}?{query}").context["entries"]]


def test_an_act_says_who_did_what_and_from_where(cast: Cast) -> None:
    client = browser(cast.lead, **{"User-Agent": FIREFOX})
    client.post("/campaigns/helpful/pause/", REMOTE_ADDR="192.0.2.7")
    body = client.get(PAGE).content.decode()
    assert "campaign moved" in body
    assert "open → paused" in body
    assert "192.0.2.7" in body
    assert "Firefox · Linux" in body
    assert '<a href="/campaigns/helpful/">' in body


def test_what_a_worker_and_a_command_do_is_told_apart(cast: Cast) -> None:
    audit.record(verb="paused", obj=cast.campaign)
    with acting.at_work():
        audit.record(verb="resumed", obj=cast.campaign)
    found = AuditPlace.objects.order_by("pk").values_list("channel", "address")
    assert list(found) == [("command line", None), ("worker", None)]


def test_only_ones_own_projects_show(cast: Cast) -> None:
    elsewhere = ProjectFactory()
    mine, theirs = happened(cast, 1)[0], happened(cast, 1, project=elsewhere)[0]
    for user in (cast.lead, cast.researcher):
        client = browser(user)
        assert mine.pk in shown(client)
        assert theirs.pk not in shown(client)
        assert client.get(f"{PAGE}?project={elsewhere.slug}").status_code == 404
        assert client.get(f"/audit/log.csv?project={elsewhere.slug}").status_code == 404
    assert browser(cast.rater).get(PAGE).status_code == 403


def test_pages_follow_each_other_to_the_end_and_back(cast: Cast) -> None:
    pks = [event.pk for event in happened(cast, 120)][::-1]
    client = browser(cast.lead)
    first = client.get(PAGE)
    assert [row["event"].pk for row in first.context["entries"]] == pks[:50]
    second = client.get(f"{PAGE}?before={first.context['earlier'].pk}")
    assert [row["event"].pk for row in second.context["entries"]] == pks[50:100]
    third = client.get(f"{PAGE}?before={second.context['earlier'].pk}")
    assert [row["event"].pk for row in third.context["entries"]] == pks[100:]
    assert third.context["earlier"] is None
    back = client.get(f"{PAGE}?after={third.context['later'].pk}")
    assert [row["event"].pk for row in back.context["entries"]] == pks[50:100]


def test_events_of_one_moment_are_all_there_once(cast: Cast) -> None:
    pks = [event.pk for event in happened(cast, 70, at=timezone.now())][::-1]
    client = browser(cast.lead)
    first = shown(client)
    assert first + shown(client, f"before={first[-1]}") == pks


def test_a_search_names_verb_person_campaign_and_time(cast: Cast) -> None:
    paid, moved = happened(cast, 1)[0], happened(cast, 1, verb="campaign moved")[0]
    by_other = happened(cast, 1, actor=cast.researcher, object_type="models_runtime.job")[0]
    old = happened(cast, 1, at=datetime(2024, 2, 29, 23, 30, tzinfo=UTC))[0]
    client = browser(cast.lead)
    assert shown(client, "verb=campaign+moved") == [moved.pk]
    assert shown(client, f"person={cast.researcher.public_id}") == [by_other.pk]
    assert shown(client, "campaign=helpful") == [moved.pk, paid.pk, old.pk]
    assert shown(client, "kind=models_runtime.job") == [by_other.pk]
    assert shown(client, "since=2024-02-29&until=2024-02-29") == [old.pk]
    assert shown(client, "text=SETTLED") == [by_other.pk, paid.pk, old.pk]
    assert shown(client, "text=researcher") == [by_other.pk]
    assert shown(client, f"text={cast.researcher.public_id}") == [by_other.pk]
    assert set(shown(client, f"text={cast.campaign.pk}")) >= {moved.pk, paid.pk}
    assert "Nothing was found" in client.get(f"{PAGE}?text=zebra").content.decode()


def test_a_campaigns_log_holds_what_was_done_about_its_labels(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    first = answer(cast.rater, cast.campaign, "0:better")
    answer(cast.rater, cast.campaign, "0:better")
    send_backs.send_back(label=first, text="Look again.", actor=cast.lead)
    exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.rater,
        from_at=timezone.now() - timedelta(hours=1),
        reason="speed",
        actor=cast.lead,
    )
    listed = browser(cast.lead).get(f"{PAGE}?campaign=helpful").context["entries"]
    verbs = {row["event"].verb for row in listed}
    assert verbs >= {"label sent back", "labels excluded"}


@pytest.mark.parametrize(
    "query",
    ["verb=nonsense", "since=yesterday", "person=7", "campaign=other", "text=%00",
     "since=2026-02-02&until=2026-01-01", "until=9999-12-31"],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(cast: Cast, query: str) -> None:
    happened(cast, 1)
    client = browser(cast.lead)
    assert client.get(f"{PAGE}?{query}").status_code == 400
    assert client.get(f"/audit/log.csv?{query}").status_code == 400


@pytest.mark.parametrize("query", ["before=x", "before=99999999999999999999", "after=²"])
def test_a_cursor_from_nowhere_is_the_first_page(cast: Cast, query: str) -> None:
    pk = happened(cast, 1)[0].pk
    assert shown(browser(cast.lead), query) == [pk]


def test_the_page_costs_the_same_however_many_there_are(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    client = browser(cast.lead)
    happened(cast, 200)
    with django_assert_max_num_queries(14):
        client.get(PAGE)


def test_a_file_holds_all_that_was_found_and_is_an_event_itself(cast: Cast) -> None:
    happened(cast, 60, verb="campaign moved")
    happened(cast, 3)
    client = browser(cast.lead)
    response = client.get("/audit/log.jsonl?verb=campaign+moved")
    rows = [json.loads(line) for line in response.getvalue().decode().splitlines()]
    assert len(rows) == 60
    assert rows[0]["person"] == "lead"
    assert rows[0]["data"] == {"number": 59}
    body = client.get("/audit/log.csv").getvalue().decode()
    lines = list(csv.DictReader(io.StringIO(body)))
    assert [line["verb"] for line in lines][:2] == ["audit log exported"] * 2
    assert len(lines) == 65


def test_a_formula_in_a_name_is_text_in_a_spreadsheet(cast: Cast) -> None:
    User.objects.filter(pk=cast.lead.pk).update(username="=1+1")
    happened(cast, 1)
    body = browser(cast.lead).get("/audit/log.csv").getvalue().decode()
    assert "'=1+1" in body


def test_a_log_without_events_says_so(cast: Cast) -> None:
    body = browser(cast.lead).get(PAGE).content.decode()
    assert "Nothing has happened yet" in body


def test_signing_in_and_out_is_told_and_a_typed_name_never(client: Client, cast: Cast) -> None:
    entered = {"username": "rater", "password": PASSWORD}
    client.post("/sign-in/", entered)
    client.post("/sign-out/")
    client.post("/sign-in/", {**entered, "password": "secret typo"})
    client.post("/sign-in/", {"username": "someones-password", "password": "x"})
    client.post("/sign-in/", {"username": "", "password": "x"})
    verbs = AuditEvent.objects.order_by("pk").values_list("verb", "project", "object_id")
    rater, project = str(cast.rater.pk), cast.project.pk
    assert list(verbs) == [
        ("signed in", project, rater),
        ("signed out", project, rater),
        ("sign-in failed", project, rater),
        ("sign-in failed", None, ""),
    ]
    assert "someones" not in json.dumps([*AuditEvent.objects.values()], default=str)


@pytest.mark.long
def test_tries_at_a_locked_door_make_the_log_no_longer(client: Client, cast: Cast) -> None:
    for _ in range(12):
        client.post("/sign-in/", {"username": "rater", "password": "wrong"})
    tried = AuditEvent.objects.filter(verb="sign-in failed").order_by("pk")
    assert [event.data["locked"] for event in tried] == [False] * 7 + [True]


def test_where_somebody_was_is_forgotten_in_time(cast: Cast, settings: Any) -> None:
    settings.AUDIT_PLACE_DAYS = 30
    with acting.entered(lambda: Place("page", "192.0.2.7", "Firefox · Linux")):
        old, new = (audit.record(verb="paused", obj=cast.campaign) for _ in range(2))
    before = timezone.now() - timedelta(days=31)
    AuditPlace.objects.filter(event=old).update(kept_since=before)
    assert [audit.forget_places(), audit.forget_places()] == [1, 0]
    kept = AuditPlace.objects.order_by("pk").values_list("channel", "address", "agent")
    assert list(kept) == [("page", None, ""), ("page", "192.0.2.7", "Firefox · Linux")]
    settings.AUDIT_PLACE_DAYS = 0
    with acting.entered(lambda: Place("page", "192.0.2.7", "Firefox · Linux")):
        event = audit.record(verb="paused", obj=cast.campaign)
    assert event.place.address is None
    assert new.verb == "paused"


def test_erasing_somebody_forgets_where_they_were(client: Client, cast: Cast) -> None:
    entered = {"username": "rater", "password": PASSWORD}
    client.post("/sign-in/", entered, REMOTE_ADDR="192.0.2.7")
    client.post("/sign-out/")
    client.post("/sign-in/", {**entered, "password": "typo"}, REMOTE_ADDR="192.0.2.8")
    Client(REMOTE_ADDR="192.0.2.9").post("/sign-in/", {"username": "lead", "password": PASSWORD})
    call_command("erase_rater", "rater", yes=True, stdout=io.StringIO())
    kept = AuditPlace.objects.exclude(address=None).values_list("address", flat=True)
    assert list(kept) == ["192.0.2.9"]


def test_a_command_prints_it_all(cast: Cast) -> None:
    people.add(project=cast.project, username="newcomer", roles=["rater"], actor=cast.lead)
    out = io.StringIO()
    call_command("audit", "--since", "2020-01-01", "--json", "--person", "lead", stdout=out)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {row["verb"] for row in rows} == {"person added", "role given"}
    out = io.StringIO()
    call_command("audit", "--until", "2020-01-01T00:00", stdout=out)
    assert out.getvalue() == ""
    for wrong in (["--since", "soon"], ["--person", "nobody"]):
        with pytest.raises(CommandError):
            call_command("audit", *wrong)
