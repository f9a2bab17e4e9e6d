"""Tokens sampled a CPU second: many rows at once against the library's own sampling, and what
completions of one prompt save by sharing its reading.

    python -m models_runtime.bench_sampling FOLDER

Prints {"name", "value", "unit", "baseline"} as JSON lines. FOLDER holds a policy. All answers end
by themselves, on both sides; what is imported and loaded is not measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from models_runtime import chat, loading, world
from models_runtime.backends import LocalBackend
from models_runtime.batch_room import Room
from models_runtime.decoding import Asked, Decoder, decode
from models_runtime.interleaving import medians
from models_runtime.records import PromptRecord, Sampler

PROMPTS, ALONE = 512, 24  # prompts of a batched call, and of a round of single ones
SAMPLER = Sampler("policy", k=4)
ROUNDS = 3
# Shared reading: so many completions of one long prompt, each of so many tokens.
SHARED_BY, LONG, SHORT = 16, 384, 16


def main(folder: Path) -> None:
    """Measure the policy in folder and print the results."""
    loading.use_one_thread_when_asked()
    torch.manual_seed(0)
    model, tokenizer = loading.load_policy(folder), loading.load_tokenizer(folder)
    _against_the_library(model, tokenizer)
    _shared(model, tokenizer)


def _against_the_library(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    backend = LocalBackend(model, tokenizer)
    asked = world.prompts()
    rows = [PromptRecord(number, asked[number % len(asked)].messages) for number in range(PROMPTS)]
    few = rows[:: PROMPTS // ALONE]

    def batched() -> int:
        return sum(len(row.ids) for row in backend.sample(rows, SAMPLER))

    def by_sequence() -> int:
        """As a loop over prompts would call it."""
        return sum(_library(model, tokenizer, row, 1) for row in few)

    def by_prompt() -> int:
        """All completions of a prompt in one call."""
        return sum(_library(model, tokenizer, row, SAMPLER.k) for row in few)

    found = medians(
        {
            "batched": rate(batched),
            "sequence": rate(by_sequence),
            "prompt": rate(by_prompt),
        },
        rounds=ROUNDS,
    )
    _print("sampler.tokens", found["batched"], found["sequence"])
    _print("sampler.tokens.by_prompt", found["batched"], found["prompt"])


def _shared(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """The same model with random weights and a longer context: an end is never likely."""
    config = type(model.config).from_dict({**model.config.to_dict(), "dtype": "float32"})
    config.max_position_embeddings = 2 * LONG
    long = AutoModelForCausalLM.from_config(config).eval()
    decoder = Decoder(long, tokenizer, Sampler("policy", SHARED_BY, max_new_tokens=SHORT))
    prompts = torch.randint(5, config.vocab_size, (SHARED_BY, LONG)).tolist()
    shared = [Asked(0, index, prompts[0], 0) for index in range(SHARED_BY)]
    apart = [Asked(index, 0, prompt, 0) for index, prompt in enumerate(prompts)]

    def tokens(asked: list[Asked]) -> int:
        return sum(len(made) for _, made in decode(decoder, asked, Room(SHARED_BY)))

    found = medians(
        {"shared": rate(lambda: tokens(shared)), "apart": rate(lambda: tokens(apart))},
        rounds=ROUNDS,
    )
    _print("sampler.shared_prompt", found["shared"], found["apart"])


def _print(name: str, value: float, baseline: float) -> None:
    line = {"name": name, "value": value, "unit": "tokens/CPU s", "baseline": baseline}
    sys.stdout.write(json.dumps(line) + "\n")


def rate(work: Callable[[], int]) -> Callable[[], float]:
    """work's tokens for each CPU second of this process."""

    def timed() -> float:
        begun = time.process_time()
        tokens = work()
        return tokens / (time.process_time() - begun)

    return timed


@torch.inference_mode()
def _library(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, row: PromptRecord, count: int
) -> int:
    """Tokens of ``count`` completions in one call, each up to its end."""
    prompt = chat.encode_prompt(tokenizer, row.messages)
    ids, attention = chat.pad([prompt], 0)
    device = next(model.parameters()).device
    # torch types what a module may hold as "a tensor or a module", which hides the method.
    produced = model.generate(  # type: ignore[operator]
        input_ids=ids.to(device),
        attention_mask=attention.to(device),
        do_sample=True,
        temperature=SAMPLER.temperature,
        top_k=0,
        max_new_tokens=SAMPLER.max_new_tokens,
        num_return_sequences=count,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return int((produced[:, len(prompt) :] != tokenizer.pad_token_id).sum())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
