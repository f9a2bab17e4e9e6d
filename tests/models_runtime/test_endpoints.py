"""Registering somebody else's model server."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from models_runtime import endpoints, serving
from models_runtime.models import AuditEvent, Endpoint
from models_runtime.records import Sampler
from models_runtime.serving import Unanswered
from tests.endpoint import Handler, endpoint
from tests.factories import CheckpointFactory, ProjectFactory

pytestmark = pytest.mark.django_db


def add(url: str, **changes: Any) -> None:
    options = {"name": "theirs", "model": "big", "project": "main", **changes}
    call_command("add_endpoint", url, **options)


@pytest.fixture(autouse=True)
def project() -> Any:
    return ProjectFactory(slug="main")


def test_it_is_a_row_and_an_audit_event_once() -> None:
    with endpoint(["unasked"]) as server:
        add(server.url)
        add(server.url)
        row = Endpoint.objects.get()
        assert (row.name, row.base_url, row.model_name) == ("theirs", server.url, "big")
        assert AuditEvent.objects.filter(verb="endpoint added").count() == 1
        with pytest.raises(CommandError, match="at another address"):
            add(server.url, model="small")


def test_the_only_project_needs_no_name_and_one_of_two_does() -> None:
    with endpoint(["unasked"]) as server:
        add(server.url, project="")
        assert Endpoint.objects.get().project.slug == "main"
        ProjectFactory(slug="safety")
        with pytest.raises(CommandError, match="name one with --project"):
            add(server.url, project="", name="another")
        with pytest.raises(CommandError, match="There is no project named nope"):
            add(server.url, project="nope", name="another")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://127.0.0.1/v1", "is no http address"),
        ("http://127.0.0.1:1/v1", "cannot be reached"),
        ("http://169.254.169.254/v1", "never called"),
        ("http://0.0.0.0/v1", "never called"),
        ("http://[::ffff:169.254.169.254]/v1", "never called"),
        ("http://[64:ff9b::a9fe:a9fe]/v1", "never called"),
        ("http://[2002:a9fe:a9fe::]/v1", "never called"),
        ("http://[fd00:ec2::254]/v1", "never called"),
        ("http://100.100.100.200/v1", "never called"),
        ("http://no-such-host.invalid/v1", "cannot be reached"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        add(url)
    assert Endpoint.objects.count() == 0


def test_a_name_means_one_model(project: Any) -> None:
    CheckpointFactory(project=project, name="theirs")
    with pytest.raises(CommandError, match="already a checkpoint"):
        add("http://127.0.0.1:1/v1")
    with pytest.raises(CommandError, match="no project"):
        add("http://127.0.0.1:1/v1", project="elsewhere")


ASKED = [{"role": "user", "content": "Hello"}]


def test_its_key_is_read_where_it_is_used_and_stored_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THEIR_API_KEY", "sk-very-secret")
    with endpoint(["Hello."]) as server:
        add(server.url, key_variable="THEIR_API_KEY")
        row = Endpoint.objects.get()
        list(serving.stream(endpoints.address_of(row), ASKED, Sampler("", 1), silence=5))
        assert set(server.keys) == {"Bearer sk-very-secret"}
    assert "sk-very-secret" not in str(Endpoint.objects.values())
    assert "sk-very-secret" not in str(AuditEvent.objects.values())
    monkeypatch.delenv("THEIR_API_KEY")
    with pytest.raises(Unanswered, match="THEIR_API_KEY, which holds the key of theirs, is not"):
        endpoints.address_of(row)


def test_what_a_server_says_when_it_refuses_is_not_said_on() -> None:
    """It may repeat the key, or what a rater wrote."""

    class Echoes(Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(401)
            self.end_headers()
            self.wfile.write(f"no such key: {self.headers['Authorization']}".encode() + body)

    with endpoint(["unasked"]) as server:
        server.RequestHandlerClass = Echoes
        address = serving.Address(server.url, "big", "sk-very-secret")
        with pytest.raises(Unanswered) as refused:
            list(serving.stream(address, ASKED, Sampler("", 1), silence=5))
    assert str(refused.value) == "The model server answered 401."


def test_what_a_server_says_in_a_broken_stream_is_not_said_on() -> None:
    class Babbles(Handler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"data: Hello, you said\n\n")

    with endpoint(["unasked"]) as server:
        server.RequestHandlerClass = Babbles
        address = serving.Address(server.url, "big")
        with pytest.raises(Unanswered) as refused:
            list(serving.stream(address, ASKED, Sampler("", 1), silence=5))
    assert str(refused.value) == "The model broke off (JSONDecodeError)."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("their_api_key", "is no name for a key"),
        ("THEIR_ADDRESS", "is no name for a key"),
        ("UNSET_API_KEY", "is not set"),
    ],
)
def test_a_variable_that_cannot_hold_a_key_is_refused(name: str, sentence: str) -> None:
    with endpoint(["unasked"]) as server, pytest.raises(CommandError, match=sentence):
        add(server.url, key_variable=name)
    assert Endpoint.objects.count() == 0
