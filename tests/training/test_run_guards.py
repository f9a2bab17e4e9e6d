"""Limits on a run that learns from its own samples, and runs that cannot be: one sentence each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from tests.training import tiny
from training.configs import BadOption, parse
from training.reward_sources import Answer
from training.run_guards import (
    CHOSEN,
    KL,
    LENGTH,
    SPREAD,
    START_KL,
    VALID,
    RunGuards,
    text_figures,
)

SOUND = {KL: 1.0, VALID: 1.0, LENGTH: 10.0, CHOSEN: -0.5}
SMALL = {"reward": "length", "max_new_tokens": 6, "rounds": 2, "rollouts": 4, "batch_size": 4}


def guards(**options: Any) -> RunGuards:
    return RunGuards(parse("ppo", options))


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({KL: 26.0}, "the policy 26.0 nats an answer from its reference; at most 25.0"),
        ({VALID: 0.5}, "50.0 % of the samples to be valid text; at least 80.0 % must be"),
        ({LENGTH: 21.0}, "answers 2.10 times as long as at first; at most 2.00 is allowed"),
        ({CHOSEN: -1.75}, "less likely than at first, by 1.25 nats a token; at most 1.00 is"),
    ],
)
def test_beyond_a_limit_the_run_stops_and_says_why(figures: dict[str, float], words: str) -> None:
    watch = guards()
    assert watch.check(SOUND, 0) == []
    with pytest.raises(BadInput, match=words.replace(".", r"\.")) as caught:
        watch.check({**SOUND, **figures}, 8)
    assert str(caught.value).startswith("At step 8 ")


def test_a_limit_on_how_far_rewards_differ_and_on_the_way_from_the_start() -> None:
    watch = guards(guard="warn", guard_disagreement=0.5)
    (first,) = watch.check({SPREAD: 0.75}, 2)
    (second,) = watch.check({START_KL: 26.0}, 3)
    assert "by a standard deviation of 0.75; at most 0.50 is allowed" in first
    assert "26.0 nats an answer from where training began; at most 25.0" in second


def test_a_guard_that_is_off_lets_all_pass_but_what_is_no_number() -> None:
    watch = guards(guard="off")
    assert watch.check({**SOUND, KL: 1e9, VALID: 0.0}, 4) == []
    with pytest.raises(BadInput, match="diverged"):
        watch.check({KL: float("inf")}, 5)


def test_a_guard_that_warns_lets_it_go_on() -> None:
    watch = guards(guard="warn")
    (sentence,) = watch.check({**SOUND, KL: 99.0}, 4)
    assert "99.0 nats" in sentence


def test_a_negative_limit_is_none() -> None:
    watch = guards(
        guard_kl=-1.0, guard_valid_text=-1.0, guard_length_growth=-1.0, guard_chosen=-1.0
    )
    watch.check(SOUND, 0)
    assert watch.check({KL: 1e9, VALID: 0.0, LENGTH: 1e9, CHOSEN: -1e9}, 1) == []


def test_where_no_answer_was_preferred_none_can_fall() -> None:
    watch = guards()
    without = {name: value for name, value in SOUND.items() if name != CHOSEN}
    assert watch.check(without, 0) == watch.check(without, 1) == []


@pytest.mark.parametrize("guard", ["stop", "warn"])
def test_a_figure_that_is_no_number_always_stops(guard: str) -> None:
    with pytest.raises(BadInput, match="diverged: objective/kl is no finite number"):
        guards(guard=guard).check({**SOUND, KL: float("nan")}, 4)


def test_a_text_is_valid_that_ended_says_something_and_does_not_go_in_circles() -> None:
    texts = {"so it is": True, "so it": False, " ": True, "so it is " * 3: True}
    answers = [Answer(0, [], text, ended, 4) for text, ended in texts.items()]
    assert text_figures(answers) == {VALID: 0.25, "completions/clipped_ratio": 0.25, LENGTH: 4.0}


def trained(folder: Path, method: str, **options: Any) -> Path:
    prompts = tiny.write_lines(folder / "prompts.jsonl", tiny.prompt_records())
    return tiny.train(folder, method, options, prompts=prompts)


@pytest.mark.training
@pytest.mark.parametrize("method", ["ppo", "rloo"])
def test_a_run_that_a_guard_stops_leaves_no_policy(tmp_path: Path, method: str) -> None:
    given = SMALL if method == "ppo" else {"reward": "length", "batch_size": 8, "k": 4}
    with pytest.raises(BadInput, match="At step 1 a guard found .* to be valid text"):
        trained(tmp_path, method, **given, guard_valid_text=1.0)
    assert not (tmp_path / "job" / "attempt-1" / "output").exists()


@pytest.mark.training
@pytest.mark.parametrize("method", ["ppo", "rloo", "grpo"])
def test_how_likely_preferred_answers_are_is_followed(tmp_path: Path, method: str) -> None:
    given = SMALL if method == "ppo" else {"reward": "length", "batch_size": 8, "k": 4}
    folder = trained(tmp_path, method, **given, guard="warn", guard_valid_text=-1.0)
    followed = [row[CHOSEN] for row in tiny.metrics_of(folder) if CHOSEN in row]
    assert len(followed) > 1
    assert all(value < 0 for value in followed)


@pytest.mark.training
def test_a_run_that_was_warned_ends_and_says_so(tmp_path: Path) -> None:
    folder = trained(tmp_path, "ppo", **SMALL, guard_valid_text=1.0, guard="warn")
    metrics = tiny.result_of(folder)["metrics"]
    assert metrics["warnings"] == 2
    assert "valid text" in metrics["last_warning"]


@pytest.mark.training
@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("ppo", {"reward": "piecewise"}, "no input named safety_model"),
        ("ppo", {}, "no input named reward_model"),
        ("grpo", {}, "no input named reward_model"),
    ],
)
def test_a_run_without_what_rewards_it_is_refused(
    tmp_path: Path, method: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        trained(tmp_path, method, **options)


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("ppo", {"rollouts": 8, "k": 3}, r"rollouts \(8\) must be a multiple of k \(3\)"),
        ("rloo", {"batch_size": 8, "k": 3}, r"batch_size \(8\) must be a multiple of k \(3\)"),
        ("grpo", {"kl": "loss_k1"}, "grpo has no option named 'kl'"),
        ("ppo", {"kl": "loss_k1"}, "kl of ppo must be one of reward, loss_k2, loss_k3"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    method: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadOption, match=words):
        parse(method, options)
