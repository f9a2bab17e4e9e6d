"""A request larger than its address has a use for is refused before any of it is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client

from tests.factories import Cast

LARGE = 3_000_000


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were written to the disk."""
    names: list[str] = []
    original = TemporaryFileUploadHandler.new_file

    def new_file(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        names.append(self.file_name)

    monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", new_file)
    return names


def send(client: Client, path: str) -> Any:
    line = b'{"prompt": "Why is the sky blue?", "note": "%s"}\n'
    body = line % (b"x" * 400) * (LARGE // 440)
    return client.post(path, {"prompts": SimpleUploadedFile("p.jsonl", body)})


@pytest.mark.parametrize("path", ["/sign-in/", "/campaigns/new/", "/campaigns/helpful/prompts/"])
def test_a_visitor_stores_nothing(path: str, cast: Cast, stored: list[str]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    response = send(client, path)
    assert response.status_code == 413
    assert "too large" in response.content.decode()
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert stored == []


def test_a_rater_stores_nothing_where_no_file_belongs(cast: Cast, stored: list[str]) -> None:
    client = Client()
    client.force_login(cast.rater)
    assert send(client, "/rate/helpful/undo/").status_code == 413
    assert stored == []


def test_a_lead_uploads_prompts_up_to_the_limit(
    cast: Cast, stored: list[str], settings: Any
) -> None:
    client = Client()
    client.force_login(cast.lead)
    assert send(client, "/campaigns/helpful/prompts/").status_code == 302
    assert stored == ["p.jsonl"]
    settings.LARGEST_UPLOAD = LARGE // 2
    assert send(client, "/campaigns/helpful/prompts/").status_code == 413


@pytest.mark.parametrize("length", ["", "many", "-1"])
def test_a_length_that_is_no_number_changes_nothing(
    client: Client, cast: Cast, length: str
) -> None:
    assert client.post("/sign-out/", CONTENT_LENGTH=length).status_code in (302, 400, 403)
