"""Tokens sampled a CPU second, batched against one sequence a ``generate`` call.

    python -m models_runtime.bench_sampling FOLDER

Prints {"name", "value", "unit", "baseline"} as a JSON line. FOLDER holds a policy.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models_runtime import chat, loading, world
from models_runtime.backends import LocalBackend
from models_runtime.interleaving import medians
from models_runtime.records import PromptRecord, Sampler

PROMPTS, ALONE = 64, 12  # prompts of a batched call and of a round of single ones
SAMPLER = Sampler("policy", k=4)
ROUNDS = 3


def main(folder: Path) -> None:
    """Measure the policy in folder and print the result."""
    loading.use_one_thread_when_asked()
    torch.manual_seed(0)
    model, tokenizer = loading.load_policy(folder), loading.load_tokenizer(folder)
    backend = LocalBackend(model, tokenizer)
    rows = [PromptRecord(n, p.messages) for n, p in enumerate(world.prompts()[:PROMPTS])]

    def batched() -> int:
        return sum(len(row.ids) for row in backend.sample(rows, SAMPLER))

    def alone() -> int:
        """The library's own sampling, as a loop over prompts would call it."""
        return sum(_single(model, tokenizer, row) for row in rows[:: PROMPTS // ALONE])

    found = medians({"batched": rate(batched), "alone": rate(alone)}, rounds=ROUNDS)
    line = {
        "name": "sampler.tokens",
        "value": found["batched"],
        "unit": "tokens/CPU s",
        "baseline": found["alone"],
    }
    sys.stdout.write(json.dumps(line) + "\n")


def rate(work: Callable[[], int]) -> Callable[[], float]:
    """work's tokens for each CPU second of this process."""

    def timed() -> float:
        begun = time.process_time()
        tokens = work()
        return tokens / (time.process_time() - begun)

    return timed


@torch.inference_mode()
def _single(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, row: PromptRecord) -> int:
    """Tokens of one completion."""
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
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return int(produced.shape[1] - len(prompt))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
