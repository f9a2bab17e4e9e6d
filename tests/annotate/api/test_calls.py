"""What is the same for every call: problems, cursors, idempotency keys, ETags, turns, bodies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from labeling import tokens
from labeling.models import TokenAnswer, TokenUse
from models_runtime.models import AuditEvent, Job
from tests.annotate.api.programs import Program, Scene
from training.models import TrainingRun


def run_of(scene: Scene, **more: Any) -> dict[str, Any]:
    return {"method": "dpo", "snapshots": [{"id": scene.snapshot.pk}], **more}


def test_what_fails_is_a_problem_with_a_code(researcher: Program, lead: Program) -> None:
    said = researcher.get("/runs/999999")
    assert said["Content-Type"] == "application/problem+json"
    assert said.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here that this token may see.",
        "code": "not-found",
    }
    assert researcher.get("/nowhere").json()["code"] == "not-found"
    wrong = researcher.send("PUT", "/runs", {})
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method")
    assert set(wrong["Allow"].split(", ")) == {"GET", "POST"}
    assert lead.post("/runs/1/stop").json()["code"] == "role"
    nobody = Program().get("/runs")
    assert nobody.status_code == 401
    assert nobody["WWW-Authenticate"].startswith("Bearer")


def test_a_cookie_is_no_token(scene: Scene) -> None:
    browser = Program()
    browser.client.force_login(scene.cast.researcher)
    assert browser.get("/runs").status_code == 401
    assert browser.post(f"/runs/{scene.run.pk}/stop").status_code == 401


def test_an_expired_token_says_so(researcher: Program, scene: Scene) -> None:
    later = datetime.now(UTC) + timedelta(days=31)
    found = tokens.find(researcher.secret)
    assert found is not None
    assert tokens.refusal(found, later) == "The token has expired."


def test_a_list_goes_on_where_its_cursor_says(researcher: Program, scene: Scene) -> None:
    first = researcher.get("/runs?limit=1").json()
    assert [row["id"] for row in first["items"]] == [scene.stopped.pk]
    second = researcher.get(f"/runs?limit=1&cursor={first['next']}").json()
    assert [row["id"] for row in second["items"]] == [scene.run.pk]
    assert second["next"] is None
    assert researcher.get("/runs?cursor=cGFnZQ").json()["code"] == "cursor"
    assert researcher.get("/runs?limit=0").status_code == 422


def test_a_repeated_post_acts_once_and_is_answered_the_same(
    researcher: Program, scene: Scene
) -> None:
    before = TrainingRun.objects.count()
    first = researcher.post("/runs", run_of(scene), idempotency_key="one")
    again = researcher.post("/runs", run_of(scene), idempotency_key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert TrainingRun.objects.count() == before + 1
    other = researcher.post("/runs", run_of(scene, options={"beta": 0.2}), idempotency_key="one")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key")
    assert TrainingRun.objects.count() == before + 1


def test_what_was_refused_does_not_use_its_key_up(researcher: Program, scene: Scene) -> None:
    wrong = run_of(scene, options={"betta": 1})
    refused = researcher.post("/runs", wrong, idempotency_key="two")
    assert refused.status_code == 422
    assert "betta" in refused.json()["detail"]
    assert researcher.post("/runs", run_of(scene), idempotency_key="two").status_code == 201


def test_a_key_is_forgotten_after_a_day(researcher: Program, scene: Scene) -> None:
    researcher.post("/runs", run_of(scene), idempotency_key="three")
    tokens.forget_answers(datetime.now(UTC) + timedelta(days=1, seconds=1))
    assert not TokenAnswer.objects.exists()


def test_what_one_has_is_not_sent_again(researcher: Program, scene: Scene) -> None:
    first = researcher.get(f"/runs/{scene.run.pk}")
    same = researcher.get(f"/runs/{scene.run.pk}", if_none_match=first["ETag"])
    assert (same.status_code, same.content) == (304, b"")
    Job.objects.filter(pk=scene.run.job_id).update(state="succeeded")
    changed = researcher.get(f"/runs/{scene.run.pk}", if_none_match=first["ETag"])
    assert changed.json()["state"] == "succeeded"
    assert changed["ETag"] != first["ETag"]


def test_a_token_has_so_many_calls_a_minute(
    researcher: Program, lead: Program, settings: Any
) -> None:
    settings.API_CALLS_PER_MINUTE = 2
    found = tokens.find(researcher.secret)
    assert found is not None
    now = datetime(2026, 1, 1, 12, 0, 20, tzinfo=UTC)
    assert [tokens.count_call(found, now) for _ in range(3)] == [0, 0, 40]
    assert tokens.count_call(found, now + timedelta(seconds=40)) == 0
    settings.API_CALLS_PER_MINUTE = 0
    TokenUse.objects.filter(token=found).update(minute=int(datetime.now(UTC).timestamp()) // 60)
    refused = researcher.get("/runs")
    assert (refused.status_code, refused.json()["code"]) in [(429, "rate"), (200, None)]
    assert 0 < int(refused["Retry-After"]) <= 60
    assert lead.get("/runs").status_code == 200  # each token has its own


# What cannot be read, cannot be kept, or fits no route: its status.
BODIES = [
    (b"", 422),
    (b"[]", 400),
    (b"{", 400),
    (b"\xff\xfe{}", 400),
    (b'{"method": NaN}', 400),
    (b'{"method": "\\ud800"}', 400),
    (b'{"method": "a\\u0000"}', 400),
    (b'{"a": ' * 200 + b"1" + b"}" * 200, 400),
    (b"[" * 100_000, 400),
    (b'{"method": ' + b"9" * 5000 + b"}", 400),
    (b'{"method": "dpo", "snapshots": [{"id": 1, "weight": 1e999}]}', 400),
    (b'{"method": "dpo", "snapshots": [{"id": 9007199254740993}]}', 400),
    (b'{"method": "dpo", "snapshots": []}', 422),
    (b'{"method": "dpo", "snapshots": [{"id": 1}], "snapshot": 1}', 422),
    (b'"' + b"x" * (1 << 20) + b'"', 413),
]


def test_a_body_that_cannot_be_kept_is_refused(researcher: Program) -> None:
    before = TrainingRun.objects.count()
    for body, status in BODIES:
        response = researcher.post("/runs", body)
        assert response.status_code == status, (body[:40], response.content)
        assert response.json()["detail"]
    assert TrainingRun.objects.count() == before


def test_what_a_program_did_is_told_as_done_through_the_api(
    researcher: Program, scene: Scene
) -> None:
    researcher.post(f"/runs/{scene.run.pk}/stop")
    event = AuditEvent.objects.select_related("place").latest("pk")
    assert event.verb == "job stop requested"
    assert event.actor_id == scene.cast.researcher.pk
    assert event.place.channel == "API"


def test_problems_are_told_in_the_language_that_is_asked_for(researcher: Program) -> None:
    said = researcher.get("/runs/999999", accept_language="de").json()
    assert (said["code"], said["title"]) == ("not-found", "Not Found")
    assert json.dumps(said)
