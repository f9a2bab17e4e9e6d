"""The board of contributors: by the lower end of agreement, never by speed, and only of those who
want to stand there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from labeling import boards
from labeling.models import User
from models_runtime.models import Job
from tests.factories import Cast, MembershipFactory

pytestmark = pytest.mark.django_db


def figures(rater: User, labels: int, value: float, low: float | None) -> dict[str, Any]:
    agrees = {"value": value, "low": low, "high": 0.99}
    return {"rater": rater.pk, "labels": labels, "agrees": agrees, "seconds": 3.0}


@pytest.fixture
def counted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """Three raters: few lucky answers, many good ones, and too few to say anything."""
    newcomer = MembershipFactory(user__username="newcomer", project=cast.project).user
    raters = [
        figures(cast.rater, 30, 0.97, 0.80),
        figures(cast.other_rater, 900, 0.92, 0.90),
        figures(newcomer, 5, 1.0, 0.5),
    ]
    job = Job(result={"person": {"raters": raters}}, finished_at=datetime(2026, 3, 1, tzinfo=UTC))
    monkeypatch.setattr(boards.quality_job, "counted", lambda campaign: job)
    return cast


def test_the_surest_stand_first_and_who_has_too_few_not_at_all(counted: Cast) -> None:
    rows = boards.of(counted.campaign).rows
    assert [row.rater for row in rows] == [counted.other_rater.pk, counted.rater.pk]
    assert [row.place for row in rows] == [1, 2]
    assert not hasattr(rows[0], "seconds")


def test_raters_choose_their_name_a_pseudonym_or_to_be_left_out(counted: Cast) -> None:
    first = boards.of(counted.campaign).rows[0]
    assert first.name == ""
    assert first.pseudonym not in counted.other_rater.username
    boards.choose(rater=counted.other_rater, campaign=counted.campaign, shown="name")
    assert boards.of(counted.campaign).rows[0].name == "other_rater"
    boards.choose(rater=counted.other_rater, campaign=counted.campaign, shown="hidden")
    assert [row.rater for row in boards.of(counted.campaign).rows] == [counted.rater.pk]
    with pytest.raises(ValueError, match="fastest"):
        boards.choose(rater=counted.rater, campaign=counted.campaign, shown="fastest")


def test_it_is_off_until_a_lead_shows_it(counted: Cast) -> None:
    rater, lead = Client(), Client()
    rater.force_login(counted.rater)
    lead.force_login(counted.lead)
    assert rater.get("/rate/helpful/board/").status_code == 404
    lead.post("/campaigns/helpful/board/", {"shows": "yes"})
    body = rater.get("/rate/helpful/board/").content.decode()
    assert "90 – 99 %" in body
    assert "other_rater" not in body
    assert '/rate/helpful/board/"' in rater.get("/rate/").content.decode()
    rater.post("/rate/helpful/board/", {"shown": "hidden"})
    assert ">you<" not in rater.get("/rate/helpful/board/").content.decode()
    lead.post("/campaigns/helpful/board/", {"shows": "no"})
    assert rater.get("/rate/helpful/board/").status_code == 404


def test_before_the_first_count_it_says_so(cast: Cast) -> None:
    lead = Client()
    lead.force_login(cast.lead)
    body = lead.get("/campaigns/helpful/board/").content.decode()
    assert "have not been counted yet" in body
