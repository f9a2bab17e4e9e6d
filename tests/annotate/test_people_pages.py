"""A lead adds people, gives and takes roles, hands out passwords and ends access, on one page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from labeling.models import Membership, User
from models_runtime.models import AuditEvent
from tests.factories import PASSWORD, Cast, MembershipFactory


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def of(cast: Cast, user: User, act: str) -> str:
    return f"/people/{cast.project.slug}/{user.public_id}/{act}/"


def shown_password(response: Any) -> str:
    found = re.search(r"<pre>([^<]+)</pre>", response.content.decode())
    assert found is not None
    return found[1]


def signs_in(name: str, password: str) -> bool:
    form = {"username": name, "password": password}
    return Client().post("/sign-in/", form).status_code == 302


def test_the_page_lists_this_project_s_people_only(lead: Client, cast: Cast) -> None:
    body = lead.get("/people/").content.decode()
    for name in ("rater", "other_rater", "lead", "researcher"):
        assert f">{name}</a>" in body
    assert "outsider" not in body
    assert body.count(">never<") == 4 - body.count("UTC")
    assert 'href="/people/" aria-current="page"' in body


def test_whoever_is_added_signs_in_with_the_password_shown_once(lead: Client, cast: Cast) -> None:
    form = {"username": "ada", "roles": ["rater", "researcher"]}
    response = lead.post(f"/people/{cast.project.slug}/", form)
    assert "no-store" in response["Cache-Control"]
    password = shown_password(response)
    assert signs_in("ada", password)
    assert password not in lead.get("/people/").content.decode()
    held = Membership.objects.filter(user__username="ada", project=cast.project)
    assert set(held.values_list("role", flat=True)) == {"rater", "researcher"}


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"username": "ada"}, "Choose at least one role"),
        ({"roles": ["rater"]}, "Give them a name."),
        ({"username": "ada", "roles": ["boss"]}, "boss is no role."),
        ({"username": "two words", "roles": ["rater"]}, "A name has letters, digits and @"),
        ({"username": "rater", "roles": ["lead"]}, "rater is here already"),
    ],
)
def test_what_is_not_right_is_told_and_kept(
    lead: Client, cast: Cast, form: dict[str, Any], sentence: str
) -> None:
    response = lead.post(f"/people/{cast.project.slug}/", form)
    assert response.status_code == 400
    body = response.content.decode()
    assert sentence in body
    if name := form.get("username"):
        assert f'value="{name}"' in body
    assert User.objects.count() == 5


def test_a_new_password_ends_the_old_one_its_sessions_and_its_lock(
    lead: Client, cast: Cast
) -> None:
    theirs = Client()
    theirs.force_login(cast.rater)
    for _ in range(8):
        signs_in("rater", "wrong")
    assert not signs_in("rater", PASSWORD)
    password = shown_password(lead.post(of(cast, cast.rater, "password")))
    assert theirs.get("/rate/").status_code == 302
    assert signs_in("rater", password)
    assert not signs_in("rater", PASSWORD)
    assert AuditEvent.objects.get(verb="password reset").actor_id == cast.lead.pk


def test_deactivating_ends_sessions_for_good(lead: Client, cast: Cast) -> None:
    theirs = Client()
    theirs.force_login(cast.rater)
    assert theirs.get("/rate/").status_code == 200
    for _ in range(2):
        lead.post(of(cast, cast.rater, "deactivate"))
    assert theirs.get("/rate/").status_code == 302
    assert not signs_in("rater", PASSWORD)
    assert "deactivated" in lead.get("/people/").content.decode()
    lead.post(of(cast, cast.rater, "reactivate"))
    assert theirs.get("/rate/").status_code == 302  # an old session is not brought back
    assert signs_in("rater", PASSWORD)
    verbs = list(AuditEvent.objects.order_by("id").values_list("verb", flat=True))
    assert verbs == ["person deactivated", "sign-in failed", "person reactivated", "signed in"]


def test_a_role_taken_closes_its_pages_at_once(lead: Client, cast: Cast) -> None:
    theirs = Client()
    theirs.force_login(cast.rater)
    lead.post(of(cast, cast.rater, "roles"), {"roles": ["researcher"]})
    assert theirs.get("/rate/").status_code == 403
    assert theirs.get("/campaigns/").status_code == 200


def test_roles_cannot_be_emptied_and_the_only_lead_stays(lead: Client, cast: Cast) -> None:
    body = lead.post(of(cast, cast.rater, "roles"), follow=True).content.decode()
    assert "to keep somebody out, deactivate them" in body
    form = {"roles": ["rater"]}
    body = lead.post(of(cast, cast.lead, "roles"), form, follow=True).content.decode()
    assert "is the only lead of" in body
    assert Membership.objects.filter(project=cast.project).count() == 4


def test_whoever_stops_leading_is_taken_to_their_other_work(lead: Client, cast: Cast) -> None:
    MembershipFactory(project=cast.project, role="lead")
    response = lead.post(of(cast, cast.lead, "roles"), {"roles": ["rater"]}, follow=True)
    assert response.redirect_chain[-1][0] == "/rate/"


def test_people_of_another_project_do_not_exist(lead: Client, cast: Cast) -> None:
    for act in ("roles", "password", "deactivate"):
        assert lead.post(of(cast, cast.outsider, act)).status_code == 404


def test_many_people_are_paged_and_found_by_name(lead: Client, cast: Cast) -> None:
    for n in range(51):
        MembershipFactory(user__username=f"pa-{n:02}", project=cast.project, role="rater")
    body = lead.get("/people/").content.decode()
    assert ">pa-00</a>" in body
    assert ">rater</a>" not in body
    assert ">rater</a>" in lead.get("/people/?page=2").content.decode()
    body = lead.get("/people/?named=RATE").content.decode()
    assert ">other_rater</a>" in body
    assert ">pa-00</a>" not in body
    assert "Nobody here has that" in lead.get("/people/?named=zzz").content.decode()
