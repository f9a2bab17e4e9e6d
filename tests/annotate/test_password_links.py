"""A lost password: a link by mail or from a lead's hand sets another, once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from labeling import knocks, password_mail
from labeling.models import PasswordRequest, User
from tests.factories import PASSWORD, Cast

pytestmark = pytest.mark.django_db
NEW = "rather unlikely words"


@pytest.fixture
def sends(settings: Any) -> None:
    settings.MAIL_IS_SENT = True
    settings.PUBLIC_URL = "https://concord.example.org"


def asked(address: str, **place: str) -> Any:
    return Client(**place).post("/password/", {"email": address})


def link_in(text: str) -> str:
    found = re.search(r"/password/[0-9a-f-]{36}/[\w-]+/", text)
    assert found is not None
    return found[0]


def with_mail(user: User) -> User:
    User.objects.filter(pk=user.pk).update(email="rater@example.org")
    return user


def drawn(cast: Cast) -> str:
    lead = Client()
    lead.force_login(cast.lead)
    response = lead.post(f"/people/{cast.project.slug}/{cast.rater.public_id}/link/")
    return link_in(response.content.decode())


def test_the_answer_is_the_same_for_an_address_that_nobody_has(cast: Cast, sends: None) -> None:
    with_mail(cast.rater)
    known, unknown = asked("Rater@example.org"), asked("nobody@example.org")
    assert known.status_code == unknown.status_code == 200
    assert known.content == unknown.content
    assert PasswordRequest.objects.count() == 2
    assert mail.outbox == []  # nothing is sent while somebody waits for the page


def test_a_mail_s_link_sets_a_password_once_and_ends_all_sessions(cast: Cast, sends: None) -> None:
    with_mail(cast.rater)
    elsewhere = Client()
    elsewhere.force_login(cast.rater)
    asked("rater@example.org")
    assert (password_mail.send_due(), password_mail.send_due()) == (1, 0)
    (message,) = mail.outbox
    assert message.to == ["rater@example.org"]
    assert "https://concord.example.org/password/" in str(message.body)
    link, client = link_in(str(message.body)), Client()
    assert client.get(link)["Location"] == "/password/new/"
    assert client.post("/password/new/", {"password": "12345678"}).status_code == 400
    assert client.post("/password/new/", {"password": NEW})["Location"] == "/sign-in/"
    signed_in = client.post("/sign-in/", {"username": "rater", "password": NEW})
    assert signed_in.status_code == 302
    assert "/sign-in/" in elsewhere.get("/account/")["Location"]
    assert Client().get(link).status_code == 404


def test_a_lead_s_link_works_without_mail_and_the_old_password_holds_until_then(
    cast: Cast,
) -> None:
    link = drawn(cast)
    cast.rater.refresh_from_db()
    assert cast.rater.check_password(PASSWORD)
    client = Client()
    client.get(link)
    client.post("/password/new/", {"password": NEW})
    cast.rater.refresh_from_db()
    assert cast.rater.check_password(NEW)


def test_a_link_ends_with_its_day_and_with_the_account(cast: Cast, settings: Any) -> None:
    link = drawn(cast)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert Client().get(link).status_code == 404
    settings.PASSWORD_RESET_TIMEOUT = 60
    assert Client().get(link).status_code == 302
    User.objects.filter(pk=cast.rater.pk).update(is_active=False)
    assert Client().get(link).status_code == 404


def test_asking_is_throttled_by_address(cast: Cast, sends: None) -> None:
    for _time in range(knocks.MOST["password"]):
        assert asked("nobody@example.org", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert asked("nobody@example.org", REMOTE_ADDR="192.0.2.7").status_code == 429
    assert asked("nobody@example.org", REMOTE_ADDR="192.0.2.8").status_code == 200


def test_a_server_that_is_away_is_tried_again_later(
    cast: Cast, sends: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mail(cast.rater)
    asked("rater@example.org")
    with monkeypatch.context() as away:
        away.setattr(password_mail, "send_mail", _refused)
        assert password_mail.send_due() == 0
    assert password_mail.send_due() == 0  # not yet
    assert password_mail.send_due(timezone.now() + timedelta(minutes=2)) == 1


def test_without_mail_the_page_says_whom_to_ask(cast: Cast) -> None:
    body = Client().get("/password/").content.decode()
    assert "This installation sends no mail." in body
    asked("rater@example.org")
    assert not PasswordRequest.objects.exists()


def _refused(*_: Any) -> None:
    raise ConnectionRefusedError
