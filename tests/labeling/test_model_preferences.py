"""Pairs that models made are frozen with their prompts, and no other prompt is read for it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db.models.signals import post_init
from django.utils import timezone

from labeling import model_preferences
from labeling.model_preferences import Chosen
from labeling.models import Prompt
from models_runtime import artifacts
from models_runtime.records import CompletionRecord
from tests.factories import Cast, PromptFactory, PromptSetFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def pair(prompt: Prompt) -> Chosen:
    said = [CompletionRecord(prompt.pk, 0, n, f"{prompt.pk}.{n}", "eos", 3, 0) for n in (0, 1)]
    return Chosen(said[0], said[1], ("tiny", "tiny"))


@pytest.fixture
def prompts(cast: Cast, settings: Any, tmp_path: Path) -> list[Prompt]:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    asked = PromptSetFactory(campaign=cast.campaign)
    return [PromptFactory(prompt_set=asked, category=f"kind {n}") for n in range(5)]


def test_only_prompts_of_pairs_are_read_a_chunk_at_a_time(
    cast: Cast, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_preferences, "CHUNK", 2)
    prompts[1].withdrawn_at = timezone.now()
    prompts[1].save()
    read: list[tuple[int, frozenset[str]]] = []

    def note(instance: Prompt, **_: Any) -> None:
        read.append((instance.pk, frozenset(instance.get_deferred_fields())))

    post_init.connect(note, sender=Prompt)
    try:
        dropped: Counter[str] = Counter()
        frozen = model_preferences.freeze(
            campaign=cast.campaign, pairs=map(pair, prompts[:4]), system_prompt="",
            made={"recipe": "contrast"}, dropped=dropped,
        )  # fmt: skip
    finally:
        post_init.disconnect(note, sender=Prompt)

    with artifacts.open_file(frozen.uri, "preferences.jsonl") as handle:
        rows = [json.loads(line) for line in handle]
    assert [row["prompt_id"] for row in rows] == [prompts[n].pk for n in (0, 2, 3)]
    assert [row["category"] for row in rows] == ["kind 0", "kind 2", "kind 3"]
    assert dropped == {"erased": 1}
    assert [pk for pk, _ in read] == [prompts[n].pk for n in (0, 2, 3)]
    assert all("follow_ups" in left for _, left in read)
