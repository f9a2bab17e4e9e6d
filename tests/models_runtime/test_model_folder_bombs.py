"""A model folder that asks for absurd sizes is refused in one sentence, before anything is built
of them: by a rule that needs no library for models."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models_runtime import loading, model_folder
from models_runtime.jobdir import BadInput

ONE_TENSOR = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One weight, and whatever a test says about it."""
    header = json.dumps(ONE_TENSOR).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    (tmp_path / "model.safetensors").write_bytes(weights)
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.fixture(autouse=True)
def _in_little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20


def refusal(folder: Path, **config: Any) -> str:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    with pytest.raises(ValueError, match=r"^.*\.$") as refused:
        model_folder.refuse_unsafe(folder)
    with pytest.raises(BadInput) as on_loading:
        loading.load_policy(folder)
    assert str(on_loading.value) == str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 10**9},
        {"n_layer": 10**9},
        {"text_config": {"num_hidden_layers": 10**9}},
        {"hidden_size": 10**9},
        {"vocab_size": 1e15},
        {"intermediate_size": 10**9},
        {"num_attention_heads": 10**9},
        {"num_local_experts": 10**9},
        {"head_dim": 10**9},
        {"n_embd": 10**9},
        {"ffn_dim": [8, 10**9]},
        {"n_positions": 10**6},  # a mask of a million by a million
    ],
)
def test_a_configuration_that_no_weights_could_fill(folder: Path, config: dict[str, Any]) -> None:
    assert refusal(folder, **config).endswith("which the weights do not have.")


def test_the_sentence_names_the_size(folder: Path) -> None:
    sentence = "config.json asks for num_hidden_layers 1e+09, which the weights do not have."
    assert refusal(folder, num_hidden_layers=10**9) == sentence


@pytest.mark.parametrize(
    ("name", "size"),
    [("tokenizer.json", 1 << 36), ("vocab.txt", 1 << 30), ("config.json", 1 << 23)],
)
def test_a_file_larger_than_any_models_is_not_read(folder: Path, name: str, size: int) -> None:
    with (folder / name).open("wb") as handle:
        os.truncate(handle.fileno(), size)  # a hole: it takes no disk
    with pytest.raises(ValueError, match=rf"^{name} is larger than any model's, \d+ MiB"):
        model_folder.refuse_unsafe(folder)


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 2, "max_window_layers": 28, "sliding_window": 4096},
        {"rope_theta": 1e6, "max_position_embeddings": 10_485_760},
        {"vocab_size": 50257, "n_positions": 1024, "bos_token_id": 10**9},
        {"num_hidden_layers": None, "architectures": ["LlamaForCausalLM"]},
    ],
)
def test_what_models_in_use_say_is_let_through(folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    model_folder.refuse_unsafe(folder)


@pytest.mark.parametrize("shape", ["[Infinity]", "[-Infinity]", "[NaN]", '["wide"]', "7", "null"])
def test_a_shape_that_is_no_whole_numbers_is_a_torn_file(folder: Path, shape: str) -> None:
    header = json.dumps(ONE_TENSOR).replace("[1]", shape).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    (folder / "model.safetensors").write_bytes(weights)
    sentence = "model.safetensors is torn or not a safetensors file."
    with pytest.raises(ValueError, match=sentence):
        model_folder.refuse_unsafe(folder)
