"""The local back end: the right distribution, the same texts for the same seed, honest ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models_runtime import chat, loading
from models_runtime.backends import LocalBackend
from models_runtime.decoding import pick, uniforms
from models_runtime.records import PromptRecord, Sampler
from tests.models_runtime.tiny import DEMO_POLICY, tiny_policy, world_prompts

SAMPLER = Sampler("policy", k=3, max_new_tokens=48, seed=5)


@pytest.fixture(scope="module")
def demo():
    return loading.load_policy(DEMO_POLICY), loading.load_tokenizer(DEMO_POLICY)


@pytest.fixture(scope="module")
def backend(demo):
    return LocalBackend(*demo, batch_size=64)


def test_same_seed_same_texts_and_another_seed_others(backend):
    prompts = world_prompts(20)
    first, again = backend.sample(prompts, SAMPLER), backend.sample(prompts, SAMPLER)
    other = backend.sample(prompts, replace(SAMPLER, seed=6))
    stream = backend.sample(prompts, SAMPLER, stream=1)
    assert first == again
    assert sum(a.text != b.text for a, b in zip(first, other, strict=True)) > 20
    assert sum(a.text != b.text for a, b in zip(first, stream, strict=True)) > 20


def test_texts_do_not_depend_on_how_prompts_are_batched(demo, backend):
    prompts = world_prompts(20)
    small = LocalBackend(*demo, batch_size=7)
    alone = [row for prompt in prompts for row in small.sample([prompt], SAMPLER)]
    assert small.sample(prompts, SAMPLER) == backend.sample(prompts, SAMPLER) == alone


def test_every_prompt_gets_its_k_completions_in_order(backend):
    prompts = world_prompts(9)[::-1]
    rows = backend.sample(prompts, SAMPLER)
    wanted = [(prompt.id, index) for prompt in prompts for index in range(3)]
    assert [(row.prompt_id, row.index) for row in rows] == wanted


@torch.inference_mode()
def test_greedy_equals_the_library(demo, backend):
    model, tokenizer = demo
    prompts = world_prompts(30)
    rows = backend.sample(prompts, replace(SAMPLER, k=1, temperature=0.0))
    for prompt, row in zip(prompts, rows, strict=True):
        ids = torch.tensor([chat.encode_prompt(tokenizer, prompt.messages)])
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=SAMPLER.max_new_tokens,
        )
        assert row.ids == out[0, ids.shape[1] :].tolist()


def test_an_end_is_eos_or_length(backend, demo):
    tokenizer = demo[1]
    rows = backend.sample(world_prompts(30), replace(SAMPLER, max_new_tokens=10))
    reasons = {row.finish_reason for row in rows}
    assert reasons == {"eos", "length"}
    for row in rows:
        assert (row.ids[-1] == tokenizer.eos_token_id) == (row.finish_reason == "eos")
        assert tokenizer.eos_token_id not in row.ids[:-1]
        assert len(row.ids) == 10 or row.finish_reason == "eos"
        assert "<|" not in row.text


def test_temperature_one_gives_the_models_own_distribution(tmp_path):
    """Chi-square of 4,000 first tokens against exact probabilities on a vocabulary of some 280:
    the model's logits are stretched so that about a dozen tokens carry the mass."""
    folder = tiny_policy(tmp_path / "tiny")
    model, tokenizer = loading.load_policy(folder), loading.load_tokenizer(folder)
    model.lm_head.weight.mul_(20)
    prompt = PromptRecord(1, [{"role": "user", "content": "hello"}])
    ids = torch.tensor([chat.encode_prompt(tokenizer, prompt.messages)])
    with torch.inference_mode():
        exact = model(ids).logits[0, -1].double().softmax(-1).numpy()
    backend = LocalBackend(model, tokenizer, batch_size=500)
    rows = backend.sample([prompt], Sampler("p", k=4000, temperature=1.0, max_new_tokens=1))
    seen = np.bincount([row.ids[0] for row in rows], minlength=len(exact))
    common = exact > 0.005
    assert common.sum() >= 5
    expected = np.append(exact[common], exact[~common].sum()) * 4000
    observed = np.append(seen[common], seen[~common].sum())
    degrees = len(expected) - 1
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert chi_square < degrees + 4 * np.sqrt(2 * degrees)  # four standard deviations


def test_pick_inverts_the_distribution():
    """Shares .5, .3, .2: a draw below .5 takes the first, below .8 the second."""
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log().repeat(5, 1)
    draws = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.999999], dtype=torch.float64)
    assert pick(logits, draws, 1.0).tolist() == [0, 0, 1, 1, 2]
    assert pick(logits, draws, 0.0).tolist() == [0] * 5
    # at temperature .1 the shares are 1, .6^10 and .4^10: the first two reach .9999
    assert pick(logits, draws, 0.1).tolist() == [0, 0, 0, 0, 2]


def test_top_p_keeps_the_smallest_set_that_holds_it():
    """top_p .6 keeps .5 and .3, renormalised to .625 and .375; a token of share 0 is never
    drawn, not even at the edges."""
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log().repeat(4, 1)
    draws = torch.tensor([0.0, 0.62, 0.63, 0.999999], dtype=torch.float64)
    assert pick(logits, draws, 1.0, top_p=0.6).tolist() == [1, 1, 2, 2]
    assert pick(logits, draws, 1.0, top_p=0.1).tolist() == [1, 1, 1, 1]


def test_random_numbers_belong_to_their_key():
    assert (uniforms("a", 5) == uniforms("a", 9)[:5]).all()
    assert not (uniforms("a", 5) == uniforms("b", 5)).any()
    assert 0.47 < uniforms("mean", 10_000).mean() < 0.53


def test_a_prompt_longer_than_the_context_loses_its_oldest_tokens_and_says_so(backend):
    long = PromptRecord(1, [{"role": "user", "content": "What is the capital of France? " * 60}])
    row = backend.sample([long], replace(SAMPLER, k=1))[0]
    assert row.prompt_cut > 0
    assert 0 < len(row.ids) <= SAMPLER.max_new_tokens


def test_a_system_prompt_comes_first(backend):
    plain = backend.sample(world_prompts(5), replace(SAMPLER, temperature=0.0))
    told = replace(SAMPLER, temperature=0.0, system_prompt="rabbit " * 20)
    assert plain != backend.sample(world_prompts(5), told)
