"""A prompt beyond the context is trained on and scored by the very tokens it was sampled on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from models_runtime.backends import LocalBackend
from models_runtime.chat import encode_prompt
from models_runtime.decoding import Asked, Decoder, Rows
from models_runtime.loading import context_length_in, load_policy, load_tokenizer
from models_runtime.records import PromptRecord, Sampler
from tests.training import tiny
from training import evaluation
from training.configs import parse
from training.data import Encoder
from training.sampling import Sample, encoded

CONTEXT, LONGEST = 128, 16  # of the tiny policy; of an answer
SAMPLER = Sampler("policy", k=2, temperature=1.0, max_new_tokens=LONGEST, seed=1)


def long_prompt(number: int = 0) -> PromptRecord:
    """150 words that differ, so that it can be told which of them are there."""
    words = tiny.WORDS.split()
    said = " ".join(words[(number + n * n) % len(words)] for n in range(150))
    return PromptRecord(number, tiny.asked(said), f"item {number}")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The prompts that the model is given."""
    prompts: list[list[int]] = []
    begin = Decoder.begin

    def watched(self: Decoder, asked: Sequence[Asked]) -> Rows:
        prompts.extend(row.prompt for row in asked)
        return begin(self, asked)

    monkeypatch.setattr(Decoder, "begin", watched)
    return prompts


def test_training_and_scoring_see_the_tokens_that_sampling_saw(
    tmp_path: Path, seen: list[list[int]]
) -> None:
    policy = tiny.make_policy(tmp_path)
    tokenizer, prompt = load_tokenizer(policy), long_prompt()
    backend = LocalBackend(load_policy(policy), tokenizer)
    first, second = backend.sample([prompt], SAMPLER)
    whole = encode_prompt(tokenizer, prompt.messages)
    assert context_length_in(policy) == CONTEXT
    assert first.prompt_cut == len(whole) - (CONTEXT - LONGEST)
    sampled = whole[first.prompt_cut :]
    assert seen == [sampled, sampled]
    encoder = Encoder.of(policy, parse("dpo", {"max_new_tokens": LONGEST}))
    trained = encoder.encode(prompt.messages, "so good", ended=False)
    assert trained is not None
    assert trained.ids[: trained.prompt_length] == sampled
    samples = [Sample(prompt.id, r.index, r.text, r.finish_reason, r.ids) for r in (first, second)]
    rows, cut = encoded(tokenizer, [prompt], samples, CONTEXT, LONGEST)
    assert [row.ids for row in rows] == [sampled + first.ids, sampled + second.ids]
    assert (encoder.prompts_cut, cut) == (1, 1)


def test_a_prompt_is_counted_once_and_a_short_one_not_at_all(tmp_path: Path) -> None:
    encoder = Encoder.of(tiny.make_policy(tmp_path), parse("dpo", {"max_new_tokens": LONGEST}))
    for prompt in (long_prompt(1), long_prompt(2)):
        assert encoder.encode(prompt.messages, "good") is not None
        assert encoder.encode(prompt.messages, "bad") is not None
    assert encoder.encode(tiny.asked("tell me"), "good") is not None
    assert encoder.prompts_cut == 2


def test_an_answer_longer_than_any_sampled_is_dropped_with_a_full_prompt(tmp_path: Path) -> None:
    encoder = Encoder.of(tiny.make_policy(tmp_path), parse("dpo", {"max_new_tokens": LONGEST}))
    prompt = long_prompt()
    assert encoder.encode(prompt.messages, "good " * (LONGEST - 1)) is not None  # and its EOS
    assert encoder.encode(prompt.messages, "good " * LONGEST) is None
    assert encoder.encode(tiny.asked("tell me"), "good " * LONGEST) is not None


@pytest.mark.training
@pytest.mark.parametrize("method", ["reward", "dpo", "sft"])
def test_a_run_trains_on_long_prompts_and_says_how_many_it_cut(
    tmp_path: Path, method: str
) -> None:
    records = tiny.preference_records(12)
    for number in (0, 1):
        messages = long_prompt(number).messages
        records[number] = dataclasses.replace(records[number], messages=messages)
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", records)
    options = {"max_new_tokens": LONGEST, "batch_size": 10}
    result = tiny.result_of(tiny.train(tmp_path, method, options, snapshot=snapshot))
    assert result["prompts_cut"] == 2
    assert (result["rows"], result["dropped"]) == (10, {})


@pytest.mark.training
def test_an_evaluation_says_how_many_it_cut(tmp_path: Path) -> None:
    policy = tiny.make_policy(tmp_path / "policy")
    asked = [long_prompt(1), *tiny.prompt_records(3)[2:]]
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", asked)
    inputs = {"candidate": policy, "first": policy, "parent": policy, "prompts": prompts}
    config = {"samples_per_prompt": 2, "max_new_tokens": LONGEST, "temperature": 1.0}
    folder = tiny.write_job(tmp_path / "job", "evaluate", config, inputs)
    evaluation.run(tiny.open_job(folder), {"config": config, "seed": 3})
    result = json.loads((folder / "attempt-1" / "result.json").read_text())
    assert result["prompts_cut"] == 1
