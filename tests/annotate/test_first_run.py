"""The first administrator of a new installation."""

from __future__ import annotations

import pytest
from django.core.management.base import CommandError

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
