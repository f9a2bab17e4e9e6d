"""A run whose loss is no number any more ends with a sentence, and leaves no policy behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_policy, load_tokenizer, save_policy
from tests.training import tiny

pytestmark = pytest.mark.training


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A policy whose probabilities are no numbers, as after steps that were far too long."""
    folder = tiny.make_policy(tmp_path / "whole")
    policy, tokenizer = load_policy(folder, for_training=True), load_tokenizer(folder)
    with torch.no_grad():
        policy.get_input_embeddings().weight.fill_(torch.inf)
    save_policy(policy, tokenizer, tmp_path / "broken")
    return tmp_path / "broken"


@pytest.mark.parametrize("method", ["kto", "reward", "conditional"])
def test_a_run_that_diverges_publishes_nothing(tmp_path: Path, broken: Path, method: str) -> None:
    options = {"batch_size": 8, "max_new_tokens": 8}
    with pytest.raises(BadInput, match=r"diverged: \w+ is no finite number any more \(step 1\)"):
        tiny.train(tmp_path, method, options, policy=broken)
    attempt = tmp_path / "job" / "attempt-1"
    assert not (attempt / "output").exists()
    assert not (attempt / "result.json").exists()
