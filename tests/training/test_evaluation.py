"""A candidate is judged against the first policy, with an interval, guards and a noise floor."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_runtime.jobdir import JobDir
from models_runtime.records import Progress
from tests.training import tiny
from training import evaluation
from training.configs import Guards
from training.evaluation import Drawn, Evaluation, distinct_2, verdicts
from training.intervals import clustered_mean
from training.sampling import Sample
from training.texts import repeats


def test_an_interval_by_clusters_is_wider_than_one_by_rows() -> None:
    values = [1.0] * 50 + [0.0] * 50
    by_rows = clustered_mean(values, range(100))
    by_items = clustered_mean(values, [n // 25 for n in range(100)])
    assert by_rows.mean == by_items.mean == 0.5
    assert by_rows.low == pytest.approx(0.5 - 1.984217 * (0.25 / 99) ** 0.5, abs=1e-6)
    assert by_items.low < by_rows.low
    assert (by_items.n, by_items.clusters) == (100, 4)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    items = np.repeat(np.arange(20), 8)
    covered = 0
    for _ in range(400):
        share = draw.beta(7, 3, 20)[items]
        found = clustered_mean((draw.random(160) < share).astype(float), list(items))
        covered += found.low <= 0.7 <= found.high
    assert 0.91 <= covered / 400 <= 0.98


def test_no_interval_without_two_clusters_and_no_mean_without_values() -> None:
    assert clustered_mean([1.0, 0.0], ["a", "a"]).low is None
    assert clustered_mean([], []).mean is None


def test_repetition_and_diversity() -> None:
    assert repeats("so it goes so it goes so it goes")
    assert not repeats("so it goes so it goes")
    assert distinct_2(["a b c", "a b d"]) == 3 / 4
    assert distinct_2(["one", ""]) == 0.0


def figures(**changes: float) -> dict[str, float]:
    return {"valid_text": 0.99, "kl": 2.0, "mean_length": 20.0, "duplicates": 0.1, **changes}


def test_guards_stop_a_policy_that_is_broken_and_say_why() -> None:
    assert all(row["ok"] for row in verdicts(Guards(), figures(), figures()))
    broken = figures(valid_text=0.5, kl=99.0, mean_length=60.0, duplicates=0.9)
    rows = verdicts(Guards(), broken, figures())
    assert [row["name"] for row in rows if not row["ok"]] == [
        "valid_text",
        "kl",
        "length_growth",
        "duplicates",
    ]
    assert rows[0]["sentence"] == "50.0% of the samples are valid text; at least 95.0% must be."
    nan = verdicts(Guards(), figures(kl=float("nan")), figures())
    assert not nan[1]["ok"], "a value that is no number must not pass"
    off = verdicts(dataclasses.replace(Guards(), kl=-1.0), broken, figures())
    assert "kl" not in [row["name"] for row in off]


def drawn(texts: list[str], rewards: list[float], k: int = 2) -> Drawn:
    rows = [Sample(n // k, n % k, text, "eos", [1, 2]) for n, text in enumerate(texts)]
    values = {"reward": np.array(rewards).reshape(-1, k)}
    return Drawn(rows, values, np.ones((len(texts) // k, k)), 0.0)


@pytest.fixture
def plain(tmp_path: Path) -> Evaluation:
    """An evaluation of two prompts about two items, judged by a reward model."""
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records(4)[::2])
    folder = tiny.write_job(
        tmp_path / "job", "evaluate", {}, {"prompts": prompts, "first": tmp_path}
    )
    config = evaluation.parse_evaluation({"samples_per_prompt": 2})
    return Evaluation(tiny.open_job(folder), config, 0)


def test_every_sample_meets_every_other_and_identical_texts_tie(plain: Evaluation) -> None:
    one = drawn(["a", "b", "c", "d"], [1.0, 2.0, 3.0, 4.0])
    other = drawn(["a", "x", "y", "z"], [9.0, 0.0, 3.0, 5.0])
    # prompt 1: a=a tie, a>x, b<a, b>x: 2.5 of 4; prompt 2: c=y tie in reward, c<z, d>y, d<z: 1.5
    found = plain.compare(one, other)
    assert found["win_rate"] == pytest.approx((2.5 / 4 + 1.5 / 4) / 2)
    assert (found["pairs"], found["identical"]) == (8, 1)
    assert found["tie_rate"] == 2 / 8
    assert found["proxy_win_rate"] == found["win_rate"]


def test_swapping_the_sides_gives_the_other_share(plain: Evaluation) -> None:
    one = drawn(["a", "b", "c", "d"], [1.0, 2.0, 3.0, 4.0])
    other = drawn(["a", "x", "y", "z"], [9.0, 0.0, 3.0, 5.0])
    forth, back = plain.compare(one, other), plain.compare(other, one)
    assert forth["win_rate"] + back["win_rate"] == pytest.approx(1.0)
    assert forth["win_rate_high"] == pytest.approx(1 - back["win_rate_low"])


@pytest.mark.training
def test_the_bar_counts_prompts_and_says_whose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Progress] = []
    monkeypatch.setattr(JobDir, "progress", lambda _, progress: shown.append(progress))
    policy = tiny.make_policy(tmp_path / "policy")
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records(4))
    inputs = {"candidate": policy, "first": policy, "parent": tiny.make_policy(tmp_path / "other")}
    config = {"samples_per_prompt": 2, "max_new_tokens": 4}
    evaluate(
        tiny.write_job(tmp_path / "job", "evaluate", config, {**inputs, "prompts": prompts}),
        config,
    )
    assert [f"{one.done} / {one.total} {one.unit}" for one in shown] == [
        "4 / 4 prompts, first policy 1",
        "4 / 4 prompts, first policy 2",
        "4 / 4 prompts, candidate 3",
        "4 / 4 prompts, parent 4",
    ]


@pytest.mark.training
def test_a_policy_against_itself_is_the_noise_floor(tmp_path: Path) -> None:
    policy = tiny.make_policy(tmp_path / "policy")
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records(8))
    inputs = {"candidate": policy, "first": policy, "parent": policy, "prompts": prompts}
    inputs["reward_model"] = make_judge(tmp_path / "judge", policy)
    config = {"samples_per_prompt": 12, "max_new_tokens": 8, "temperature": 1.0, "panel": 3}
    folder = tiny.write_job(tmp_path / "one", "evaluate", config, inputs)
    result = evaluate(folder, config)
    metrics = result["metrics"]
    assert metrics["self_pairs"] == 8 * 12 * 12
    assert metrics["self_win_rate"] == pytest.approx(0.5, abs=0.1)
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-4)
    assert metrics["facts_right"] is None
    assert result["judged_by"] == "reward_model"
    assert metrics["win_rate_low"] <= 0.5 <= metrics["win_rate_high"]
    assert metrics["valid_text"] <= 0.99
    assert len({row["item"] for row in result["panel"]}) == 3, "one phrasing of each item"
    assert set(result["panel"][0]) >= {"candidate", "first", "parent", "messages"}
    assert {row["name"] for row in result["guards"]} == {
        "valid_text",
        "kl",
        "length_growth",
        "duplicates",
    }
    # a second evaluation reuses the first policy's samples, and only those that fit
    inputs["first_samples"] = folder / "attempt-1" / "output"
    again = tiny.write_job(tmp_path / "two", "evaluate", config, inputs)
    assert evaluate(again, config)["self"] == result["self"]
    assert not list((again / "attempt-1" / "shards").glob("first*"))
    hotter = {**config, "temperature": 1.1}
    other = tiny.write_job(tmp_path / "three", "evaluate", hotter, inputs)
    evaluate(other, hotter)
    assert list((other / "attempt-1" / "shards").glob("first*"))


def evaluate(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    evaluation.run(tiny.open_job(folder), {"config": config, "seed": 3})
    result: dict[str, Any] = json.loads((folder / "attempt-1" / "result.json").read_text())
    return result


def make_judge(folder: Path, policy: Path) -> Path:
    from models_runtime.loading import load_reward_model, load_tokenizer, save_reward_model

    model = load_reward_model(policy, for_training=True)
    save_reward_model(model, load_tokenizer(policy), folder)
    return folder
