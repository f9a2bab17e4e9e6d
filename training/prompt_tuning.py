"""Prompt tuning (Lester et al., 2021): a few vectors before every prompt are trained, and nothing
else of the model.

They are made words: a run begins by adding ``<|tuned-0|>`` and its fellows to a copy of the policy
(tokenizer, embeddings, and a chat template that begins with them), and trains their rows alone.
What it publishes is plain weights again, which any library and server prompts with them unasked.

    input      a row each, which begins as the row of a word that is there already
    output     a row each too, since models have no fewer: the mean of all others. The mean's logit
               is the mean logit, so that such a word has less than 1 / V of the probability, V
               being the vocabulary (Jensen). Input and output rows that were one are parted.
    sampling   generation_config.json suppresses the words, which makes that 0 here and in the
               library
    text       they are special tokens, which models_runtime.chat lets no text spell
    reference  has such rows too, and is not shown the words (training.tuned_words)
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerBase

from models_runtime.chat import encode_completion, encode_prompt, tuned_words
from models_runtime.jobdir import BadInput
from models_runtime.loading import context_length, load_policy, load_tokenizer, save_policy
from models_runtime.phrases import phrase
from training.configs.base import Optimisation
from training.task import Task
from training.tuned_words import grow

COMMON = 5000  # the words that vectors begin as are drawn from the first so many (the paper's own)
FEWEST_LEFT = 8  # tokens of a prompt's own


@contextmanager
def prompted(task: Task) -> Iterator[None]:
    """While it lasts the job's policy is one with words to be tuned, where the options ask for
    them. Raises BadInput where the policy cannot be given any."""
    if task.config.adapter != "prompt":
        yield
        return
    folder = task.job.folder / f".prompted-{task.job.rank}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        policy = task.job.input_path("policy")
        task.adapters.words = extend(policy, folder, task.config, task.seed)
        task.job.instead["policy"] = folder
        yield
    finally:
        task.job.instead.pop("policy", None)
        shutil.rmtree(folder, ignore_errors=True)


def extend(policy: Path, folder: Path, config: Optimisation, seed: int) -> list[int]:
    """The policy with words to be tuned into folder; their ids. The same inputs give the same
    bytes. Raises BadInput for a context without room, a text without tokens, or a tokenizer that
    would read the rest of a prompt otherwise behind them."""
    tokenizer = load_tokenizer(policy)
    model = load_policy(policy, for_training=True)
    room = context_length(model.config)
    if room and config.prompt_tokens + config.max_new_tokens + FEWEST_LEFT > room:
        raise BadInput(
            phrase(
                "The model's context of %(room)s tokens is too short for %(words)s tuned ones "
                "before a prompt and answers of %(longest)s: lower prompt_tokens or "
                "max_new_tokens.",
                room=room,
                words=config.prompt_tokens,
                longest=config.max_new_tokens,
            )
        )
    known = len(tokenizer)
    first = _first_words(tokenizer, config, seed)
    ids = _add_words(tokenizer, config.prompt_tokens)
    grow(model, ids, first, known)
    save_policy(model, tokenizer, folder)
    return ids


def _first_words(tokenizer: PreTrainedTokenizerBase, config: Optimisation, seed: int) -> list[int]:
    """Ids of the words whose rows the vectors begin as: a text's, again and again, or some that
    the run's seed draws."""
    if config.prompt_text:
        ids = encode_completion(tokenizer, config.prompt_text)[:-1]
        if not ids:
            raise BadInput(phrase("The option prompt_text holds no token to begin from."))
        return list(itertools.islice(itertools.cycle(ids), config.prompt_tokens))
    added = set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)
    ordinary = sorted(set(tokenizer.get_vocab().values()) - added)[:COMMON]
    drawn = torch.Generator().manual_seed(seed)
    places = torch.randint(len(ordinary), (config.prompt_tokens,), generator=drawn).tolist()
    return [ordinary[place] for place in places]


def _add_words(tokenizer: PreTrainedTokenizerBase, count: int) -> list[int]:
    """Ids of new words, before which the chat template writes nothing. A policy that has some
    from an earlier run keeps them, behind the new ones."""
    probe: Any = [{"role": "user", "content": "hello"}]
    before = encode_prompt(tokenizer, probe)
    start = len(tuned_words(tokenizer))
    names = [f"<|tuned-{start + place}|>" for place in range(count)]
    tokenizer.add_tokens(
        [AddedToken(name, special=True, normalized=False) for name in names], special_tokens=True
    )
    lead, template = "".join(names), tokenizer.chat_template
    tokenizer.chat_template = (
        lead + template
        if isinstance(template, str)
        else {name: lead + one for name, one in template.items()}
    )
    added = tuned_words(tokenizer)
    ids = [added[name] for name in names]
    if encode_prompt(tokenizer, probe) != ids + before:
        raise BadInput(
            phrase(
                "The policy's tokenizer reads a prompt otherwise where another token stands "
                "before it, so that prompt tuning would change what is read: choose the adapter "
                "lora."
            )
        )
    return ids
