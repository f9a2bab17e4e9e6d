"""Options are checked with one sentence each, and both sides can read the file."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from types import SimpleNamespace

import pytest

from training import configs
from training.configs import METHODS, BadOption, Selection, parse, parse_evaluation, suggested


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_described_and_its_default_is_allowed(method: str) -> None:
    kind = METHODS[method][1]
    for field in dataclasses.fields(kind):
        assert field.metadata["help"].endswith("."), field.name
        assert parse(method, {field.name: field.default}) == kind()


def test_the_authors_defaults() -> None:
    assert parse("dpo", {}).strength == 0.1
    assert parse("dpo", {"loss": "hinge"}).strength == 0.05
    assert parse("dpo", {"loss": "hinge", "beta": 0.1}).strength == 0.1
    assert parse("slic", {}).delta == 1.0
    assert (parse("simpo", {}).beta, parse("simpo", {}).gamma) == (2.0, 1.0)
    assert parse("orpo", {}).odds_weight == 0.1
    assert (parse("kto", {}).beta, parse("kto", {}).learning_rate) == (0.1, 5e-6)
    assert (parse("spin", {}).beta, parse("spin", {}).learning_rate) == (0.1, 5e-7)
    assert (parse("ppo", {}).clip, parse("ppo", {}).value_coef) == (0.2, 0.1)
    assert (parse("ppo_ptx", {}).ptx_coef, parse("ppo_ptx", {}).ptx_ratio) == (27.8, 8)
    assert parse("dpo", {}).learning_rate == 1e-6
    assert parse("sft", {}).learning_rate == 2e-5
    assert parse("sft", {}).weight_decay == 0.1
    assert parse("reward", {}).epochs == 1
    assert parse("reward", {}).final_learning_rate == 0.1


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("ppo2", {}, "no training method named 'ppo2'"),
        ("dpo", {"betta": 1}, "dpo has no option named 'betta'"),
        ("dpo", {"beta": -1.0}, "beta of dpo must lie between 0 and 100, not -1.0"),
        ("dpo", {"beta": float("nan")}, "beta of dpo must lie between"),
        ("grpo", {"beta": 0.0}, "With beta 0 nothing measures the KL that guard_kl limits"),
        ("rloo", {"beta": 0.0}, "With beta 0 nothing measures the KL that guard_kl limits"),
        ("dpo", {"epochs": 1.5}, "epochs of dpo must be a whole number, not 1.5"),
        ("dpo", {"epochs": True}, "epochs of dpo must be a whole number, not True"),
        ("dpo", {"warmup": 150}, "warmup of dpo must lie between 0 and 1, not 150"),
        ("reward", {"margin": "huge"}, "margin of reward must be one of none, small, large"),
        ("reward", {"learning_rate": "fast"}, "learning_rate of reward must be a number"),
        ("sft", {"batch_size": 8, "micro_batch_size": 3}, "must be a multiple of"),
        ("raft", {"keep": 3, "k": 2}, r"keep of raft (3) cannot be more than k (2)"),
        (
            "sft",
            {"best_metric": "eval\0loss"},
            "best_metric of sft holds a character that no text",
        ),
        (
            "sft",
            {"best_metric": "eval\ud800"},
            "best_metric of sft holds a character that no text",
        ),
    ],
)
def test_a_bad_option_is_one_clear_sentence(method: str, options: dict, words: str) -> None:
    with pytest.raises(BadOption) as caught:
        parse(method, options)
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_whole_numbers_are_numbers() -> None:
    assert parse("dpo", {"beta": 1}).beta == 1.0


def test_evaluation_options_and_guards() -> None:
    config = parse_evaluation({"world": True, "against": ["first"], "guards": {"kl": 3}})
    assert (config.world, config.against, config.guards.kl) == (True, ("first",), 3.0)
    assert config.guards.valid_text == 0.95
    with pytest.raises(BadOption, match="not with 'second'"):
        parse_evaluation({"against": ["second"]})
    with pytest.raises(BadOption, match="guards has no option named 'taste'"):
        parse_evaluation({"guards": {"taste": 1}})


def test_small_models_get_the_measured_recipe_and_large_ones_the_authors() -> None:
    assert suggested("reward", 431_000)["learning_rate"] > 1e-4
    assert suggested("reward", 7_000_000_000) == {}
    for method in METHODS:
        parse(method, suggested(method, 431_000))


def record(iteration: int, fold: str, split: str = "train") -> SimpleNamespace:
    return SimpleNamespace(iteration=iteration, fold=fold, split=split)


def test_the_policys_fold_has_every_earlier_label_and_its_share_of_the_new_ones() -> None:
    selection = Selection("train", "policy", 2)
    assert selection.keeps(record(1, "judge"))
    assert selection.keeps(record(2, "policy"))
    assert not selection.keeps(record(2, "judge"))
    assert not selection.keeps(record(3, "policy"))
    assert not selection.keeps(record(2, "policy", "heldout"))


def test_the_judges_fold_has_only_labels_that_the_policys_never_saw() -> None:
    judge, policy = Selection("train", "judge", 2), Selection("train", "policy", 2)
    rows = [record(i, fold) for i in (1, 2) for fold in ("judge", "policy")]
    assert [row for row in rows if judge.keeps(row)] == [record(2, "judge")]
    assert not any(judge.keeps(row) and policy.keeps(row) for row in rows)


def test_no_split_and_no_fold_keep_everything() -> None:
    assert Selection(None, None).keeps(record(5, "judge", "heldout"))


@pytest.mark.parametrize("data", [{"split": "test"}, {"fold": "mine"}, {"when": 1}])
def test_a_bad_selection_is_refused(data: dict) -> None:
    with pytest.raises(BadOption):
        Selection.parse(data)


def test_the_row_side_can_read_the_options_without_torch() -> None:
    code = "import sys, training.configs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert configs.__doc__
