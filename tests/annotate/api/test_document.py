"""The OpenAPI document is valid, says what is needed, and drives a test of every route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from openapi_spec_validator import validate

from annotate.api import app
from labeling import programs, tokens
from tests.annotate.api.programs import EVERYTHING, Scene, program
from tests.factories import MembershipFactory, open_comparisons


def document() -> dict[str, Any]:
    found: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return found


def test_it_is_openapi_3_1_and_names_every_route_with_its_scope() -> None:
    found = document()
    assert found["openapi"] == "3.1.0"
    validate(found)
    shown = {
        one["operationId"]: one["security"][0]["Bearer"]
        for path in found["paths"].values()
        for one in path.values()
    }
    expected = {one.view_func.__name__: [app.scope_of(one)] for _path, one in app.operations()}
    assert shown == expected


def test_it_is_not_sent_again_to_whoever_has_it() -> None:
    first = Client().get("/api/v1/openapi.json")
    again = Client().get("/api/v1/openapi.json", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The test's transaction outlives a request, as it does under Django's own client."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.long
@pytest.mark.usefixtures("one_connection")
def test_no_request_made_from_it_ends_in_an_error_of_ours(scene: Scene, settings: Any) -> None:
    """Schemathesis makes requests that fit the document and some that do not; every answer is of
    a status and a shape that the document names, and none is a 500. (A request that fits may be
    refused for what it asks: of a row that is not there, say.)"""
    import schemathesis

    settings.API_CALLS_PER_MINUTE = 1_000_000
    for role in ("lead", "rater"):
        MembershipFactory(user=scene.cast.researcher, project=scene.cast.project, role=role)
    open_comparisons(scene.cast.campaign, 50)
    person = program(scene.cast.researcher, scene.cast.project, EVERYTHING).secret
    _judge, judge = programs.add(project=scene.cast.project, name="judge")
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    scopes = {one.view_func.__name__: app.scope_of(one) for _path, one in app.operations()}
    for found in schema.get_all_operations():
        operation = found.ok()
        rates = scopes.pop(operation.definition.raw["operationId"]) in tokens.OF_PROGRAMS
        try_out(operation, judge if rates else person)
    assert scopes == {}


def try_out(operation: Any, secret: str) -> None:
    from hypothesis import HealthCheck, Phase, given
    from hypothesis import settings as rules
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    headers = {"Authorization": f"Bearer {secret}", "Accept-Encoding": "identity"}

    @rules(
        max_examples=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    holds()
