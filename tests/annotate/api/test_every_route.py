"""Every route against every token that is not good for it, from a declared table: a route that is
not declared fails, so nothing is published without a scope, a role and an address to try."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from annotate.api import app
from labeling import leases, programs, tokens
from labeling.models import Assignment, Membership, Token, User
from models_runtime.models import Job, Project
from tests.annotate import acts
from tests.annotate.api.programs import EVERYTHING, Program, Scene, program
from tests.factories import ProjectFactory, open_comparisons
from tests.rating import answer

STAFF, LEAD, RESEARCHER = ("lead", "researcher"), ("lead",), ("researcher",)
PROGRAM = ("program",)
# Route -> its method and scope, who may call it, and the status when they do.
ROUTES: dict[str, tuple[str, str, tuple[str, ...], int]] = {
    "list_projects": ("GET", "campaigns:read", (*STAFF, "rater"), 200),
    "list_campaigns": ("GET", "campaigns:read", STAFF, 200),
    "get_campaign": ("GET", "campaigns:read", STAFF, 200),
    "get_progress": ("GET", "campaigns:read", STAFF, 200),
    "get_agreement": ("GET", "campaigns:read", STAFF, 200),
    "freeze_labels": ("POST", "snapshots:write", LEAD, 202),
    "list_snapshots": ("GET", "snapshots:read", STAFF, 200),
    "get_snapshot": ("GET", "snapshots:read", STAFF, 200),
    "download_snapshot_file": ("GET", "snapshots:read", STAFF, 200),
    "list_methods": ("GET", "runs:read", (*STAFF, "rater"), 200),
    "get_method": ("GET", "runs:read", (*STAFF, "rater"), 200),
    "start_run": ("POST", "runs:write", RESEARCHER, 201),
    "list_runs": ("GET", "runs:read", STAFF, 200),
    "get_run": ("GET", "runs:read", STAFF, 200),
    "stream_metrics": ("GET", "runs:read", STAFF, 200),
    "stop_run": ("POST", "runs:write", RESEARCHER, 202),
    "continue_run": ("POST", "runs:write", RESEARCHER, 202),
    "get_job": ("GET", "runs:read", STAFF, 200),
    "list_checkpoints": ("GET", "checkpoints:read", STAFF, 200),
    "get_checkpoint": ("GET", "checkpoints:read", STAFF, 200),
    "get_model_card": ("GET", "checkpoints:read", STAFF, 200),
    "list_evaluations": ("GET", "runs:read", STAFF, 200),
    "get_evaluation": ("GET", "runs:read", STAFF, 200),
    "next_card": ("POST", "labels:write", PROGRAM, 200),
    "answer_card": ("POST", "labels:write", PROGRAM, 201),
    "skip_card": ("POST", "labels:write", PROGRAM, 204),
}
OF_NO_PROJECT = ("list_methods", "get_method")  # the same for everybody
LISTS = [name for name in ROUTES if name.startswith("list_") and name not in OF_NO_PROJECT]


def test_every_route_is_declared_with_its_scope() -> None:
    found = {
        one.view_func.__name__: (*one.methods, app.scope_of(one))
        for _address, one in app.operations()
    }
    assert found == {name: rule[:2] for name, rule in ROUTES.items()}
    assert {rule[1] for rule in ROUTES.values()} == {*tokens.SCOPES, *tokens.OF_PROGRAMS}


def address(name: str, scene: Scene) -> str:
    found = {one.view_func.__name__: path for path, one in app.operations()}[name]
    ids = {
        "/snapshots": scene.snapshot.pk, "/runs": scene.run.pk, "/jobs": scene.run.job_id,
        "/checkpoints": scene.iteration.policy_id, "/evaluations": scene.evaluation.pk,
        "/runs/{id}/continue": scene.stopped.pk,
    }  # fmt: skip
    number = next((n for start, n in reversed(ids.items()) if found.startswith(start)), 0)
    name = "dpo" if found.startswith("/methods") else "labels.jsonl"
    held = Assignment.objects.filter(rater__kind="program", state="leased").first()
    card = held.public_id if held else uuid.uuid4()
    return found.format(slug=scene.cast.campaign.slug, id=number, name=name, card=card)


def call(name: str, who: Program, scene: Scene) -> Any:
    bodies = {
        "start_run": {"method": "dpo", "snapshots": [{"id": scene.snapshot.pk}]},
        "answer_card": {
            "key": str(uuid.uuid4()),
            "parts": {"preference": {"choice": "0:better"}},
        },
        "skip_card": {"reason": "broken"},
    }
    method = ROUTES[name][0]
    sent = bodies.get(name, {}) if method == "POST" else None
    return who.send(method, address(name, scene), sent)


def somebody(role: str, scene: Scene, scopes: tuple[str, ...] = EVERYTHING) -> Program:
    """With a token of the project."""
    if role == "program":
        return judge(scene.cast.project)
    return program(getattr(scene.cast, role), scene.cast.project, scopes)


def judge(project: Project) -> Program:
    """A program that rates."""
    return Program(programs.add(project=project, name=f"judge-{project.pk}")[1])


@contextmanager
def nothing_changes() -> Iterator[None]:
    """But that a token was used."""
    written: set[str] = set()

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if found := acts.WRITES.match(sql):
            written.add(found[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield
    assert written <= {"labeling_tokenuse"}


@pytest.fixture
def collecting(scene: Scene) -> None:
    """A newer iteration with a label, so that freezing would do something, and a card that a
    program holds."""
    open_comparisons(scene.cast.campaign, 2)
    answer(scene.cast.rater, scene.cast.campaign, "0:better")
    rater, _secret = programs.add(
        project=scene.cast.project, name=f"judge-{scene.cast.project.pk}"
    )
    assert leases.claim_next(rater=rater, campaign=scene.cast.campaign)


@pytest.mark.long
@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.usefixtures("collecting")
def test_whoever_may_is_answered(name: str, scene: Scene) -> None:
    _method, scope, roles, status = ROUTES[name]
    for role in roles:
        who = somebody(role, scene, (scope,))
        response = call(name, who, scene)
        assert response.status_code == status, response.content
        Job.objects.filter(pk=scene.stopped.job_id).update(state="stopped")


def of_no_token(scene: Scene, scope: str) -> Program:
    return Program()


def of_an_unknown_token(scene: Scene, scope: str) -> Program:
    return Program("ccd_nothing")


def of_an_expired_token(scene: Scene, scope: str) -> Program:
    return _changed(scene, expires_at=timezone.now() - timedelta(seconds=1))


def of_a_revoked_token(scene: Scene, scope: str) -> Program:
    return _changed(scene, revoked_at=timezone.now())


def of_somebody_deactivated(scene: Scene, scope: str) -> Program:
    User.objects.update(is_active=False)
    return program(scene.cast.lead, scene.cast.project)


def of_another_scope(scene: Scene, scope: str) -> Program:
    others = tuple(one for one in EVERYTHING if one != scope)
    return program(scene.cast.lead, scene.cast.project, others)


def of_another_project(scene: Scene, scope: str) -> Program:
    elsewhere = scene.cast.outsider
    if scope in tokens.OF_PROGRAMS:
        return judge(elsewhere.memberships.get().project)
    return program(elsewhere, elsewhere.memberships.get().project)


def of_another_project_of_theirs(scene: Scene, scope: str) -> Program:
    """Their roles in the scene's project do not come along."""
    other = ProjectFactory()
    if scope in tokens.OF_PROGRAMS:
        made = judge(other)
        here = {"project": scene.cast.project, "role": "rater"}
        Membership.objects.create(user=Token.objects.latest("pk").user, **here)
        return made
    for user in (scene.cast.lead, scene.cast.researcher):
        Membership.objects.create(user=user, project=other, role="lead")
        Membership.objects.create(user=user, project=other, role="researcher")
    return program(scene.cast.researcher, other)


def of_somebody_who_left(scene: Scene, scope: str) -> Program:
    is_judge = scope in tokens.OF_PROGRAMS
    user = User.objects.get(kind="program") if is_judge else scene.cast.researcher
    role = "rater" if is_judge else "researcher"
    held = {"user": user, "project": scene.cast.project, "role": role}
    Membership.objects.get_or_create(**held)
    made = somebody("program" if is_judge else "researcher", scene)
    Membership.objects.filter(**held).delete()
    return made


def _changed(scene: Scene, **columns: Any) -> Program:
    made = program(scene.cast.lead, scene.cast.project)
    Token.objects.update(**columns)
    return made


BAD_TOKENS = {
    of_no_token: 401,
    of_an_unknown_token: 401,
    of_an_expired_token: 401,
    of_a_revoked_token: 401,
    of_somebody_deactivated: 401,
    of_another_scope: 403,
    of_another_project: 404,
    of_another_project_of_theirs: 404,
    of_somebody_who_left: 404,
}


@pytest.mark.long
@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("kind", BAD_TOKENS, ids=lambda kind: kind.__name__)
def test_a_token_that_is_not_good_for_it_changes_nothing(kind: Any, scene: Scene) -> None:
    wrong = []
    for name, (_method, scope, _roles, _status) in ROUTES.items():
        who = kind(scene, scope)
        with nothing_changes():
            response = call(name, who, scene)
        expected = BAD_TOKENS[kind]
        if expected == 404 and name in OF_NO_PROJECT:
            continue
        if expected == 404 and name in LISTS and response.status_code == 200:
            expected = 200
            shown = [row.get("project") or row.get("slug") for row in response.json()["items"]]
            assert scene.cast.project.slug not in shown
            assert name == "list_projects" or not shown
        elif expected == 404 and name in LISTS:
            expected = 403  # no role at all any more
        if response.status_code != expected:
            wrong.append(f"{name}: {response.status_code}, not {expected}")
        if response.status_code >= 400:
            assert response["Content-Type"] == "application/problem+json"
            assert response.json()["status"] == response.status_code
    assert wrong == []


@pytest.mark.long
@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("role", ["rater", "lead", "researcher"])
def test_a_token_may_never_more_than_its_person(role: str, scene: Scene) -> None:
    wrong = []
    for name, (_method, _scope, roles, _status) in ROUTES.items():
        if role in roles or roles == PROGRAM:
            continue
        who = somebody(role, scene)
        with nothing_changes():
            response = call(name, who, scene)
        if response.status_code != 403 or response.json()["code"] != "role":
            wrong.append(f"{name}: {response.status_code}")
    assert wrong == []


def test_nobody_rates_by_a_script_under_their_own_name(scene: Scene) -> None:
    with pytest.raises(tokens.NotPossible):
        program(scene.cast.rater, scene.cast.project, ("labels:write",))
