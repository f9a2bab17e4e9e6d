"""Signing in tells nobody who has an account, and locks nobody else out."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.test import Client

from tests.factories import PASSWORD, Cast, UserFactory


def enter(client: Client, name: str, password: str, **extra: Any) -> Any:
    return client.post("/sign-in/", {"username": name, "password": password}, **extra)


@pytest.mark.parametrize(
    ("name", "page"),
    [("rater", "/rate/"), ("lead", "/campaigns/"), ("researcher", "/campaigns/")],
)
def test_each_role_starts_at_its_work(client: Client, cast: Cast, name: str, page: str) -> None:
    response = enter(client, name, PASSWORD, follow=True)
    assert response.redirect_chain[-1][0] == page


def test_whoever_has_no_role_is_told_so(client: Client, cast: Cast) -> None:
    client.force_login(UserFactory())
    assert "have no role yet" in client.get("/").content.decode()


def test_unknown_names_and_wrong_passwords_get_the_same_answer(client: Client, cast: Cast) -> None:
    cast.other_rater.is_active = False
    cast.other_rater.save()
    said = set()
    for name, password in (("nobody", PASSWORD), ("rater", "x"), ("other_rater", PASSWORD)):
        body = enter(client, name, password).content.decode()
        said.add(body.split('role="alert">')[1].split("<")[0])
    assert said == {"That name and password do not match. Mind capital letters."}


def test_eight_wrong_tries_lock_this_name_from_this_address_alone(
    client: Client, cast: Cast
) -> None:
    statuses = [enter(client, "rater", "wrong").status_code for _ in range(8)]
    assert statuses == [200] * 7 + [429]
    locked = enter(client, "rater", PASSWORD)
    assert locked.status_code == 429
    assert "Too many tries" in locked.content.decode()

    assert enter(client, "lead", PASSWORD).status_code == 302
    elsewhere = Client(REMOTE_ADDR="10.1.2.3")
    assert enter(elsewhere, "rater", PASSWORD).status_code == 302


def test_a_name_that_nobody_has_is_locked_alike(client: Client, cast: Cast) -> None:
    statuses = [enter(client, "nobody", "wrong").status_code for _ in range(8)]
    assert statuses == [200] * 7 + [429]


def test_one_password_tried_on_every_name_locks_the_address(
    client: Client, cast: Cast, settings: Any
) -> None:
    settings.ADDRESS_FAILURE_LIMIT = 10
    statuses = [enter(client, f"name{n}", "Spring2026").status_code for n in range(10)]
    assert statuses == [200] * 9 + [429]
    assert enter(client, "lead", PASSWORD).status_code == 429
    assert enter(Client(REMOTE_ADDR="10.1.2.3"), "lead", PASSWORD).status_code == 302


def test_tries_while_locked_are_not_written(client: Client, cast: Cast) -> None:
    """Else a flood of them makes a row longer and longer, and the lock has no end."""
    for _ in range(8):
        enter(client, "rater", "wrong")
    before = AccessAttempt.objects.values().get()
    for _ in range(3):
        assert enter(client, "rater", "wrong").status_code == 429
    assert AccessAttempt.objects.values().get() == before


def test_who_signed_in_from_where_is_not_kept(client: Client, cast: Cast) -> None:
    enter(client, "rater", PASSWORD)
    assert not AccessLog.objects.exists()


def test_signing_out_ends_the_session_and_its_cookie(client: Client, cast: Cast) -> None:
    client.force_login(cast.rater)
    old = client.cookies["sessionid"].value
    assert client.post("/sign-out/").status_code == 302
    client.cookies["sessionid"] = old
    assert client.get("/rate/").status_code == 302


def test_the_next_page_stays_on_this_site(client: Client, cast: Cast) -> None:
    form = {"username": "rater", "password": PASSWORD, "next": "https://example.org/"}
    assert client.post("/sign-in/", form)["Location"] == "/"


def test_a_new_password_signs_other_sessions_out(client: Client, cast: Cast) -> None:
    other = Client()
    other.force_login(cast.rater)
    client.force_login(cast.rater)
    new = "quite another password"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/account/", form).status_code == 302
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302


def test_a_wrong_old_password_changes_nothing(client: Client, cast: Cast) -> None:
    client.force_login(cast.rater)
    form = {"old_password": "x", "new_password1": "y" * 12, "new_password2": "y" * 12}
    assert client.post("/account/", form).status_code == 400
    cast.rater.refresh_from_db()
    assert cast.rater.check_password(PASSWORD)


def test_a_form_from_another_session_is_asked_for_again(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.rater)
    response = client.post("/sign-out/")
    assert response.status_code == 403
    assert "opened in another session" in response.content.decode()
