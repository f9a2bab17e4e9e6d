"""Many rows at once become what each becomes alone: prompts that are shared, rows that are taken
in beside others, and memory that does not hold them all."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models_runtime import chat, loading
from models_runtime.batch_room import MOST, MOST_OF_LARGE, Room, bytes_of_a_token
from models_runtime.decoding import Asked, Decoder, Rows, decode
from models_runtime.records import Sampler
from tests.models_runtime.tiny import DEMO_POLICY, world_prompts

SAMPLER = Sampler("policy", k=1, max_new_tokens=40, seed=3)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    model, tokenizer = loading.load_policy(DEMO_POLICY), loading.load_tokenizer(DEMO_POLICY)
    return Decoder(model, tokenizer, SAMPLER)


@pytest.fixture(scope="module")
def asked(decoder: Decoder) -> list[Asked]:
    """Twelve prompts, three completions each, the shortest first."""
    rows = [
        Asked(prompt.id, index, chat.encode_prompt(decoder.tokenizer, prompt.messages), 0)
        for prompt in world_prompts(12)
        for index in range(3)
    ]
    return sorted(rows, key=lambda row: len(row.prompt))


@pytest.fixture(scope="module")
def alone(decoder: Decoder, asked: list[Asked]) -> dict[Asked, list[int]]:
    return {row: tokens for one in asked for row, tokens in decode(decoder, [one], Room(1))}


def test_rows_of_one_prompt_share_its_reading(decoder, asked, alone, monkeypatch):
    read = []
    generate = decoder.model.generate

    def counting(**given):
        if given["past_key_values"] is None:
            read.append(len(given["input_ids"]))
        return generate(**given)

    monkeypatch.setattr(decoder.model, "generate", counting)
    assert dict(decode(decoder, asked, Room(len(asked)))) == alone
    assert read == [12]


def test_rows_that_are_taken_in_beside_others_become_the_same(decoder, asked, alone):
    """Widths differ, long answers go on beside prompts that are read later."""
    found = list(decode(decoder, asked, Room(7, refilled_below=0.9)))
    assert dict(found) == alone
    assert len(found) == len(asked)


def test_memory_that_holds_five_rows_holds_them_all_one_after_another(
    decoder, asked, alone, monkeypatch
):
    go_on = Decoder.go_on

    def small(self: Decoder, rows: Rows) -> Rows:
        if len(rows) > 5:
            raise torch.OutOfMemoryError("too many rows")
        return go_on(self, rows)

    monkeypatch.setattr(Decoder, "go_on", small)
    found = list(decode(decoder, asked, Room(36)))
    assert dict(found) == alone
    assert len(found) == len(asked)


def test_memory_that_holds_no_row_is_an_error(decoder, asked, monkeypatch):
    def never(self: Decoder, rows: Rows) -> Rows:
        raise torch.OutOfMemoryError("not one row")

    monkeypatch.setattr(Decoder, "go_on", never)
    with pytest.raises(torch.OutOfMemoryError):
        list(decode(decoder, asked, Room(36)))


def test_no_row_writes_more_than_it_may(decoder, asked):
    short = Decoder(decoder.model, decoder.tokenizer, replace(SAMPLER, max_new_tokens=5))
    found = decode(short, asked, Room(7, refilled_below=0.9))
    assert max(len(tokens) for _, tokens in found) <= 5


def test_as_many_rows_as_their_caches_leave_room_for(decoder):
    """Three layers with 4 heads of 24 in float32: 2 * 3 * 96 * 4 bytes a token."""
    assert bytes_of_a_token(decoder.model) == 2304
    assert Room.of(decoder.model).rows(94) == MOST
    assert Room(MOST, bytes=100 * 2304 * 94, of_a_token=2304).rows(94) == 100
    assert Room(MOST, bytes=1, of_a_token=2304).rows(94) == 1
    assert Room.of(decoder.model, 7).rows(10_000) == 7


def test_a_large_model_on_a_cpu_takes_few_rows(decoder, monkeypatch):
    monkeypatch.setattr(decoder.model, "num_parameters", lambda: 10**9)
    assert Room.of(decoder.model).rows(94) == MOST_OF_LARGE
