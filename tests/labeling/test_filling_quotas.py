"""Prompts are drawn so that the quotas of a campaign fill together."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from labeling import quotas
from labeling.models import Prompt, Quota
from labeling.quotas import Asked, Wanted
from models_runtime import artifacts
from tests.factories import Cast, IterationFactory, PromptFactory, PromptSetFactory
from training import runs

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
MOSTLY_CHAT: list[Asked] = [
    (n, "chat" if n % 10 else "code", "de" if n % 3 else "en") for n in range(600)
]


def fill(cast: Cast, n: int, *wanted: Wanted, seed: int = 0) -> list[Asked]:
    quotas.settle(campaign=cast.campaign, wanted=wanted)
    taken = quotas.fill(cast.campaign, MOSTLY_CHAT, n, random.Random(seed))
    assert len(set(taken)) == len(taken)
    return [MOSTLY_CHAT[pk] for pk in taken]


def test_the_shares_that_are_wanted_are_drawn_and_not_those_that_there_are(cast: Cast) -> None:
    wanted = [Wanted("category", "code", 300), Wanted("category", "chat", 100)]
    for n in (40, 8):
        seen = Counter(category for _pk, category, _language in fill(cast, n, *wanted))
        assert seen == {"code": n * 3 // 4, "chat": n // 4}


def test_what_is_collected_already_is_not_drawn_again(cast: Cast) -> None:
    wanted = [Wanted("category", "code", 50), Wanted("category", "chat", 50)]
    quotas.settle(campaign=cast.campaign, wanted=wanted)
    Quota.objects.filter(name="chat").update(collected=40)
    taken = quotas.fill(cast.campaign, MOSTLY_CHAT, 30, random.Random(1))
    seen = Counter(MOSTLY_CHAT[pk][1] for pk in taken)
    assert seen == {"code": 25, "chat": 5}


def test_categories_and_languages_fill_at_once(cast: Cast) -> None:
    half = [Wanted("category", name, 50, "percent") for name in ("code", "chat")]
    halves = [*half, *(Wanted("language", name, 50, "percent") for name in ("de", "en"))]
    drawn = fill(cast, 80, *halves)
    assert 38 <= sum(category == "code" for _pk, category, _language in drawn) <= 42
    assert 38 <= sum(language == "en" for _pk, _category, language in drawn) <= 42


def test_without_a_quota_every_prompt_has_the_same_chance(cast: Cast) -> None:
    seen: Counter[str] = Counter()
    for seed in range(20):
        seen.update(category for _pk, category, _language in fill(cast, 60, seed=seed))
    assert 80 < seen["code"] < 160  # 120 expected


def test_a_round_s_sampling_heeds_them(cast: Cast) -> None:
    prompts = PromptSetFactory(campaign=cast.campaign)
    for n in range(12):
        PromptFactory(prompt_set=prompts, category="code" if n % 6 == 0 else "chat")
    quotas.settle(campaign=cast.campaign, wanted=[Wanted("category", "code", 10)])
    iteration = IterationFactory(campaign=cast.campaign)
    for fills, code in ((True, 2), (False, None)):
        given = runs.prompts_input(iteration, limit=3, fills=fills)
        with artifacts.open_file(given["uri"], given["file"]) as handle:
            drawn = [json.loads(line)["id"] for line in handle]
        assert len(drawn) == 3
        if code is not None:
            assert Prompt.objects.filter(pk__in=drawn, category="code").count() == code
