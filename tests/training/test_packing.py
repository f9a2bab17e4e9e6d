"""Fine-tuning on rows that several examples share: the loss of the examples by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.loading import load_policy
from tests.training import tiny

pytestmark = [pytest.mark.training, pytest.mark.long]

# One step over all 20 rows, whether they are 20 rows or few.
ONCE: dict[str, Any] = {
    "learning_rate": 1e-3, "batch_size": 32, "max_length": 64, "max_new_tokens": 4,
    "epochs": 1, "panel": 0, "guard": "off", "warmup": 0.0,
}  # fmt: skip


def test_packed_examples_have_the_loss_and_the_gradient_that_they_have_alone(
    tmp_path: Path,
) -> None:
    alone, packed = (
        tiny.metrics_of(tiny.train(tmp_path / str(on), "sft", {**ONCE, "packing": on}))
        for on in (False, True)
    )
    assert [len(alone), len(packed)] == [1, 1]
    for name in ("loss", "grad_norm"):
        assert packed[0][name] == pytest.approx(alone[0][name], rel=1e-5)


def test_fewer_rows_go_forward(tmp_path: Path) -> None:
    options = {**ONCE, "batch_size": 1}
    rows = tiny.metrics_of(tiny.train(tmp_path, "sft", {**options, "packing": True}))
    assert 1 < len(rows) < 20 / 2


def test_no_example_sees_another_of_its_row(tmp_path: Path) -> None:
    """By the masks alone: positions that begin anew part what one row holds."""
    model = load_policy(tiny.make_policy(tmp_path / "policy"), for_training=True).eval()
    first, second = [5, 6, 7, 8], [9, 10, 11]
    row = torch.tensor([[*first, *second]])
    positions = torch.tensor([[*range(len(first)), *range(len(second))]])
    with torch.no_grad():
        packed = model(input_ids=row, position_ids=positions).logits[0, len(first) :]
        alone = model(input_ids=torch.tensor([second])).logits[0]
        leaking = model(input_ids=row).logits[0, len(first) :]
    assert torch.allclose(packed, alone, atol=1e-6)
    assert not torch.allclose(leaking, alone, atol=1e-3)
