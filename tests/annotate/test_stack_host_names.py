"""The launcher asks its web server by a name that the server answers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate.data_folder import CannotStart
from annotate.settings import env
from annotate.stack import name_to_ask
from tests.annotate.launching import run

NAMES = [
    ("labels.example.org", "labels.example.org"),
    (" labels.example.org , example.org", "labels.example.org"),
    (".example.org", "example.org"),
    ("*", "localhost"),
    ("*,labels.example.org", "localhost"),
    ("[::1]", "[::1]"),
    (",10.0.0.7", "10.0.0.7"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("allowed", "name"), NAMES)
def test_django_answers_to_that_name(
    settings: Any, monkeypatch: pytest.MonkeyPatch, allowed: str, name: str
) -> None:
    assert name_to_ask(allowed) == name
    monkeypatch.setenv("ALLOWED_HOSTS", allowed)
    settings.ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
    assert Client().get("/healthz", headers={"Host": name}).status_code == 200


def test_a_pattern_that_django_does_not_know_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"\*\.example\.org, .*: write \.example\.org for"):
        name_to_ask("*.example.org")
    done = run(tmp_path / "data", "serve", ALLOWED_HOSTS="*.example.org", PORT="0")
    assert done.returncode == 1
    assert done.stderr.startswith("ALLOWED_HOSTS holds *.example.org")
    assert done.stderr.count("\n") == 1
