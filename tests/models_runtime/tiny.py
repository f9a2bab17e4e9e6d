"""A random Llama of a few thousand parameters with its own tokenizer, for tests of the seams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models_runtime import loading, world
from models_runtime.jobdir import publish
from models_runtime.records import Input, PromptRecord, jsonl_line, to_dict

DEMO_POLICY = Path(loading.__file__).parent / "demo_policy"
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def tiny_tokenizer() -> transformers.PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(["hello world, how are you today"] * 4, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tiny_model(tokenizer: transformers.PreTrainedTokenizerFast) -> transformers.LlamaForCausalLM:
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=128,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def tiny_policy(folder: Path) -> Path:
    """A complete policy folder."""
    tokenizer = tiny_tokenizer()
    with publish(folder) as temporary:
        loading.save_policy(tiny_model(tokenizer), tokenizer, temporary)
    return folder


def world_prompts(count: int) -> list[PromptRecord]:
    """The first phrasing of items spread over the demo world, of different lengths."""
    rows = world.prompts()[:: max(1, 564 // count)][:count]
    return [PromptRecord(n, row.messages, row.item, row.tags) for n, row in enumerate(rows)]


def make_job(
    root: Path, config: object, *, policy: Path, prompts: Sequence[PromptRecord] = ()
) -> Path:
    """A job directory as the row side writes it."""
    root.mkdir(parents=True)
    lines = root / "prompts.jsonl"
    lines.write_text("".join(jsonl_line(prompt) for prompt in prompts), encoding="utf-8")
    data = config if isinstance(config, dict) else to_dict(config)
    spec = {"job": 1, "kind": "test", "seed": 0, "config": data}
    (root / "job.json").write_text(json.dumps(spec), encoding="utf-8")
    inputs = [Input("policy", "", {}, str(policy)), Input("prompts", "", {}, str(lines))]
    (root / "inputs.json").write_text(json.dumps([to_dict(row) for row in inputs]), "utf-8")
    return root


def start_entry(module: str, root: Path) -> subprocess.Popen[str]:
    """python -m module DIR, as by hand: no token, hence no leash."""
    return subprocess.Popen(
        [sys.executable, "-m", module, str(root)],
        cwd=DEMO_POLICY.parents[1],
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_entry(module: str, root: Path) -> tuple[int, str]:
    """(exit status, standard error) of a whole run."""
    child = start_entry(module, root)
    _, errors = child.communicate(timeout=120)
    return child.returncode, errors
