"""What people are told: found in the audit log by a tick, on the pages, by mail, and ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from annotate import notice_mail, watching
from labeling import (
    campaigns,
    erasure,
    groups,
    iterations,
    labels,
    leases,
    notices,
    queues,
    spend,
)  # fmt: skip
from labeling.models import Notice, NoticeMail, Seat, Snapshot, User, Watch
from labeling.notices import Choice
from labeling.queues import Rules
from labeling.spend import Limits
from models_runtime.models import AuditEvent, Job
from models_runtime.phrases import phrase
from tests.factories import (
    Cast,
    IterationFactory,
    MembershipFactory,
    UserFactory,
    open_comparisons,
)  # fmt: skip
from training.models import TrainingRun

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}


def browser(user: User, language: str = "en") -> Client:
    client = Client(headers={"Accept-Language": language})
    client.force_login(user)
    return client


@pytest.fixture
def watched(cast: Cast) -> Cast:
    """The cast, with all that happened before looked through."""
    watching.look()
    return cast


@pytest.fixture
def mails(settings: Any, cast: Cast) -> Cast:
    """The cast where mail is set up and everybody has an address."""
    settings.MAIL_IS_SENT, settings.PUBLIC_URL = True, "https://labels.example.org"
    for user in (cast.rater, cast.other_rater, cast.lead):
        user.email = f"{user.username}@example.org"
        user.save(update_fields=["email"])
    return cast


def told(kind: str) -> list[str]:
    rows = Notice.objects.filter(kind=kind).order_by("user__username")
    return list(rows.values_list("user__username", flat=True))


def test_raters_are_told_when_a_campaign_opens_once_a_day(watched: Cast) -> None:
    campaigns.move(watched.campaign, "paused", actor=watched.lead)
    campaigns.move(watched.campaign, "open", actor=watched.lead)
    assert [watching.look(), watching.look()] == [2, 0]
    assert told("work") == ["other_rater", "rater"]
    campaigns.move(watched.campaign, "paused", actor=watched.lead)
    campaigns.move(watched.campaign, "open", actor=watched.lead)
    watching.look()
    assert len(told("work")) == 2
    later = AuditEvent.objects.order_by("-pk")[0]
    tomorrow = AuditEvent(
        project=later.project, verb=later.verb, object_type=later.object_type,
        object_id=later.object_id, to_state="open", at=later.at + timedelta(days=1),
    )  # fmt: skip
    tomorrow.save()
    watching.look()
    assert len(told("work")) == 4


def test_what_was_before_the_first_look_is_told_to_nobody(cast: Cast) -> None:
    campaigns.move(cast.campaign, "paused")
    campaigns.move(cast.campaign, "open")
    assert watching.look() == 0
    assert not Notice.objects.exists()


def test_an_event_that_is_overtaken_by_later_ones_is_not_lost(watched: Cast) -> None:
    """Its transaction began first and ended last: numbers are given out before."""
    campaigns.move(watched.campaign, "paused")
    first = AuditEvent.objects.latest("pk")
    for n in (2, 3):
        first.pk = Watch.objects.get().after + 10 + n
        first.save(force_insert=True)
    assert watching.look() == 3
    first.pk -= 1
    late = AuditEvent(**{f.attname: getattr(first, f.attname) for f in first._meta.fields})
    late.pk = first.pk - 3
    late.to_state = "open"
    late.save(force_insert=True)
    assert watching.look() == 1
    assert told("work") == ["other_rater", "rater"]
    settled = timezone.now() + timedelta(minutes=11)
    assert watching.look(settled) == 0
    row = Watch.objects.get()
    assert (row.after, row.seen) == (AuditEvent.objects.latest("pk").pk, [])


def test_an_event_about_what_is_gone_holds_up_no_other(watched: Cast) -> None:
    AuditEvent.objects.create(
        project=watched.project, verb="campaign moved", object_type="labeling.campaign",
        object_id="987654", to_state="open",
    )  # fmt: skip
    campaigns.move(watched.campaign, "paused")
    campaigns.move(watched.campaign, "open")
    assert watching.look() == 3
    assert told("work") == ["other_rater", "rater"]


def test_changed_guidelines_are_told_to_those_who_answered(watched: Cast) -> None:
    Seat.objects.create(rater=watched.rater, campaign=watched.campaign)
    campaigns.revise_guidelines(
        campaign=watched.campaign, markdown="Be kind.", based_on=1, actor=watched.lead
    )
    watching.look()
    assert told("guidelines") == ["rater"]


def test_runs_and_decisions_are_told_to_researchers_but_not_to_whoever_did_it(
    watched: Cast,
) -> None:
    iteration = IterationFactory(campaign=watched.campaign, state="evaluating")
    iterations.advance(iteration, "review", actor=watched.lead)
    job = Job.objects.create(project=watched.project, kind="train", state="running")
    snapshot = Snapshot.objects.create(project=watched.project, campaign=watched.campaign)
    TrainingRun.objects.create(
        project=watched.project, campaign=watched.campaign, iteration=iteration,
        role="policy", method="dpo", job=job, snapshot=snapshot,
    )  # fmt: skip
    for state in ("succeeded", "running"):
        AuditEvent.objects.create(
            project=watched.project, verb="job moved", object_type="models_runtime.job",
            object_id=str(job.pk), to_state=state,
        )  # fmt: skip
    watching.look()
    assert told("decision") == ["researcher"]
    assert told("run") == ["researcher"]
    body = browser(watched.researcher).get("/notices/").content.decode()
    assert "A run of dpo for Helpfulness finished." in body
    assert "waits for a decision" in body


def test_telling_again_tells_nobody_twice_and_no_program(cast: Cast) -> None:
    program = UserFactory(kind="simulated")
    MembershipFactory(user=program, project=cast.project)
    everybody = watching.members(cast.project, "rater")
    for _ in range(2):
        notices.tell(everybody, "work", key="one", text=phrase("There is work."))
    assert told("work") == ["other_rater", "rater"]


def test_the_bell_counts_what_is_new_until_it_is_read(cast: Cast) -> None:
    notices.tell([cast.rater], "work", key="1", text="One.", obj=cast.campaign)
    notices.tell([cast.rater], "work", key="2", text="Two.", obj=cast.campaign)
    client = browser(cast.rater)
    bell = re.compile(r'class="bell".*?</a>', re.S)
    assert ">2<" in bell.findall(client.get("/rate/").content.decode())[0]
    pk = Notice.objects.get(key="2").pk
    assert client.post(f"/notices/{pk}/")["Location"] == "/rate/helpful/"
    assert ">1<" in bell.findall(client.get("/rate/").content.decode())[0]
    client.post(f"/notices/{pk}/unread/")
    upto = pk
    notices.tell([cast.rater], "work", key="3", text="Came while the page was open.")
    client.post("/notices/read/", {"upto": upto})
    assert notices.unread(cast.rater) == 1
    client.post("/notices/read/", {"upto": "²"})
    assert notices.unread(cast.rater) == 1


def test_anothers_notice_does_not_exist(cast: Cast) -> None:
    notices.tell([cast.rater], "work", key="1", text="One.")
    pk = Notice.objects.get().pk
    client = browser(cast.other_rater)
    assert client.post(f"/notices/{pk}/").status_code == 404
    assert client.post(f"/notices/{pk}/read/").status_code == 404
    client.post("/notices/read/", {"upto": pk})
    assert notices.unread(cast.rater) == 1


def test_a_bell_is_one_query_and_a_card_has_none(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        notices.unread(cast.rater)
    body = browser(cast.rater).get("/rate/helpful/", headers=FRAGMENT).content.decode()
    assert "bell" not in body


def test_the_page_costs_the_same_however_many_there_are(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    for n in range(120):
        notices.tell([cast.lead], "budget", key=str(n), text=f"No {n}.", obj=cast.campaign)
    client = browser(cast.lead)
    with django_assert_max_num_queries(12):
        body = client.get("/notices/").content.decode()
    assert "99+" in body
    assert "No 119." in body
    assert "No 119." not in client.get("/notices/?page=2").content.decode()


def test_one_chooses_what_is_told_and_how(cast: Cast) -> None:
    client = browser(cast.rater)
    body = client.get("/notices/settings/").content.decode()
    assert "Guidelines changed" in body
    assert "A run finished" not in body  # is no rater's business
    client.post("/notices/settings/", {"guidelines-page": "on", "work-mail": "daily"})
    cast.rater.refresh_from_db()
    chosen = notices.choices_of(cast.rater)
    assert chosen["work"] == Choice(page=False, mail="daily")
    assert chosen["guidelines"] == Choice(page=True)
    notices.tell([cast.rater], "work", key="1", text="One.")
    assert notices.unread(cast.rater) == 0
    assert client.post("/notices/settings/", {"work-mail": "hourly"}).status_code == 400


def test_without_a_mail_server_the_page_says_so_and_none_is_kept(cast: Cast) -> None:
    assert "sends no mail" in browser(cast.rater).get("/notices/settings/").content.decode()
    notices.choose(cast.rater, {"work": Choice(mail="once")})
    notices.tell([cast.rater], "work", key="1", text="One.")
    assert not NoticeMail.objects.exists()


def test_mail_at_once_is_in_the_readers_language_and_can_be_ended(mails: Cast) -> None:
    mails.rater.locale = "de"
    mails.rater.save(update_fields=["locale"])
    notices.choose(mails.rater, {"work": Choice(mail="once")})
    said = "There are cards for you in %(campaign)s."
    name = "Help\r\nBcc: all@example.org"
    for _ in range(2):
        notices.tell(
            [mails.rater], "work", key="1", text=phrase(said, campaign=name), obj=mails.campaign
        )
    assert [notice_mail.send_due(), notice_mail.send_due()] == [1, 0]
    [sent] = mail.outbox
    assert sent.to == ["rater@example.org"]
    assert "\n" not in sent.subject
    assert "https://labels.example.org/rate/helpful/" in sent.body
    link = sent.extra_headers["List-Unsubscribe"].strip("<>")
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = link.removeprefix("https://labels.example.org")
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.get(path).status_code == 200
    mails.rater.refresh_from_db()
    assert notices.choices_of(mails.rater)["work"].mail == "once"
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    mails.rater.refresh_from_db()
    assert notices.choices_of(mails.rater)["work"] == Choice(page=True, mail="")
    forged = path.replace(path.split("/")[3][:3], "abc")
    assert stranger.post(forged).status_code == 404


def test_a_days_notices_are_one_mail_the_next_morning(mails: Cast) -> None:
    notices.choose(mails.rater, {"work": Choice(mail="daily")})
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for n in range(3):
        at = noon + timedelta(hours=n)
        notices.tell([mails.rater], "work", key=str(n), text=f"Number {n}.", now=at)
    assert notice_mail.send_due(noon + timedelta(hours=18)) == 0
    notices.mark_read(mails.rater, pk=Notice.objects.get(key="1").pk)
    assert notice_mail.send_due(noon + timedelta(hours=20)) == 1
    [sent] = mail.outbox
    assert sent.subject == "Concord: 2 notices from Concord"
    assert "Number 0." in sent.body
    assert "Number 1." not in sent.body  # was read meanwhile
    notices.tell([mails.rater], "work", key="4", text="Next.", now=noon + timedelta(days=1))
    assert NoticeMail.objects.filter(state="waiting").count() == 1


def test_a_server_that_refuses_is_asked_again_and_given_up(
    mails: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    notices.choose(mails.rater, {"work": Choice(mail="once")})
    notices.tell([mails.rater], "work", key="1", text="One.")
    now, tries = timezone.now(), 0
    while NoticeMail.objects.get().state == "waiting":
        notice_mail.send_due(now)
        assert notice_mail.send_due(now) == 0  # not due again at once
        now, tries = now + timedelta(hours=9), tries + 1
    assert tries == len(notices.WAITS)
    assert NoticeMail.objects.get().state == "failed"


def test_erasing_somebody_erases_what_they_were_told(mails: Cast) -> None:
    notices.choose(mails.rater, {"work": Choice(mail="once")})
    notices.tell([mails.rater, mails.lead], "work", key="1", text="Of a named campaign.")
    erasure.erase(rater=mails.rater)
    assert told("work") == ["lead"]
    assert not NoticeMail.objects.exists()
    assert notices.forget(timezone.now() + timedelta(days=181)) == 1


def test_a_group_that_a_campaign_is_for_is_told_alone(watched: Cast) -> None:
    group = groups.make(project=watched.project, name="Nurses", kind="group")
    groups.put_in(group=group, users=[watched.rater])
    queues.settle(campaign=watched.campaign, rules=Rules(groups=(group.pk,)))
    campaigns.move(watched.campaign, "paused")
    campaigns.move(watched.campaign, "open")
    watching.look()
    assert told("work") == ["rater"]


def test_leads_are_told_of_flags_and_budgets(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    labels.flag(assignment=card, code="broken")
    assert [watching.look_at_flags(), watching.look_at_flags()] == [1, 0]
    assert told("waiting") == ["lead"]
    Seat.objects.filter(rater=cast.rater).update(answered=8)
    spend.settle(campaign=cast.campaign, limits=Limits(labels=10))
    assert [watching.look_at_budgets(), watching.look_at_budgets()] == [1, 0]
    assert "80 %" in str(Notice.objects.get(kind="budget").text)
    spend.settle(campaign=cast.campaign, limits=Limits(labels=100))
    assert watching.look_at_budgets() == 0


def test_a_budget_that_is_used_up_is_told_with_the_reason(watched: Cast) -> None:
    Seat.objects.create(rater=watched.rater, campaign=watched.campaign, answered=10)
    spend.settle(campaign=watched.campaign, limits=Limits(labels=10))
    spend.keep()
    watching.look()
    body = browser(watched.lead).get("/notices/").content.decode()
    assert "Helpfulness is paused. The budget of labels is used up" in body
