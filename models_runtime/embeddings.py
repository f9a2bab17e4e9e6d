"""Embeddings of completions for pair selection (REAL): what was said, not what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models_runtime import chat


def embed(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    batch_size: int = 128,
) -> np.ndarray:
    """float32 [texts, hidden], L2-normalised: the attention-masked mean of the last hidden layer
    over the completion alone, without prompt and EOS (an empty text is its EOS alone)."""
    rows = [chat.encode_completion(tokenizer, text) for text in texts]
    rows = [row[:-1] or row for row in rows]
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    found = np.zeros((len(rows), model.config.get_text_config().hidden_size), dtype=np.float32)
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        found[places] = _mean_hidden(model, tokenizer, [rows[place] for place in places])
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.maximum(norms, np.finfo(np.float32).tiny)


def embed_in_steps(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    step: int = 2048,
) -> Iterator[np.ndarray]:
    """embed, a part at a time, so that a caller can report and stop in between."""
    for start in range(0, len(texts), step):
        yield embed(model, tokenizer, texts[start : start + step])


@torch.inference_mode()
def _mean_hidden(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[int]]
) -> np.ndarray:
    """float32 [rows, hidden]; padding counts for nothing."""
    ids, attention = chat.pad(rows, int(tokenizer.pad_token_id))
    ids, attention = ids.to(model.device), attention.to(model.device)
    hidden = model.base_model(input_ids=ids, attention_mask=attention).last_hidden_state.float()
    weights = attention[..., None].to(hidden.dtype)
    mean: np.ndarray = ((hidden * weights).sum(1) / weights.sum(1)).cpu().numpy()
    return mean
