"""What a run costs beside a bare script: both end with the same weights, or no figure is given."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models_runtime import world
from training import bench_accelerator, bench_overhead
from training.bench_overhead import DPO, SFT, Trained, against_bare, floor_round, ppo_round

pytestmark = [pytest.mark.training, pytest.mark.long]

POLICY = Path(world.__file__).parent / "demo_policy"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"BATCH": 4, "STEPS": 3, "ROUNDS": 1, "ROLLOUTS": 8, "PASSES": 2, "LONGEST": 8}
    for name, size in sizes.items():
        monkeypatch.setattr(bench_overhead, name, size)
    for options, name in ((bench_overhead.OURS, "batch_size"),
                          (bench_overhead.THEIRS, "per_device_train_batch_size")):  # fmt: skip
        monkeypatch.setitem(options, name, 4)


@pytest.mark.parametrize("kind", [SFT, DPO])
def test_a_run_and_the_bare_script_end_with_the_same_weights(
    tmp_path: Path, kind: type[Trained]
) -> None:
    trained = kind(POLICY, tmp_path)
    found = against_bare(trained)
    assert found["ours"] > 0 < found["theirs"]
    start = bench_overhead.loading.load_policy(POLICY).state_dict()
    assert any(not torch.equal(one, start[name]) for name, one in trained.weights["ours"].items())


def test_other_weights_give_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench_overhead.THEIRS, "learning_rate", 2e-3)
    with pytest.raises(SystemExit, match="end with other weights"):
        against_bare(SFT(POLICY, tmp_path))


def test_a_round_of_ppo_has_a_floor(tmp_path: Path) -> None:
    assert ppo_round(POLICY, tmp_path) > 0
    assert floor_round(POLICY) > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_a_device_it_says_so() -> None:
    with pytest.raises(SystemExit, match="no CUDA device here"):
        bench_accelerator.main(POLICY)
