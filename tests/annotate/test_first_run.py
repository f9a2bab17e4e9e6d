"""The first administrator of a new installation."""

from __future__ import annotations

import pytest
from django.core.management.base import CommandError
from django.test import Client

from annotate import first_run
from labeling.models import User

pytestmark = pytest.mark.django_db


def test_one_is_made_with_a_drawn_password() -> None:
    made = first_run.administrator()
    assert made is not None
    assert made.name == "admin"
    assert len(made.password) >= 22  # 128 bits
    user = User.objects.get()
    assert user.is_superuser
    assert user.check_password(made.password)


def test_a_chosen_password_is_kept_and_not_repeated() -> None:
    made = first_run.administrator(name="ada", password="difference engine 2")
    assert made == first_run.Made("ada", "")
    assert User.objects.get(username="ada").check_password("difference engine 2")


def test_a_weak_password_is_refused_and_nobody_made() -> None:
    with pytest.raises(CommandError, match="ADMIN_PASSWORD: .*too short"):
        first_run.administrator(password="short")
    assert not User.objects.exists()


def test_none_is_made_where_there_is_one() -> None:
    first = first_run.administrator()
    assert first is not None
    assert first_run.administrator(name="other", password="difference engine 2") is None
    assert list(User.objects.values_list("username", flat=True)) == ["admin"]


def test_the_first_administrator_leads_a_project(client: Client) -> None:
    first_run.administrator(name="ada", password="difference engine 2")
    ada = User.objects.get()
    held = ada.memberships.values_list("project__slug", "role")
    assert set(held) == {("main", "lead"), ("main", "researcher")}
    client.force_login(ada)
    assert "No campaign yet" in client.get("/", follow=True).content.decode()
    assert "Nobody else is here yet" in client.get("/people/").content.decode()


def test_an_administrator_made_by_hand_is_given_one_too() -> None:
    ada = User.objects.create_superuser("ada")
    assert first_run.administrator() is None
    assert first_run.without_a_project() == ada
    first_run.join_project(ada)
    assert ada.memberships.count() == 2
    assert first_run.without_a_project() is None
