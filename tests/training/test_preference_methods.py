"""Whole jobs of the methods that learn from preferences, on a tiny random model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from models_runtime.jobdir import BadInput, is_complete, sha256_of
from models_runtime.records import Preference, PreferenceRecord
from tests.training import tiny
from tests.training.nursery import Nursery
from training.configs import BadOption, parse

pytestmark = [pytest.mark.training, pytest.mark.long]

QUICK = {"learning_rate": 3e-3, "epochs": 2, "batch_size": 8, "save_every": 3}
OPTIONS: dict[str, dict[str, Any]] = {
    "odpo": {},
    "tdpo": {},
    "beta_dpo": {},
    "simpo": {},
    "orpo": {},
    "slic": {},
    "kto": {"learn_from": "pairs"},
    "rrhf": {"batch_size": 2},
    "pro": {"batch_size": 2, "epochs": 3},
    "spin": {"epochs": 3, "max_new_tokens": 24},
}
IN_OUR_LOOP = [name for name in OPTIONS if name not in ("kto", "spin")]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(*OPTIONS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy and a snapshot of rankings of three, with demonstrations."""
    root = tmp_path_factory.mktemp("world")
    snapshot = tiny.write_snapshot(root / "snapshot", tiny.preference_records(24, 3))
    taught = [
        {"prompt_id": n, "messages": tiny.asked(f"say {word}"), "completion": "the answer is good"}
        for n, word in enumerate(tiny.WORDS.split())
    ]
    tiny.write_lines(snapshot / "demonstrations.jsonl", taught)
    return {"policy": tiny.make_policy(root / "policy"), "snapshot": snapshot, "root": root}


def job(world: dict[str, Path], name: str, method: str, **options: Any) -> Path:
    inputs = {"policy": world["policy"], "snapshot": world["snapshot"]}
    inputs["reference"] = world["policy"]
    config = {"method": method, "options": {**QUICK, **OPTIONS[method], **options}}
    return tiny.write_job(world["root"] / name, "train", config, inputs)


def finished(nursery: Nursery, world: dict[str, Path], method: str) -> Path:
    """The uninterrupted run of a method, once for all the tests."""
    folder = world["root"] / f"whole-{method}"
    if not folder.exists():
        assert nursery.run(job(world, f"whole-{method}", method)) == 0
    return folder


@pytest.mark.parametrize("method", OPTIONS)
def test_a_run_moves_the_weights_lowers_the_loss_and_publishes(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    folder = finished(nursery, world, method)
    output = folder / "attempt-1" / "output"
    assert is_complete(output)
    before = load_file(world["policy"] / "model.safetensors")
    after = load_file(output / "model.safetensors")
    moved = [name for name in before if name in after and not before[name].equal(after[name])]
    assert len(moved) == len(after)
    rows = tiny.metrics_of(folder)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert sum(r["loss"] for r in rows[-3:]) < sum(r["loss"] for r in rows[:3])
    resolved = json.loads((folder / "attempt-1" / "config.json").read_text())
    assert json.loads((output / "training.json").read_text()) == resolved


@pytest.mark.parametrize("method", OPTIONS)
def test_it_comes_to_prefer_what_people_preferred(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    rows = tiny.metrics_of(finished(nursery, world, method))
    if method == "kto":  # the library has no accuracy of answers judged one by one
        assert rows[-1]["rewards/margins"] > rows[0].get("rewards/margins", 0.0)
    else:
        assert rows[-1]["rewards/accuracies"] > 0.9


@pytest.mark.parametrize("method", OPTIONS)
def test_a_killed_run_resumes_bit_for_bit(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    whole = finished(nursery, world, method)
    folder = job(world, f"killed-{method}", method)
    nursery.killed_then_resumed(folder, after_step=2)
    weights = [
        sha256_of(path / "output" / "model.safetensors")
        for path in (whole / "attempt-1", folder / "attempt-2")
    ]
    assert weights[0] == weights[1]
    assert tiny.joined_metrics(folder) == tiny.joined_metrics(whole)
    assert tiny.metrics_of(folder, 2)[0]["step"] > 1, "the second attempt began from the start"


@pytest.mark.parametrize("method", ["odpo", "tdpo", "pro"])
def test_eight_micro_batches_of_one_equal_one_batch_of_eight(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    changed = {"batch_size": 8, "epochs": 1, "save_every": 100}
    whole = job(world, f"whole-batch-{method}", method, **changed)
    parts = job(world, f"micro-batch-{method}", method, **changed, micro_batch_size=1)
    assert nursery.run(whole) == nursery.run(parts) == 0
    for one, other in zip(tiny.metrics_of(whole), tiny.metrics_of(parts), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-3)


def with_weights(records: list[PreferenceRecord], weight: float) -> list[PreferenceRecord]:
    """The first record's pairs at that weight."""
    heavy = [Preference(p.chosen, p.rejected, p.strength, weight) for p in records[0].preferences]
    return [dataclasses.replace(records[0], preferences=heavy), *records[1:]]


@pytest.mark.parametrize("method", ["odpo", "rrhf"])
def test_a_pair_of_weight_two_counts_as_two(tmp_path: Path, method: str) -> None:
    """The loss of the first batch, which is all of the data."""
    records = tiny.preference_records(3)
    twice = [*records, dataclasses.replace(records[0], comparison_id=99)]
    losses = []
    for name, found in (("heavy", with_weights(records, 2.0)), ("twice", twice)):
        snapshot = tiny.write_snapshot(tmp_path / name / "snapshot", found)
        folder = tiny.train(tmp_path / name, method, {"epochs": 1}, snapshot=snapshot)
        losses.append(tiny.metrics_of(folder)[0]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_what_cannot_be_trained_on_is_counted_under_its_reason(tmp_path: Path) -> None:
    records = tiny.preference_records(6, 3)
    best, middle, worst = records[0].completions
    changed = [
        dataclasses.replace(records[0], completions=[
            dataclasses.replace(best, finish_reason="length"), middle, worst
        ]),
        dataclasses.replace(records[1], completions=[
            records[1].completions[0],
            dataclasses.replace(records[1].completions[1], text=records[1].completions[0].text),
            dataclasses.replace(records[1].completions[2], text="good " * 130),
        ]),
        dataclasses.replace(records[2], ties=[[20, 21]], preferences=[Preference(20, 22)]),
    ]  # fmt: skip
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", [*changed, records[3]])
    for method in ("odpo", "pro"):
        folder = tiny.train(tmp_path / method, method, {"epochs": 1}, snapshot=snapshot)
        result = tiny.result_of(folder)
        assert result["dropped"] == {
            "cut off": 2, "identical texts": 1, "too long": 2, "tied": 1,
        }  # fmt: skip
    assert result["rows"] == 3  # of one, one and three pairs


def test_a_ranking_that_contradicts_itself_is_dropped(tmp_path: Path) -> None:
    records = tiny.preference_records(2, 3)
    around = [Preference(0, 1), Preference(1, 2), Preference(2, 0)]
    circular = dataclasses.replace(records[0], preferences=around)
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", [circular, records[1]])
    folder = tiny.train(tmp_path, "rrhf", {"epochs": 1}, snapshot=snapshot)
    assert tiny.result_of(folder)["dropped"] == {"circular": 3}


@pytest.mark.parametrize("method", ["dpo", "odpo", "tdpo", "kto"])
def test_a_reference_with_another_tokenizer_is_refused(tmp_path: Path, method: str) -> None:
    policy = tiny.make_policy(tmp_path / "policy")
    other = tiny.make_policy(tmp_path / "other")
    tokenizer = tiny.make_tokenizer()
    tokenizer.add_tokens(["another"])
    tokenizer.save_pretrained(other)
    with pytest.raises(BadInput, match="another tokenizer than the policy"):
        tiny.train(tmp_path / "run", method, {}, policy=policy, reference=other)
    assert not (tmp_path / "run" / "job" / "attempt-1" / "output").exists()


@pytest.mark.parametrize("method", IN_OUR_LOOP)
def test_ties_alone_are_refused(tmp_path: Path, method: str) -> None:
    tied = [
        dataclasses.replace(
            one, preferences=[], ties=[[one.completions[0].id, one.completions[1].id]]
        )
        for one in tiny.preference_records(3)
    ]
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tied)
    with pytest.raises(BadInput, match="All 3 comparisons are ties"):
        tiny.train(tmp_path, method, {}, snapshot=snapshot)


def test_beta_moves_with_the_batch_and_part_of_it_is_left_out(
    nursery: Nursery, world: dict[str, Path]
) -> None:
    rows = tiny.metrics_of(finished(nursery, world, "beta_dpo"))
    assert rows[0]["beta"] == pytest.approx(0.1, abs=1e-4)  # all log-ratios are 0
    assert max(row["beta"] for row in rows) > 0.1


def test_a_part_of_a_batch_has_no_beta_of_its_own() -> None:
    with pytest.raises(BadOption, match="micro_batch_size must be 0"):
        parse("beta_dpo", {"batch_size": 8, "micro_batch_size": 4})


def test_tdpo_starts_without_kl_and_drifts(nursery: Nursery, world: dict[str, Path]) -> None:
    rows = tiny.metrics_of(finished(nursery, world, "tdpo"))
    assert rows[0]["kl/chosen"] == pytest.approx(0.0, abs=1e-5)
    assert rows[-1]["kl/chosen"] > 0.01
