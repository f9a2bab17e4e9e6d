"""A server is asked what it can do before it is registered."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from models_runtime import probing
from models_runtime.models import Endpoint
from models_runtime.probing import Verdict
from models_runtime.serving import Address
from tests.endpoint import FakeEndpoint, Handler, endpoint
from tests.factories import ProjectFactory


def asked(server: FakeEndpoint) -> Verdict:
    return probing.probe(Address(server.url, "big"), silence=2)


def test_one_that_can_do_everything() -> None:
    with endpoint(["one ", "two ", "three"]) as server:
        server.knows, server.choices = ("small", "big"), ("one two", "one, two")
        server.logprobs = {"content": [{"token": "one", "logprob": -0.1}]}
        verdict = asked(server)
    assert verdict == Verdict("", "yes", "yes", "yes", "yes", "yes")
    (first, again) = server.asked
    assert first == again
    assert (first["model"], first["stream"], first["temperature"]) == ("big", True, 1.0)


def test_one_that_leaves_out_what_it_does_not_know() -> None:
    with endpoint(["One two."], ["Two, one."]) as server:
        server.knows, server.choices = ("other",), ("One two.",)
        verdict = asked(server)
    assert verdict == Verdict("", "no", "no", "no", "no", "no")


def test_two_choices_that_are_one() -> None:
    with endpoint(["One."]) as server:
        server.choices = ("One.", "One.")
        assert asked(server).several == "no"


def test_one_that_says_nothing_of_itself_can_be_talked_with() -> None:
    with endpoint(["One ", "two."]) as server:
        verdict = asked(server)
    assert verdict == Verdict(streams="yes", seeds="yes")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (404, "The model server answered 404."),
        (["One", None], "The model broke off (ConnectionError)."),
        ([], "It replies without a word."),
        (["  "], "It replies without a word."),
    ],
)
def test_one_that_does_not_reply_is_of_no_use(said: Any, problem: str) -> None:
    with endpoint(said) as server:
        assert asked(server).problem == problem


def test_one_that_falls_silent_is_of_no_use() -> None:
    with endpoint([5.0, "One"]) as server:
        assert probing.probe(Address(server.url, "big"), silence=0.2).problem == (
            "The model broke off (TimeoutError)."
        )


def test_one_that_does_not_stream_is_told_apart() -> None:
    class Whole(Handler):
        def do_POST(self) -> None:
            self._whole(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    with endpoint(["unasked"]) as server:
        server.RequestHandlerClass, server.choices = Whole, ("One two three.",)
        assert asked(server).problem.startswith("It replies but does not stream")


@pytest.mark.parametrize(
    "nonsense", [b"[]", b"null", b'{"data": 1}', b'{"data": [1]}', b"<html>", b"[" * 100_000]
)
def test_nonsense_is_no_answer_and_no_fault(nonsense: bytes) -> None:
    class Babbles(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(nonsense)

        _whole = do_GET  # type: ignore[assignment]  # what it is asked does not matter

    with endpoint(["One ", "two."]) as server:
        server.RequestHandlerClass = Babbles
        verdict = probing.probe(Address(server.url, "big"), silence=2)
    assert verdict.problem == ""
    assert verdict.listed in ("unknown", "no")


def test_an_answer_without_an_end_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LONGEST", 1000)
    with endpoint(["One."]) as server:
        server.knows = ("big",) * 1000
        assert asked(server).listed == "unknown"


# -- the command -------------------------------------------------------------------------------


def add(server: FakeEndpoint, *more: str) -> str:
    out = StringIO()
    options = ["--name", "theirs", "--model", "big", "--project", "main", *more]
    call_command("add_endpoint", server.url, *options, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_says_what_was_found_and_keeps_it() -> None:
    ProjectFactory(slug="main")
    with endpoint(["One ", "two."]) as server:
        server.knows = ("big",)
        said = add(server)
    assert "yes     names the model among its own" in said
    assert "unknown gives two different choices" in said
    row = Endpoint.objects.get()
    assert row.probe["listed"] == "yes"
    assert row.probed_at is not None


@pytest.mark.django_db
def test_one_that_talks_cannot_use_is_refused_unless_forced() -> None:
    ProjectFactory(slug="main")
    with endpoint(500) as server:
        with pytest.raises(CommandError, match=r"Talks cannot use this server\. The model server"):
            add(server)
        assert not Endpoint.objects.exists()
        said = add(server, "--force")
    assert "The model server answered 500." in said
    assert Endpoint.objects.get().probe["problem"] == "The model server answered 500."
