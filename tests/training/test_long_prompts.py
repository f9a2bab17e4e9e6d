"""A prompt beyond the context is trained on and scored by the very tokens it was sampled on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from models_runtime import loading, sample
from models_runtime.backends import LocalBackend
from models_runtime.chat import encode_prompt
from models_runtime.decoding import Asked, Decoder, Rows
from models_runtime.jobdir import BadInput
from models_runtime.loading import context_length_in, load_policy, load_tokenizer
from models_runtime.records import PromptRecord, Sampler, to_dict
from tests.training import tiny
from training import evaluation
from training.configs import parse
from training.configs.recipes import parse_recipe
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
    options = {"max_new_tokens": LONGEST, "batch_size": 10, "long_prompts": "cut"}
    result = tiny.result_of(tiny.train(tmp_path, method, options, snapshot=snapshot))
    assert result["prompts_cut"] == 2
    assert (result["rows"], result["dropped"]) == (10, {})


def given_with_long_prompts(folder: Path) -> dict[str, Path]:
    """Two comparisons of twelve, the first in line 3, and one of five prompts to sample for."""
    records = tiny.preference_records(12)
    for place, number in ((2, 0), (6, 1)):
        messages = long_prompt(number).messages
        records[place] = dataclasses.replace(records[place], messages=messages, split="train")
    prompts = [*tiny.prompt_records(4), long_prompt(4)]
    policy = tiny.make_policy(folder / "policy")
    return {
        "policy": policy,
        "reference": policy,
        "snapshot": tiny.write_snapshot(folder / "snapshot", records),
        "prompts": tiny.write_lines(folder / "prompts.jsonl", prompts),
    }


@pytest.mark.training
@pytest.mark.parametrize("method", ["dpo", "sft", "reward", "rrhf", "kto"])
def test_a_run_refuses_them_unless_it_is_told_otherwise(tmp_path: Path, method: str) -> None:
    told = {"learn_from": "pairs"} if method == "kto" else {}
    with pytest.raises(BadInput) as refused:
        tiny.train(
            tmp_path,
            method,
            {"max_new_tokens": LONGEST, **told},
            **given_with_long_prompts(tmp_path),
        )
    assert str(refused.value) == (
        "After 2 of 10 prompts, the first in line 3 of preferences.jsonl, the model's context of "
        "128 tokens has no room for an answer of 16: shorten the prompts, lower max_new_tokens, "
        "or set long_prompts to drop or cut."
    )
    assert not (tmp_path / "job" / "attempt-1" / "metrics.jsonl").exists()


@pytest.mark.training
@pytest.mark.parametrize("method", ["raft", "ppo", "grpo", "distil"])
def test_a_run_that_samples_refuses_them_before_it_samples(tmp_path: Path, method: str) -> None:
    judge = tmp_path / "judge"
    given = given_with_long_prompts(tmp_path)
    policy = given["policy"]
    loading.save_reward_model(loading.load_reward_model(policy), load_tokenizer(policy), judge)
    given = {**given, "snapshot": tiny.write_snapshot(tmp_path / "s", tiny.preference_records(6))}
    options = {"max_new_tokens": LONGEST}
    with pytest.raises(
        BadInput, match=r"After 1 of 5 prompts, the first in line 5 of prompts.jso"
    ):
        tiny.train(tmp_path, method, options, **given, reward_model=judge, safety_model=judge)
    assert not (tmp_path / "job" / "attempt-1" / "shards").exists()


@pytest.mark.training
def test_a_run_leaves_them_out_where_it_is_told_to(tmp_path: Path) -> None:
    options = {"max_new_tokens": LONGEST, "batch_size": 8, "long_prompts": "drop"}
    given = given_with_long_prompts(tmp_path)
    result = tiny.result_of(tiny.train(tmp_path, "simpo", options, **given))
    assert result["dropped"] == {"prompt too long": 2}
    assert (result["rows"], result["prompts_cut"]) == (8, 0)


@pytest.mark.training
def test_rounds_learn_from_the_answers_that_their_own_sampler_cut_prompts_for() -> None:
    assert parse_recipe("online_dpo", {}).long_prompts == "cut"
    assert parse("dpo", {}).long_prompts == "refuse"


def test_an_answer_as_long_as_the_context_is_refused_before_anything_is_sampled(
    tmp_path: Path,
) -> None:
    config = {"samplers": [to_dict(dataclasses.replace(SAMPLER, max_new_tokens=CONTEXT))]}
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records(3))
    given = {"policy": tiny.make_policy(tmp_path / "policy"), "prompts": prompts}
    job = tiny.open_job(tiny.write_job(tmp_path / "job", "sample", config, given))
    with pytest.raises(BadInput, match=r"of 128 tokens leaves a prompt no room in .* of 128: low"):
        sample.main(job)
    assert not (job.folder / "shards").exists()


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
