"""A reward model carries what its rewards mean: mean 0, deviation 1 on reference samples."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import pytest
import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.loading import load_reward_model, load_tokenizer
from tests.training import tiny
from training.data import Encoder
from training.reward_models import NORMALISATION, Normalisation, RewardModel
from training.scoring import rewards

pytestmark = pytest.mark.training
OPTIONS: dict[str, Any] = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 4}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("inputs")
    snapshot = tiny.write_snapshot(root / "snapshot", tiny.preference_records(24, 3))
    written = [
        {"prompt_id": n, "messages": tiny.asked("say me"), "completion": f"the answer is {word}"}
        for n, word in enumerate(("good", "fine good", "so very good"))
    ]
    tiny.write_lines(snapshot / "demonstrations.jsonl", written)
    return {"policy": tiny.make_policy(root / "policy"), "snapshot": snapshot}


def trained(folder: Path, inputs: dict[str, Path], **options: Any) -> Path:
    """The output of a whole run."""
    job = tiny.train(folder, "reward", {**OPTIONS, **options}, **inputs)
    return job / "attempt-1" / "output"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, inputs: dict[str, Path]) -> Path:
    return trained(tmp_path_factory.mktemp("plain"), inputs)


def answers(inputs: dict[str, Path], *, split: str = "train") -> list[Encoded]:
    """Every rated answer of the split, once."""
    encoder = Encoder(load_tokenizer(inputs["policy"]), 128)
    rows = [
        encoder.encode(record.messages, completion.text)
        for record in tiny.preference_records(24, 3)
        if record.split == split
        for completion in record.completions
    ]
    return [row for row in rows if row is not None]


def test_the_rated_answers_have_mean_0_and_deviation_1(
    inputs: dict[str, Path], plain: Path
) -> None:
    rows = answers(inputs)
    found = RewardModel(plain).score(rows)
    assert fmean(found.rewards) == pytest.approx(0, abs=1e-5)
    assert pstdev(found.rewards) == pytest.approx(1, abs=1e-5)
    stored = Normalisation.of(plain)
    assert (stored.on, stored.n) == ("answers", len(rows))
    assert fmean(found.as_trained) == pytest.approx(stored.mean, abs=1e-5)
    assert stored.sd != pytest.approx(1, abs=0.05)  # or there was nothing to show
    assert found.spread == [0.0] * len(rows)


def test_the_demonstrations_have_where_that_is_asked(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    output = trained(tmp_path, inputs, normalise="demonstrations")
    encoder = Encoder(load_tokenizer(inputs["policy"]), 128)
    texts = ["the answer is good", "the answer is fine good", "the answer is so very good"]
    rows = [encoder.encode(tiny.asked("say me"), text) for text in texts]
    rewards = RewardModel(output).score([row for row in rows if row is not None]).rewards
    assert (fmean(rewards), pstdev(rewards)) == pytest.approx((0, 1), abs=1e-5)


def test_the_policys_own_samples_have_where_that_is_asked(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    stored = Normalisation.of(trained(tmp_path, inputs, normalise="samples", max_new_tokens=8))
    assert (stored.on, stored.n) == ("samples", 20)  # one for each training prompt
    assert stored.sd > 0


def test_none_leaves_rewards_as_trained(tmp_path: Path, inputs: dict[str, Path]) -> None:
    output = trained(tmp_path, inputs, normalise="none")
    assert Normalisation.of(output) == Normalisation()
    found = RewardModel(output).score(answers(inputs))
    assert found.rewards == found.as_trained


def test_normalising_moves_no_weight(tmp_path: Path, inputs: dict[str, Path], plain: Path) -> None:
    other = trained(tmp_path, inputs, normalise="none")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (plain, other)]
    assert weights[0] == weights[1]


def test_missing_demonstrations_are_a_sentence_before_anything_is_trained(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    bare = tiny.write_snapshot(tmp_path / "bare", tiny.preference_records(12, 2))
    with pytest.raises(BadInput, match="holds no demonstration to normalise rewards on"):
        trained(tmp_path / "run", {**inputs, "snapshot": bare}, normalise="demonstrations")
    assert not (tmp_path / "run/job/attempt-1/metrics.jsonl").exists()


def test_a_model_from_elsewhere_is_used_as_it_is(tmp_path: Path, plain: Path) -> None:
    shutil.copytree(plain, tmp_path / "model")
    (tmp_path / "model" / NORMALISATION).unlink()
    assert Normalisation.of(tmp_path / "model") == Normalisation()


@pytest.mark.parametrize("text", ["no json", '{"mean": 1}x', '{"sd": 0}', '{"mean": NaN}', "[1]"])
def test_a_normalisation_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / NORMALISATION).write_text(text)
    with pytest.raises(BadInput, match="normalisation.json of the reward model"):
        Normalisation.of(tmp_path)


def test_a_mean_and_a_deviation_by_hand() -> None:
    found = Normalisation.fitted([[1.0], [2.0], [3.0]], "answers")
    assert (found.mean, found.n) == (2.0, 3)
    assert found.sd == pytest.approx(0.816497, abs=5e-7)
    assert Normalisation.fitted([[4.0], [4.0]], "answers").sd == 1.0


@pytest.mark.parametrize("heads", [2, 3])  # two labels are what the library does not write down
def test_a_reward_of_an_ensemble_is_its_heads_mean(
    tmp_path: Path, inputs: dict[str, Path], heads: int
) -> None:
    output = trained(tmp_path, inputs, heads=heads)
    rows = answers(inputs)
    model = load_reward_model(output)
    assert model.score.weight.shape[0] == heads
    with torch.inference_mode():
        by_head = rewards(model, rows)
    found = RewardModel(output).score(rows)
    assert found.as_trained == pytest.approx(by_head.mean(dim=1).tolist(), abs=1e-4)
    assert (fmean(found.rewards), pstdev(found.rewards)) == pytest.approx((0, 1), abs=1e-4)
    assert min(found.spread) >= 0
    assert max(found.spread) > 0.01
    centred = by_head - by_head.mean(dim=0)
    spread = centred.std(dim=1, correction=0) / Normalisation.of(output).sd
    assert found.spread == pytest.approx(spread.tolist(), abs=1e-4)


def test_an_ensemble_learns_as_one_model_does(tmp_path: Path, inputs: dict[str, Path]) -> None:
    job = tiny.train(tmp_path, "reward", {**OPTIONS, "heads": 4, "epochs": 5}, **inputs)
    metrics = tiny.result_of(job)["metrics"]
    assert metrics["accuracy"] > 0.9
    assert metrics["heads_agree"]["n"] + metrics["heads_differ"]["n"] == metrics["n"]


def test_the_report_of_a_run_is_calibrated_and_knows_of_margins(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    job = tiny.train(tmp_path, "reward", {**OPTIONS, "margin": "large"}, **inputs)
    metrics = tiny.result_of(job)["metrics"]
    assert metrics["calibration"]["margins"] is True
    assert metrics["calibration"]["after"]["nll"] <= metrics["calibration"]["before"]["nll"]
    assert metrics["length"]["gain"] == pytest.approx(metrics["margin"], abs=1e-5)
    stored = json.loads((job / "attempt-1/output" / NORMALISATION).read_text())
    assert metrics["normalisation"] == {"mean": stored["mean"], "sd": stored["sd"]}
