"""A rater is erased: no word of theirs, nothing of who they were is left; every label is."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db.models import Model
from django.test import Client

from labeling import conversations, erasure, exports, labels, leases, snapshots
from labeling.models import (
    Boundary,
    Comparison,
    Completion,
    Conversation,
    Label,
    Membership,
    Prompt,
    RaterText,
    User,
)
from labeling.people import NotPossible
from models_runtime.models import AuditEvent
from tests.factories import Cast, ComparisonFactory, IterationFactory, make_cast
from tests.rating import answer as answer_card
from tests.talks import ARENA, CONVERSATION, HARMFUL, answer, begun, cast_of, judge, say, stage

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
SECRET = "I live at 3 Elm Street."


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


def test_nothing_of_who_they_were_is_left(cast: Cast) -> None:
    rater = cast.rater
    User.objects.filter(pk=rater.pk).update(
        first_name="Ada", email="ada@example.org", locale="de", preferences={"theme": "dark"}
    )
    Boundary.objects.create(rater=rater, campaign=cast.campaign, left=["violence"])
    erasure.erase(rater=rater, actor=cast.lead)
    left = User.objects.get(pk=rater.pk)
    assert left.username == f"erased-{rater.public_id.hex[:12]}"
    assert (left.first_name, left.email, left.locale, left.preferences) == ("", "", "", {})
    assert (left.is_active, left.has_usable_password()) == (False, False)
    assert left.erased_at is not None
    assert Boundary.objects.get().left == []
    assert not Membership.objects.filter(user=rater).exists()
    [event] = AuditEvent.objects.filter(verb="rater erased")
    assert (event.actor_id, event.object_id, event.data) == (
        cast.lead.pk, str(rater.pk), {"texts": 0},
    )  # fmt: skip


def test_their_session_ends_at_once(client: Client, cast: Cast) -> None:
    client.force_login(cast.rater)
    erasure.erase(rater=cast.rater)
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize("form", [CONVERSATION, ARENA, HARMFUL])
def test_what_they_said_in_talks_is_emptied_and_trains_nothing(form: dict[str, Any]) -> None:
    cast = cast_of(form)
    talk = _talked(cast)
    assert SECRET in _everything()
    before = list(Label.objects.order_by("pk").values())
    assert erasure.erase(rater=cast.rater) == 2
    assert SECRET not in _everything()
    assert [p.messages[-1] for p in Prompt.objects.all()] == [
        {"role": "user", "content": ""} for _ in Prompt.objects.all()
    ]
    assert Completion.objects.filter(text="One.").exists()  # the model's words stay
    assert list(Label.objects.order_by("pk").values()) == before
    assert stage(talk) == "over"
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert snapshot.counts["preferences"] == {}
    assert snapshot.counts["erased pairs"] == len(before)
    for name in exports.EXPORTS:
        module, counts = exports.load(name), Counter[str]()
        assert list(module.rows(snapshots.judged(cast.campaign), module.Options(), counts)) == []


def test_an_open_talk_ends(db: None) -> None:
    cast = cast_of(CONVERSATION)
    talk = begun(cast)
    say(talk, SECRET)
    erasure.erase(rater=cast.rater)
    assert Conversation.objects.get().ended_at is not None
    assert set(Completion.objects.values_list("state", flat=True)) == {"failed"}


def test_a_written_prompt_is_emptied_and_what_was_answered_to_it_trains_nothing(
    db: None,
) -> None:
    cast = make_cast(parts={"prompt": {"type": "prompt_writing"}})
    iteration = IterationFactory(campaign=cast.campaign)
    ComparisonFactory(campaign=cast.campaign, iteration=iteration, texts=())
    _answer(cast, {"prompt": {"category": "open_qa", "text": SECRET}})
    cast.campaign.question.parts = {"preference": {"type": "pairwise", "scale": "llama2"}}
    cast.campaign.question.save()
    ComparisonFactory(
        campaign=cast.campaign,
        iteration=iteration,
        prompt=Prompt.objects.get(source="written"),
    )
    answer_card(cast.other_rater, cast.campaign, "0:better")
    unseen = ComparisonFactory(
        campaign=cast.campaign, iteration=iteration, prompt=Prompt.objects.get(source="written")
    )
    erasure.erase(rater=cast.rater)
    assert SECRET not in _everything()
    unseen.refresh_from_db()
    assert unseen.state == "discarded"
    judged = Comparison.objects.get(prompt__source="written", state="complete")
    snapshot = snapshots.freeze(campaign=cast.campaign)
    assert snapshot.counts["comparisons"]["erased"] == 1
    assert judged.labels.count() == 1


def test_repeating_it_empties_only_what_is_new(cast: Cast) -> None:
    for _ in range(2):
        erasure.erase(rater=cast.rater)
    assert AuditEvent.objects.filter(verb="rater erased").count() == 1


@pytest.mark.parametrize("name", ["lead", "researcher"])
def test_somebody_with_another_role_is_not_erased(cast: Cast, name: str) -> None:
    user = getattr(cast, name)
    with pytest.raises(NotPossible, match="more than a rater"):
        erasure.erase(rater=user)
    user.refresh_from_db()
    assert (user.username, user.erased_at) == (name, None)


def test_the_command_asks_for_the_name_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("someone", ""):
        monkeypatch.setattr("builtins.input", _says(said))
        with pytest.raises(CommandError, match="nothing was erased"):
            call_command("erase_rater", "rater")
    assert User.objects.filter(username="rater").exists()
    monkeypatch.setattr("builtins.input", _says("rater"))
    told = StringIO()
    call_command("erase_rater", "rater", stdout=told)
    assert told.getvalue().startswith("Erased 0 texts and the account, which is erased-")


def test_the_command_takes_yes_and_refuses_in_a_sentence(cast: Cast) -> None:
    call_command("erase_rater", "rater", yes=True, stdout=StringIO())
    for name, sentence in (("rater", "nobody named rater"), ("lead", "more than a rater")):
        with pytest.raises(CommandError, match=sentence):
            call_command("erase_rater", name, yes=True)


def _says(text: str) -> Callable[[str], str]:
    return lambda _question: text


def _talked(cast: Cast) -> Conversation:
    """Two messages with the secret in the first, both answered, and what is judged judged."""
    talk = begun(cast)
    each = conversations.form_of(talk).each
    say(talk, SECRET)
    answer(talk, "One.", "Two.")
    if each:
        judge(talk, "0:better")
        talk.refresh_from_db()
    say(talk, "Go on.")
    answer(talk, "Three.", "Four.")
    judge(talk, "0:better" if each else "0")
    return talk


def _answer(cast: Cast, parts: dict[str, Any]) -> Label:
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    return labels.record_label(assignment=card, parts=parts, idempotency_key=uuid.uuid4())


def _everything() -> str:
    """All that is stored of prompts, completions, texts, labels, people and events."""
    kinds: list[type[Model]] = [Prompt, Completion, RaterText, Label, User, AuditEvent]
    return "".join(serializers.serialize("json", kind.objects.all()) for kind in kinds)
