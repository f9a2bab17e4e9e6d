"""A program takes cards, answers them and puts them away; its labels are a program's."""

from __future__ import annotations

import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import programs, redactions, tokens
from labeling.models import Assignment, Comparison, Label, TokenAnswer, User
from tests.annotate.api.programs import Program, Scene
from tests.factories import open_comparisons


@pytest.fixture
def judge(scene: Scene) -> Program:
    open_comparisons(scene.cast.campaign, 2, texts=("Grass is green.", "Grass is blue."))
    return Program(programs.add(project=scene.cast.project, name="judge")[1])


def said(choice: str = "0:better") -> dict[str, Any]:
    return {"key": str(uuid.uuid4()), "parts": {"preference": {"choice": choice}}}


def test_it_takes_a_card_and_answers_it(judge: Program, scene: Scene) -> None:
    card = judge.post("/campaigns/helpful/next").json()
    assert sorted(card["answers"]) == ["Grass is blue.", "Grass is green."]
    assert card["prompt"][0]["role"] == "user"
    assert judge.post("/campaigns/helpful/next").json()["id"] == card["id"]
    body = said()
    answered = judge.post(f"/cards/{card['id']}/label", body)
    assert answered.status_code == 201
    label = Label.objects.get()
    assert (label.source, label.rater.username) == ("program", "judge")
    chosen = label.answer["parts"]["preference"]["chosen"]
    assert label.assignment.completions[chosen].text == card["answers"][0]
    assert judge.post(f"/cards/{card['id']}/label", body).json() == answered.json()
    assert Label.objects.count() == 1
    twice = judge.post(f"/cards/{card['id']}/label", said("1:better"))
    assert (twice.status_code, twice.json()["code"]) == (409, "state")


def test_a_redacted_text_is_not_said_again_under_a_key(judge: Program, scene: Scene) -> None:
    key = {"idempotency_key": "the first card"}
    card = judge.post("/campaigns/helpful/next", **key).json()
    assert judge.post("/campaigns/helpful/next", **key).json() == card
    row = Comparison.objects.get(assignments__public_id=card["id"])
    passages = [one for one in redactions.passages(row) if one.text == "Grass is blue."]
    redactions.redact(
        comparison=row, texts={passages[0].name: "Grass is […]."}, actor=scene.cast.lead
    )
    assert not TokenAnswer.objects.exists()
    again = judge.post("/campaigns/helpful/next", **key).json()
    assert set(again["answers"]) == {"Grass is green.", "Grass is […]."}


def test_people_s_figures_hold_none_of_its_labels(judge: Program, lead: Program) -> None:
    card = judge.post("/campaigns/helpful/next").json()
    judge.post(f"/cards/{card['id']}/label", said())
    progress = lead.get("/campaigns/helpful/progress").json()
    assert (progress["labels_by_people"], progress["labels_by_others"]) == (0, 1)


def test_it_answers_no_more_than_a_rater_may(judge: Program, scene: Scene) -> None:
    scene.cast.campaign.most_answers = 1
    scene.cast.campaign.save(update_fields=["most_answers"])
    card = judge.post("/campaigns/helpful/next").json()["id"]
    assert judge.post(f"/cards/{card}/label", said()).status_code == 201
    assert judge.post("/campaigns/helpful/next").status_code == 204


def test_it_puts_a_card_away_and_runs_out_of_them(judge: Program) -> None:
    for _ in range(2):
        card = judge.post("/campaigns/helpful/next").json()["id"]
        assert judge.post(f"/cards/{card}/skip", {"reason": "mood"}).status_code == 422
        assert judge.post(f"/cards/{card}/skip", {"reason": "broken"}).status_code == 204
    assert judge.post("/campaigns/helpful/next").status_code == 204


def test_an_answer_that_fits_no_question_is_refused(judge: Program) -> None:
    card = judge.post("/campaigns/helpful/next").json()["id"]
    for parts in (
        {},
        {"preference": {}},
        {"preference": {"choice": "9:better"}},
        {"preference": {"choice": "0:better", "and": "more"}},
        {"preference": "0:better"},
        {"preference": {"choice": 0}},
        {"another": {"choice": "0:better"}},
    ):
        response = judge.post(f"/cards/{card}/label", {**said(), "parts": parts})
        assert response.status_code == 422, parts
    assert Assignment.objects.get().state == "leased"
    assert not Label.objects.exists()


def test_another_s_card_is_not_there(judge: Program, scene: Scene) -> None:
    card = judge.post("/campaigns/helpful/next").json()["id"]
    other = Program(programs.add(project=scene.cast.project, name="other")[1])
    assert other.post(f"/cards/{card}/label", said()).status_code == 404
    assert not Label.objects.exists()


def test_the_command_adds_it_and_prints_a_token_that_works(scene: Scene) -> None:
    out = StringIO()
    call_command("add_program", "judge", "--project", scene.cast.project.slug, stdout=out)
    secret = out.getvalue().split()[-1]
    assert Program(secret).post("/campaigns/helpful/next").status_code == 204
    assert not User.objects.get(username="judge").has_usable_password()
    found = tokens.find(secret)
    assert found is not None
    assert found.scopes == ["labels:write"]
    call_command("add_program", "judge", "--project", scene.cast.project.slug, "--end", stdout=out)
    assert "judge rates no more: tokens revoked: 1." in out.getvalue()
    assert Program(secret).post("/campaigns/helpful/next").status_code == 401
    with pytest.raises(CommandError, match="Somebody is named lead already"):
        call_command("add_program", "lead", "--project", scene.cast.project.slug)
