"""The labels behind a number: filtered, paged by a cursor, the same cost among many."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling import label_list, labels, leases
from labeling.label_list import Wanted
from labeling.models import Label, User
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
URL = "/campaigns/helpful/labels/"


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


@pytest.fixture
def raters(cast: Cast) -> list[User]:
    """Two who answered four cards each: sides and strengths in turn."""
    open_comparisons(cast.campaign, 8)
    people = [
        MembershipFactory(user__username=name, project=cast.project, role="rater").user
        for name in ("ada", "ben")
    ]
    for rater in people:
        for choice in ("0:better", "1:slightly", "0:slightly", "0:better"):
            answer(rater, cast.campaign, choice)
    return people


def rows(client: Client, **asked: str) -> int:
    return len(client.get(URL, asked).context["rows"])


def test_filters_narrow_the_list(lead: Client, raters: list[User]) -> None:
    assert rows(lead) == 8
    assert rows(lead, rater="ada") == 4
    assert rows(lead, said="slightly") == 4
    assert rows(lead, said="slightly", side="first", rater="ben") == 1
    assert rows(lead, side="second") == 2
    assert rows(lead, said="prefer") == 8
    assert rows(lead, said="tie") == 0
    assert rows(lead, source="simulated") == 0


def test_days_are_whole_ones(lead: Client, raters: list[User]) -> None:
    today, day = timezone.now().date(), dt.timedelta(days=1)
    assert rows(lead, since=str(today), until=str(today)) == 8
    assert rows(lead, until=str(today - day)) == 0
    assert rows(lead, since=str(today + day)) == 0


def test_what_was_taken_back_is_not_listed(lead: Client, raters: list[User], cast: Cast) -> None:
    labels.undo(rater=raters[0], campaign=cast.campaign)
    assert rows(lead) == 7
    assert "No accepted label is like that" in lead.get(URL, {"said": "tie"}).content.decode()


def test_a_day_at_the_end_of_all_days_is_refused(lead: Client) -> None:
    assert lead.get(URL, {"until": "9999-12-31"}).status_code == 400


def test_a_name_that_is_nobody_s_here_is_said_by_its_field(lead: Client, cast: Cast) -> None:
    response = lead.get(URL, {"rater": cast.outsider.username})
    assert response.status_code == 400
    assert "Nobody of that name has answered here." in response.content.decode()


def test_the_cursor_shows_each_once(
    cast: Cast, raters: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_list, "PAGE", 3)
    seen: list[int] = []
    before = None
    while True:
        page = label_list.find(cast.campaign, Wanted(before=before))
        seen += [label.pk for label in page.labels]
        if page.older is None:
            break
        before = page.older
    assert seen == sorted(Label.objects.values_list("pk", flat=True), reverse=True)


def test_a_stretch_without_any_leads_on(
    cast: Cast, raters: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_list, "STRETCH", 2)
    found, before, pages = 0, None, 0
    while True:
        page = label_list.find(cast.campaign, Wanted(said="slightly", before=before))
        found, pages = found + len(page.labels), pages + 1
        if page.older is None:
            break
        before = page.older
    assert (found, pages) == (4, 5)


def test_a_moment_is_found_among_many_by_a_few_looks(
    cast: Cast, raters: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_list, "SPLITS", 2)
    times = dict(Label.objects.values_list("pk", "created_at"))
    for pk, at in times.items():
        found = label_list._first_after(at)
        assert all(other < at for one, other in times.items() if one < found - 2)
        assert all(other >= at for one, other in times.items() if one >= found)
        assert pk >= found - 2


def test_it_costs_the_same_with_more_labels(lead: Client, raters: list[User], cast: Cast) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert lead.get(URL, {"said": "better", "rater": "ada"}).status_code == 200
        return len(captured)

    few = queries()
    open_comparisons(cast.campaign, 6)
    while leases.claim_next(rater=raters[0], campaign=cast.campaign):
        answer(raters[0], cast.campaign, "0:better")
    assert queries() == few <= 25
