"""Somebody makes a token on their account's page, sees it once, and revokes it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from labeling import tokens
from labeling.models import Token
from models_runtime.models import AuditEvent
from tests.factories import Cast, ProjectFactory


def browser(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def asked(cast: Cast, **changed: Any) -> dict[str, Any]:
    said = {"name": "Nightly", "project": cast.project.pk, "scopes": ["runs:read"], "days": 30}
    return {**said, **changed}


def test_a_token_is_shown_once_and_stored_as_a_hash(cast: Cast) -> None:
    client = browser(cast.researcher)
    said = client.post("/account/tokens/", asked(cast))
    [secret] = re.findall(r"ccd_[\w-]{43}", said.content.decode())
    assert said["Cache-Control"].startswith("max-age=0")
    row = Token.objects.get()
    assert secret not in str(vars(row))
    assert tokens.find(secret) == row
    listed = client.get("/account/tokens/").content.decode()
    assert secret not in listed
    assert f"…{secret[-4:]}" in listed
    event = AuditEvent.objects.get(verb="token made")
    assert event.data == {"scopes": ["runs:read"], "days": 30}
    assert event.project == cast.project


def test_it_is_revoked_from_its_row_and_opens_nothing_any_more(cast: Cast) -> None:
    row, secret = tokens.make(
        user=cast.lead, project=cast.project, name="x", scopes=["runs:read"], days=1
    )
    headers = {"authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/runs", headers=headers).status_code == 200
    assert browser(cast.researcher).post(f"/account/tokens/{row.pk}/revoke/").status_code == 404
    browser(cast.lead).post(f"/account/tokens/{row.pk}/revoke/")
    assert Client().get("/api/v1/runs", headers=headers).status_code == 401
    assert AuditEvent.objects.filter(verb="token revoked").count() == 1
    assert "revoked" in browser(cast.lead).get("/account/tokens/").content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"days": 4000},
        {"name": ""},
        {"name": "a\u202eb"},
    ],
)
def test_a_token_for_nothing_or_for_ever_is_refused(cast: Cast, wrong: dict[str, Any]) -> None:
    said = browser(cast.lead).post("/account/tokens/", asked(cast, **wrong))
    assert said.status_code == 400
    assert not Token.objects.exists()


def test_another_s_project_is_no_choice_and_a_rater_has_none(cast: Cast) -> None:
    other = ProjectFactory()
    said = browser(cast.lead).post("/account/tokens/", asked(cast, project=other.pk))
    assert said.status_code == 400
    page = browser(cast.rater).get("/account/tokens/").content.decode()
    assert "The API is for leads and researchers" in page
    assert browser(cast.rater).post("/account/tokens/", asked(cast)).status_code == 400
    assert not Token.objects.exists()
