"""No page says a word that the catalogues do not hold: in a language whose sentences stand
between marks, nothing but names, figures and what people wrote stands outside of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from labeling import care, conversations, pay, presets
from labeling.care import Care
from labeling.models import Campaign, Conversation, PromptSet, QuestionVersion, User
from labeling.pay import Counters
from models_runtime.models import Checkpoint, Job, Project
from tests import pseudo_language, talks
from tests.browser import scenes
from tests.factories import Cast, CheckpointFactory, make_cast, open_comparisons
from training import pair_graphs
from training.configs.recipes import RECIPES

# Words of no language: what units, methods, files and hashes are called everywhere.
NAMES = [
    "Concord", "Con", "cord", "UTC", "min", "KL", "CPU", "RAFT", "DPO", "SFT", "REWARD", "sha256",
    "run-", "job-", "MB", "KB", "Del", "Parquet", "Alt", "adamw", "sgd",
    "lora", "adalora", "qlora", "prompt", "README.md",
    # The losses of DPO and of reward models.
    "best_of_n", "listwise",
    "sigmoid", "cdpo", "robust", "ipo", "hinge", "exo_pair", "nca_pair", "bco_pair", "sppo_hard",
    "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sigmoid_norm", "sft", "bleu",
    # What a training writes down, and files to take away.
    "loss", "kl", "rewards/margins", "rewards/accuracies", "learning_rate",
    "labels.jsonl", "preferences.jsonl", "manifest.json",
    # A lead's own words: the warning, the tags of a session; what raters are paid in.
    "Violence.", "role play", "flattery", "EUR",
]  # fmt: skip


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    pseudo_language.speak(monkeypatch)


def known() -> list[str]:
    """What people named."""
    rows: list[Any] = [*Campaign.objects.values_list("name", "slug", "question__text")]
    rows += [*User.objects.values_list("username"), *Project.objects.values_list("name", "slug")]
    rows += [*Checkpoint.objects.values_list("name")]
    rows += [*PromptSet.objects.values_list("name"), *Conversation.objects.values_list("goal")]
    rows += [tuple(parts) for (parts,) in QuestionVersion.objects.values_list("parts")]
    return [*NAMES, *(text for row in rows for text in row if text)]


def said_by(user: User | None, *addresses: str) -> list[str]:
    client = Client(headers={"Accept-Language": "de"})
    if user is not None:
        client.force_login(user)
    found = []
    for address in addresses:
        response = client.get(address)
        assert response.status_code < 500, address
        words = pseudo_language.unmarked(response.content.decode(), known())
        found += [f"{address} says {word}" for word in dict.fromkeys(words)]
    return found


def test_the_door_and_the_errors(db: Any) -> None:
    assert said_by(None, "/sign-in/", "/nothing/") == []


def test_the_rater(db: Any) -> None:
    cast = scenes.rating_scene(8)
    pages = ("/rate/", "/rate/helpful/", "/rate/helpful/guidelines/", "/rate/helpful/recent/")
    assert said_by(cast.rater, *pages, "/account/", "/campaigns/") == []


def test_a_rater_who_is_warned(db: Any) -> None:
    cast = scenes.rating_scene(2)
    warning = Care("Violence.", needs_consent=True, veiled=True, daily_cards=1)
    care.settle(campaign=cast.campaign, care=warning, actor=cast.lead)
    assert said_by(cast.rater, "/rate/helpful/", "/rate/helpful/care/") == []
    care.consent(rater=cast.rater, campaign=cast.campaign)
    assert said_by(cast.rater, "/rate/helpful/", "/rate/helpful/care/") == []


def test_a_rater_who_sees_their_time_and_pay(db: Any) -> None:
    cast = scenes.rating_scene(2)
    for per in ("label", "hour"):
        pay.settle(campaign=cast.campaign, counters=Counters(True, per, Decimal(18), "EUR"))
        assert said_by(cast.rater, "/rate/", "/rate/helpful/") == []
        assert said_by(cast.lead, "/campaigns/helpful/", "/campaigns/helpful/pay/") == []


TALKS = {"hh": talks.CONVERSATION, "arena": talks.ARENA, "red_team": talks.RED_TEAM}


@pytest.mark.parametrize("kind", TALKS)
def test_a_talk(db: Any, kind: str) -> None:
    cast = talks.cast_of(TALKS[kind])
    talk = talks.begun(cast)
    address = f"/talks/{talk.public_id}/"
    assert said_by(cast.rater, address) == []
    turn = talks.say(talk)
    assert said_by(cast.rater, address) == []
    talks.answer(talk, *(f"Reply {n}." for n in range(turn.replies.count())))
    assert said_by(cast.rater, address) == []
    conversations.finish(talk=talk)
    assert said_by(cast.rater, address) == []


def test_the_lead(db: Any) -> None:
    cast = scenes.labelled_scene(12)
    own = (
        f"/campaigns/helpful/{page}" for page in ("", "wording/", "care/", "preview/", "texts/")
    )
    groups = ("/campaigns/", "/campaigns/new/", "/people/", "/jobs/", "/checkpoints/")
    assert said_by(cast.lead, *own, *groups) == []


def test_the_researcher(db: Any) -> None:
    cast = scenes.review_scene(12)
    iteration = cast.campaign.iterations.get(number=3)
    own = [f"/campaigns/helpful/3/{page}/" for page in ("rows/prompts", "rows/samples")]
    own += [f"/campaigns/helpful/3/{page}/" for page in ("rows/labels", "runs/dpo", "runs/raft")]
    own += [f"/campaigns/helpful/3/runs/{method}/" for method in ("sft", "reward")]
    own += [f"/jobs/{pk}/" for pk in Job.objects.values_list("pk", flat=True)]
    own += [f"/checkpoints/{pk}/" for pk in Checkpoint.objects.values_list("pk", flat=True)]
    own += [f"/snapshots/{iteration.snapshot_id}/"]
    own += ["/campaigns/helpful/3/", "/campaigns/helpful/1/"]
    own += [f"/campaigns/helpful/3/recipes/{recipe}/" for recipe in RECIPES]
    told = {"weak_prompt": "Violence."}
    graph = pair_graphs.start(iteration=iteration, recipe="contrast", options=told)
    run = iteration.runs.filter(role="policy").first()
    assert run
    own += [f"/graphs/{graph.pk}/", f"/jobs/{run.job_id}/rate/"]
    assert said_by(cast.researcher, *own) == []


def instrument(name: str) -> Cast:
    preset = presets.PRESETS[name]
    cast = make_cast(parts=preset.parts, trains_on=preset.trains_on)
    CheckpointFactory(project=cast.project, parent=cast.campaign.first_policy)  # for an arena
    texts = tuple(f"Text {number}" for number in range(preset.completions))
    open_comparisons(cast.campaign, 2, texts=texts)
    return cast


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_instrument(db: Any, name: str) -> None:
    cast = instrument(name)
    assert said_by(cast.rater, "/rate/helpful/", "/talk/helpful/") == []
