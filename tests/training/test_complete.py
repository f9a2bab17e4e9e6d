"""Completions of prompts given as token ids: what a run samples for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from models_runtime.backends import LocalBackend
from models_runtime.chat import encode_prompt
from models_runtime.loading import load_policy, load_tokenizer
from models_runtime.records import Sampler
from tests.training import tiny

pytestmark = pytest.mark.training


def test_a_completion_depends_on_its_place_and_stream_and_not_on_the_batch(
    tmp_path: Path,
) -> None:
    folder = tiny.make_policy(tmp_path / "policy")
    model, tokenizer = load_policy(folder), load_tokenizer(folder)
    texts = ["say me", "tell me who is so good", "say me"]
    prompts = [encode_prompt(tokenizer, tiny.asked(text)) for text in texts]
    sampler = Sampler("policy", 1, 1.0, 1.0, 8, seed=3)

    def drawn(size: int, stream: int) -> list[list[int]]:
        batches = LocalBackend(model, tokenizer, size).complete(prompts, sampler, stream)
        found = sorted((one for batch in batches for one in batch), key=lambda one: one.prompt_id)
        return [one.ids for one in found]

    assert drawn(1, 5) == drawn(3, 5)
    assert drawn(3, 5) != drawn(3, 6)
    assert drawn(3, 5)[0] != drawn(3, 5)[2]  # the same prompt at another place
