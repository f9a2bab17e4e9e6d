"""Completion embeddings: the completion alone, independent of batch and padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models_runtime import loading
from models_runtime.embeddings import embed
from tests.models_runtime.tiny import DEMO_POLICY

TEXTS = ["Paris.", "The capital of France is Paris.", "", "Happy to help! It is Paris."]


@pytest.fixture(scope="module")
def demo():
    return loading.load_policy(DEMO_POLICY), loading.load_tokenizer(DEMO_POLICY)


def test_rows_are_unit_vectors_in_the_order_given(demo):
    vectors = embed(*demo, TEXTS)
    assert vectors.shape == (4, 96)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.allclose(vectors[::-1], embed(*demo, TEXTS[::-1]), atol=1e-5)


def test_padding_and_batch_size_change_nothing(demo):
    alone = np.concatenate([embed(*demo, [text]) for text in TEXTS])
    assert np.allclose(embed(*demo, TEXTS), alone, atol=1e-5)
    assert np.allclose(embed(*demo, TEXTS, batch_size=2), alone, atol=1e-5)


@torch.inference_mode()
def test_it_is_the_mean_of_the_last_hidden_layer(demo):
    model, tokenizer = demo
    ids = torch.tensor([tokenizer(TEXTS[1], add_special_tokens=False)["input_ids"]])
    hidden = model(ids, output_hidden_states=True).hidden_states[-1][0].mean(0).numpy()
    expected = hidden / np.linalg.norm(hidden)
    assert np.allclose(embed(model, tokenizer, [TEXTS[1]])[0], expected, atol=1e-5)


def test_like_texts_are_closer_than_unlike_ones(demo):
    paris, rome, wash = embed(
        *demo,
        [
            "The capital of France is Paris.",
            "The capital of Italy is Rome.",
            "Wash it with warm water and a little soap, then dry it with a soft cloth.",
        ],
    )
    assert paris @ rome > paris @ wash
