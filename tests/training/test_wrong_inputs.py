"""What no run can be made of ends in one sentence, whatever the method, and leaves nothing behind
that looks like a result."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from models_runtime.loading import (
    check_policy,
    load_reward_model,
    load_tokenizer,
    save_reward_model,
)
from models_runtime.records import PreferenceRecord, Rated
from tests.training import tiny
from training.configs import METHODS, BadOption, parse
from training.data import Encoder

pytestmark = pytest.mark.training

BY_PROMPTS = {"raft", "distil", "ppo", "ppo_ptx", "grpo", "rloo"}  # what they learn on is asked
BY_PAIRS = set(METHODS) - BY_PROMPTS - {"regression"}
AGAINST_REFERENCE = ("dpo", "odpo", "tdpo", "beta_dpo", "kto", "ppo", "ppo_ptx", "grpo", "rloo")
QUICK = {"max_new_tokens": 8}
# One batch, where the authors' sizes want more answers than there are.
SMALL: dict[str, dict[str, Any]] = {
    **{name: {"rounds": 1, "rollouts": 4, "batch_size": 4} for name in ("ppo", "ppo_ptx")},
    **{name: {"batch_size": 4, "k": 4} for name in ("grpo", "rloo")},
    "raft": {"k": 2},
    "distil": {"mined": 1.0},
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Inputs that any method could train on."""
    root = tmp_path_factory.mktemp("given")
    policy = tiny.make_policy(root / "policy")
    judge = root / "judge"
    save_reward_model(load_reward_model(policy), load_tokenizer(policy), judge)
    return {
        "policy": policy,
        "reference": policy,
        "reward_model": judge,
        "safety_model": judge,
        "snapshot": snapshot_of(root / "snapshot", tiny.preference_records(12)),
        "prompts": tiny.write_lines(root / "prompts.jsonl", tiny.prompt_records()),
    }


def snapshot_of(folder: Path, records: list[PreferenceRecord]) -> Path:
    """Pairs, and each answer's points where there are pairs: tied ones have the same."""
    tiny.write_snapshot(folder, records)
    ratings = [
        Rated(
            r.comparison_id, r.prompt_id, r.iteration, r.item, r.split, r.fold, r.messages, one,
            overall=0.5 if r.ties else 1.0 - rank,
        )
        for r in records
        for rank, one in enumerate(r.completions)
    ]  # fmt: skip
    tiny.write_lines(folder / "ratings.jsonl", ratings)
    return folder


def tied(folder: Path) -> Path:
    records = [
        dataclasses.replace(one, preferences=[], ties=[[c.id for c in one.completions]])
        for one in tiny.preference_records(3)
    ]
    return snapshot_of(folder, records)


def refused(
    folder: Path, method: str, given: dict[str, Path], options: dict[str, Any] | None = None
) -> str:
    """The sentence that a run ends with, which has left no checkpoint, output or result."""
    told = {**QUICK, **SMALL.get(method, {}), **(options or {})}
    with pytest.raises((BadInput, BadOption)) as caught:
        tiny.train(folder, method, told, **given)
    attempt = folder / "job" / "attempt-1"
    for name in ("output", "result.json", "metrics.jsonl", "checkpoints/step-1"):
        assert not (attempt / name).exists(), name
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(folder) not in sentence
    return sentence


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_snapshot_or_no_prompts(
    given: dict[str, Path], tmp_path: Path, method: str
) -> None:
    empty = {
        **given,
        "snapshot": snapshot_of(tmp_path / "empty", []),
        "prompts": tiny.write_lines(tmp_path / "empty.jsonl", []),
    }
    sentence = refused(tmp_path, method, empty)
    assert any(
        words in sentence
        for words in (
            "holds no comparison that this run may train on",
            "holds no demonstration that this run may train on",
            "No row is left to train on (the data are empty)",
            "There is no prompt to sample from",
        )
    ), sentence


@pytest.mark.parametrize("method", sorted(BY_PAIRS))
def test_ties_alone(given: dict[str, Path], tmp_path: Path, method: str) -> None:
    told = {"learn_from": "pairs"} if method in ("kto", "conditional") else {}
    sentence = refused(tmp_path, method, {**given, "snapshot": tied(tmp_path / "tied")}, told)
    expected = (
        "holds no demonstration that this run may train on"  # nothing is preferred in a tie
        if method in ("sft", "spin")
        else "All 3 comparisons are ties"
    )
    assert expected in sentence


def test_points_that_are_all_the_same(given: dict[str, Path], tmp_path: Path) -> None:
    same = {**given, "snapshot": tied(tmp_path / "tied")}
    assert "have the same points" in refused(tmp_path, "regression", same)


@pytest.mark.parametrize("up", [True, False])
def test_thumbs_of_one_kind(given: dict[str, Path], tmp_path: Path, up: bool) -> None:
    snapshot = snapshot_of(tmp_path / "one", tiny.preference_records(6))
    lines = (snapshot / "ratings.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "desirable": up, "overall": None} for line in lines]
    tiny.write_lines(snapshot / "ratings.jsonl", rows)
    sentence = refused(tmp_path, "kto", {**given, "snapshot": snapshot})
    assert ("needs bad ones" if up else "needs good ones") in sentence


@pytest.mark.parametrize("method", sorted(BY_PAIRS | {"regression"}))
def test_rows_that_are_all_too_long(given: dict[str, Path], tmp_path: Path, method: str) -> None:
    sentence = refused(tmp_path, method, given, {"max_length": 8})
    assert "No row is left to train on (" in sentence
    assert "too long" in sentence


@pytest.mark.parametrize("method", AGAINST_REFERENCE)
def test_a_reference_with_another_tokenizer(
    given: dict[str, Path], tmp_path: Path, method: str
) -> None:
    other = tiny.make_policy(tmp_path / "other")
    tokenizer = tiny.make_tokenizer()
    tokenizer.add_tokens(["another"])
    tokenizer.save_pretrained(other)
    sentence = refused(tmp_path, method, {**given, "reference": other})
    assert "another tokenizer than the policy" in sentence


@pytest.mark.parametrize("method", METHODS)
def test_an_option_that_the_method_does_not_have(method: str) -> None:
    with pytest.raises(BadOption, match=f"{method} has no option named 'betta'; it has .*"):
        parse(method, {"betta": 1})


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_for_layers_that_the_policy_does_not_have(
    given: dict[str, Path], tmp_path: Path, method: str
) -> None:
    told = {"adapter": "lora", "lora_targets": "query_key_value"}
    sentence = refused(tmp_path, method, given, told)
    assert "no layers that an adapter can be put on by the name query_key_value" in sentence
    assert not (tmp_path / "job" / "attempt-1" / "shards").exists(), "found out after sampling"


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_in_place_of_the_policy(
    given: dict[str, Path], tmp_path: Path, method: str
) -> None:
    """It would bring a base of its own, whatever that is."""
    adapter = tiny.make_policy(tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "another"}')
    assert "adapter" in refused(tmp_path, method, {**given, "policy": adapter})


def without_an_end(folder: Path) -> Path:
    """A policy whose chat template writes no end after an answer."""
    policy = tiny.make_policy(folder)
    tokenizer = load_tokenizer(policy)
    tokenizer.chat_template = str(tokenizer.chat_template).replace("<eos>", "")
    tokenizer.save_pretrained(policy)
    return policy


@pytest.mark.parametrize("method", METHODS)
def test_a_template_without_an_end_in_a_folder_that_was_registered_before(
    given: dict[str, Path], tmp_path: Path, method: str
) -> None:
    sentence = refused(tmp_path, method, {**given, "policy": without_an_end(tmp_path / "policy")})
    assert sentence.startswith("The chat template writes no end token (<eos>) after the assistant")


def test_a_template_without_an_end_is_refused_when_a_policy_is_registered_and_rows_have_theirs(
    tmp_path: Path,
) -> None:
    """(tests/models_runtime/test_loading_refuses.py has the other things that are refused there.)
    What trains encodes an answer apart from the template, and ends it by itself."""
    policy = without_an_end(tmp_path / "policy")
    tokenizer = load_tokenizer(policy)
    with pytest.raises(BadInput, match=r"writes no end token \(<eos>\)"):
        check_policy(policy)
    row = Encoder.of(policy, parse("sft", {})).encode(tiny.asked("say me"), "good")
    assert row is not None
    assert row.ids[-1] == tokenizer.eos_token_id
