"""Build the demo's first policy: ``python -m training.demo_policy OUT_FOLDER``.

A Llama of 431,000 parameters taught by supervised fine-tuning on the demo world's corpus
(models_runtime/world.py). It takes about a minute on one CPU core. The result is shipped in
models_runtime/demo_policy, so that a demo starts in seconds; a test rebuilds it and compares.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from models_runtime import chat, loading, world
from models_runtime.jobdir import publish

SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
VOCABULARY = 1024
CONTEXT = 256
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROWS, EPOCHS, BATCH, LEARNING_RATE, WARM_UP = 6000, 6, 32, 4e-3, 50
IGNORED = -100  # cross-entropy's label for tokens that do not count


def build_tokenizer(rows: Sequence[world.CorpusRow]) -> PreTrainedTokenizerBase:
    """Byte-level BPE on the corpus; EOS and padding differ, the template ends turns with EOS."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for row in rows for text in (row.messages[0]["content"], row.completion)]
    backend.train_from_iterator(texts, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.model_max_length = CONTEXT
    return tokenizer


def build_model(tokenizer: PreTrainedTokenizerBase, seed: int) -> LlamaForCausalLM:
    """96 hidden x 3 layers x 4 heads, tied embeddings, random weights under seed."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[world.CorpusRow]
) -> list[chat.Encoded]:
    return [chat.encode_conversation(tokenizer, row.messages, row.completion) for row in rows]


def batches(rows: Sequence[chat.Encoded], size: int, seed: int) -> Iterator[list[chat.Encoded]]:
    """Shuffled batches of rows of like length: little padding, a new order for every seed."""
    draw = torch.Generator().manual_seed(seed)
    jitter = (torch.rand(len(rows), generator=draw) * 8).tolist()
    order = sorted(range(len(rows)), key=lambda row: len(rows[row].ids) + jitter[row])
    starts = torch.arange(0, len(rows), size)
    for start in starts[torch.randperm(len(starts), generator=draw)].tolist():
        yield [rows[row] for row in order[start : start + size]]


def loss_of(model: LlamaForCausalLM, batch: Sequence[chat.Encoded]) -> tuple[torch.Tensor, int]:
    """(summed cross-entropy over completion tokens in nats, how many they are)."""
    ids, attention = chat.pad([row.ids for row in batch], model.config.pad_token_id or 0)
    mask, _ = chat.pad([row.completion_mask for row in batch], 0)
    labels = ids.masked_fill(mask == 0, IGNORED)[:, 1:]
    logits = model(input_ids=ids, attention_mask=attention).logits[:, :-1]
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total, int((labels != IGNORED).sum())


def train(
    model: LlamaForCausalLM, rows: Sequence[chat.Encoded], *, epochs: int, seed: int
) -> Iterator[float]:
    """Train in place; after each epoch gives the mean loss per completion token."""
    steps = epochs * math.ceil(len(rows) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, WARM_UP, steps)
    model.train()
    for epoch in range(epochs):
        nats, tokens = 0.0, 0
        for batch in batches(rows, BATCH, seed + epoch):
            total, count = loss_of(model, batch)
            (total / count).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            nats, tokens = nats + total.item(), tokens + count
        yield nats / tokens


@torch.inference_mode()
def perplexity(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, rows: Sequence[world.CorpusRow]
) -> float:
    """exp of the mean negative log-likelihood per completion token."""
    nats, tokens = 0.0, 0
    for batch in batches(encode_rows(tokenizer, rows), BATCH, 0):
        total, count = loss_of(model.eval(), batch)
        nats, tokens = nats + total.item(), tokens + count
    return math.exp(nats / tokens)


def build(
    folder: Path, *, rows: int = ROWS, epochs: int = EPOCHS, seed: int = 0
) -> Iterator[float]:
    """Write the whole policy into folder, as 16-bit weights; gives the loss of each epoch."""
    demonstrations = world.corpus(seed, rows)
    tokenizer = build_tokenizer(demonstrations)
    model = build_model(tokenizer, seed)
    yield from train(model, encode_rows(tokenizer, demonstrations), epochs=epochs, seed=seed)
    with publish(folder) as temporary:
        loading.save_policy(model.half(), tokenizer, temporary)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the demo's first policy.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.folder.exists():
        sys.stderr.write(f"{options.folder} exists already: name a new folder.\n")
        return 2
    loading.use_one_thread_when_asked()
    for epoch, loss in enumerate(build(options.folder, seed=options.seed), start=1):
        sys.stdout.write(f"epoch {epoch} of {EPOCHS}: loss {loss:.3f} per token\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
