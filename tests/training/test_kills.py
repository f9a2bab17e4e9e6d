"""Every method, killed by SIGKILL at random moments: what it publishes in the end is what an
uninterrupted run publishes, byte for byte, and so are its curve and its result."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import is_complete, manifest_of
from models_runtime.records import PromptRecord, Rated
from tests.training import tiny
from tests.training.killing import Commands, Starter, killed_at, moments
from tests.training.nursery import Nursery
from training.configs import METHODS

pytestmark = pytest.mark.training

QUICK = {"learning_rate": 3e-3, "batch_size": 4, "save_every": 3, "max_new_tokens": 8}
PAIRS = {**QUICK, "epochs": 2}
RANKED = {**QUICK, "epochs": 6}
UNGUARDED = {
    name: -1.0 for name in ("guard_kl", "guard_valid_text", "guard_length_growth", "guard_chosen")
}
PPO = {**QUICK, **UNGUARDED, "rounds": 8, "rollouts": 8, "batch_size": 4, "epochs": 2}
GROUPED = {**QUICK, **UNGUARDED, "batch_size": 8, "k": 4, "epochs": 6}
OPTIONS: dict[str, dict[str, Any]] = {
    "sft": {**QUICK, "epochs": 6},
    "reward": RANKED,
    "regression": {**QUICK, "epochs": 2},
    **dict.fromkeys(("dpo", "odpo", "tdpo", "beta_dpo", "simpo", "orpo", "slic", "kto"), PAIRS),
    **dict.fromkeys(("rrhf", "pro"), RANKED),
    "spin": {**QUICK, "epochs": 6},
    "conditional": PAIRS,
    "hindsight": {**QUICK, "epochs": 1},
    "raft": {**QUICK, "epochs": 12, "batch_size": 2, "k": 4, "max_new_tokens": 24},
    "distil": {**QUICK, "epochs": 12, "batch_size": 1, "k": 3, "mined": 1.0,
               "max_new_tokens": 24},
    "ppo": {**PPO, "kl_target": 1.0},
    "ppo_ptx": {**PPO, "value": "shared", "ptx_ratio": 2},
    "grpo": GROUPED,
    "rloo": GROUPED,
}  # fmt: skip


def test_no_method_is_left_out() -> None:
    assert set(OPTIONS) == set(METHODS)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(*METHODS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> dict[str, Path]:
    """A policy and a teacher, answers that were ranked, rated and written, prompts, and a reward
    model trained on the rankings."""
    root = tmp_path_factory.mktemp("world")
    records = tiny.preference_records(24, 3)
    snapshot = tiny.write_snapshot(root / "snapshot", records)
    ratings = [
        Rated(
            r.comparison_id, r.prompt_id, r.iteration, r.item, r.split, r.fold, r.messages, one,
            overall=1 - rank / 2,
        )
        for r in records
        for rank, one in enumerate(r.completions)
    ]  # fmt: skip
    tiny.write_lines(snapshot / "ratings.jsonl", ratings)
    written = [
        {"prompt_id": n, "messages": tiny.asked(f"say {word}"), "completion": "the answer is good"}
        for n, word in enumerate(tiny.WORDS.split())
    ]
    tiny.write_lines(snapshot / "demonstrations.jsonl", written)
    asked = [
        PromptRecord(n, tiny.asked(f"say {word}"), f"item {n}")
        for n, word in enumerate(tiny.WORDS.split()[:12])
    ]
    policy = tiny.make_policy(root / "policy")
    inputs = {"policy": policy, "snapshot": snapshot}
    config = {"method": "reward", "options": {**RANKED, "learning_rate": 1e-2}}
    judge = tiny.write_job(root / "judge", "train", config, inputs)
    assert nursery.run(judge) == 0
    return {
        **inputs,
        "reference": policy,
        "teacher": tiny.make_policy(root / "teacher", seed=5),
        "prompts": tiny.write_lines(root / "prompts.jsonl", asked),
        "reward_model": judge / "attempt-1" / "output",
        "safety_model": judge / "attempt-1" / "output",
    }


def job(world: dict[str, Path], folder: Path, method: str) -> Path:
    config = {"method": method, "options": OPTIONS[method]}
    return tiny.write_job(folder, "train", config, world)


def ends_the_same(
    starter: Starter,
    world: dict[str, Path],
    folder: Path,
    method: str,
    kills: int,
    last_starter: Starter,
) -> None:
    """``starter`` starts what is killed, ``last_starter`` the attempt after that and the run that
    nobody interrupts."""
    whole, killed = (job(world, folder / name, method) for name in ("whole", "killed"))
    ended = last_starter.wait(last_starter.start(whole))
    assert ended == 0, (whole / "log-1.txt").read_text()[-2000:]
    steps = len(tiny.metrics_of(whole))
    assert shown(whole) == watched(method, steps)
    when = moments(steps, kills, seed=zlib.crc32(method.encode()))
    last = killed_at(starter, killed, when, last_starter)
    outputs = [whole / "attempt-1" / "output", killed / f"attempt-{last}" / "output"]
    assert all(map(is_complete, outputs))
    assert manifest_of(outputs[0]) == manifest_of(outputs[1])
    assert tiny.joined_metrics(killed) == tiny.joined_metrics(whole)
    assert told(killed, last) == told(whole)
    assert steps >= 16, "too few steps to be killed in the midst of them"
    if when[-1].step > 2 * OPTIONS[method]["save_every"]:
        assert tiny.metrics_of(killed, last)[0]["step"] > 1, "the last attempt began anew"


def shown(folder: Path) -> list[int]:
    """The steps at which the fixed prompts were answered."""
    path = folder / "attempt-1" / "panel.jsonl"
    rows = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return list(dict.fromkeys(json.loads(row)["step"] for row in rows))


def watched(method: str, steps: int) -> list[int]:
    """Every checkpoint of a method that makes a policy, and its end."""
    if method in ("reward", "regression"):
        return []
    every = OPTIONS[method]["save_every"]
    return [step for step in range(1, steps + 1) if step % every == 0 or step == steps]


def told(folder: Path, attempt: int = 1) -> dict[str, Any]:
    """Its result, but for the memory that this process happened to need."""
    result = tiny.result_of(folder, attempt)
    result.pop("memory", None)
    return result


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_two_kills_change_no_byte(
    nursery: Nursery, world: dict[str, Path], tmp_path: Path, method: str
) -> None:
    ends_the_same(nursery, world, tmp_path, method, 2, nursery)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_ten_kills_change_no_byte(
    nursery: Nursery, world: dict[str, Path], tmp_path: Path, method: str
) -> None:
    """What is killed is born of the nursery, which spares ten imports of torch; the run that goes
    on to the end, and the whole one, are ``python -m training.run DIR``."""
    ends_the_same(nursery, world, tmp_path, method, 10, Commands())
