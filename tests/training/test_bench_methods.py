"""The table of methods: the labels that it trains on, what is measured, what is not run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models_runtime import world
from models_runtime.records import PromptRecord
from training.bench_methods import Bench, labelled, table

pytestmark = pytest.mark.training


def asked() -> list[PromptRecord]:
    train = [one for one in world.prompts() if one.split == "train"][:12]
    return [PromptRecord(n, one.messages, one.item) for n, one in enumerate(train)]


def test_there_are_as_many_labelled_pairs_as_asked_for() -> None:
    records = labelled(asked(), 20, seed=3)
    assert sum(len(record.preferences) for record in records) == 20
    assert {record.source for record in records} == {"simulated"}
    texts = [[one.text for one in record.completions] for record in records]
    assert all(len(set(of_one)) == len(of_one) for of_one in texts)


def test_another_seed_asks_and_labels_otherwise() -> None:
    assert labelled(asked(), 20, seed=3) == labelled(asked(), 20, seed=3)
    assert labelled(asked(), 20, seed=3) != labelled(asked(), 20, seed=4)


def test_too_few_prompts_are_told() -> None:
    with pytest.raises(SystemExit, match="pairs too few in 12 prompts"):
        labelled(asked(), 1000, seed=3)


@pytest.mark.long
def test_a_method_is_measured_once_and_held_against_where_it_started(tmp_path: Path) -> None:
    options = {"sft": {"learning_rate": 0.0}}
    found = Bench(tmp_path, 12, options).measure("sft", 1)
    assert 0.4 < found["win_rate"] < 0.6, "what learned nothing must tie with its start"
    assert abs(found["kl"]) < 1e-3
    assert found["cpu_seconds"] > 0
    assert found["peak_mb"] > 50
    folders = sorted(path.name for path in (tmp_path / "seed-1" / "sft").glob("attempt-*"))
    assert Bench(tmp_path, 12, options).measure("sft", 1) == found
    assert folders == sorted(p.name for p in (tmp_path / "seed-1" / "sft").glob("attempt-*"))
    assert "sft" in table({"sft": [found]})


@pytest.mark.long
def test_a_run_that_a_guard_stops_says_so_in_the_table(tmp_path: Path) -> None:
    options = {"ppo": {"reward": "length", "rounds": 1, "rollouts": 8, "guard_valid_text": 1.0}}
    bench = Bench(tmp_path, 12, {"ppo": {**options["ppo"], "temperature": 5.0}})
    found = bench.measure("ppo", 1)
    assert "a guard found" in str(found["failed"])
    assert "stopped: " in table({"ppo": [found]})
    job = json.loads((tmp_path / "seed-1" / "ppo" / "job.json").read_text())
    assert job["config"]["options"]["reward"] == "length"
