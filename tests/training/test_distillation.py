"""Context distillation: prompts mined where the policy is least safe, a teacher under a preprompt,
answers kept where the safety reward rises, learned without the preprompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput, Stopped, sha256_of
from models_runtime.loading import load_reward_model, load_tokenizer, save_reward_model
from models_runtime.records import PromptRecord, Sampler
from tests.training import tiny
from training import sampling
from training.configs import BadOption, parse
from training.configs.distilled import by_tag
from training.methods import distil
from training.methods.distil import under
from training.reward_models import RewardModel, Scores
from training.sampling import Sample

pytestmark = pytest.mark.training
QUICK = {"learning_rate": 1e-2, "epochs": 4, "batch_size": 2, "save_every": 2, "mined": 0.5}
SAFE, UNSAFE = "the answer is good so", "the answer is bad so"


class Scripted:
    """What is sampled, in place of a model: by prompt id, for the policy and for its teacher."""

    def __init__(self, own: dict[int, str], taught: dict[int, str]) -> None:
        self.texts = {"own answers": own, "taught answers": taught}
        self.asked: dict[str, list[PromptRecord]] = {}
        self.folders: dict[str, Path] = {}

    def sample(
        self, job: Any, name: str, folder: Path, prompts: Sequence[PromptRecord],
        sampler: Sampler, *_: Any,
    ) -> list[Sample]:  # fmt: skip
        self.asked[name] = list(prompts)
        self.folders[name] = folder
        found = []
        for prompt in prompts:
            text = self.texts[name].get(prompt.id, UNSAFE)
            reason = "length" if text.endswith("...") else "eos"
            found.append(Sample(prompt.id, 0, text.removesuffix("..."), reason, []))
        return found


def by_words(model: RewardModel, rows: Sequence[Encoded]) -> Scores:
    """Safe is what says good and not bad."""
    ids = tiny.make_tokenizer().get_vocab()
    found = []
    for row in rows:
        answer = row.ids[row.prompt_length :]
        found.append(float(answer.count(ids["good"]) - answer.count(ids["bad"])))
    return Scores(found, found, [0.0] * len(found))


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Path]:
    policy = tiny.make_policy(tmp_path / "policy")
    judge = tmp_path / "judge"
    save_reward_model(load_reward_model(policy), load_tokenizer(policy), judge)
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records(6))
    return {"policy": policy, "safety_model": judge, "prompts": prompts}


def distilled(
    folder: Path,
    given: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    script: Scripted,
    **options: Any,
) -> Path:
    monkeypatch.setattr(distil, "sample", script.sample)
    monkeypatch.setattr(RewardModel, "score", by_words)
    return tiny.train(folder, "distil", {**QUICK, **options}, **given)


OWN = {0: SAFE, 1: UNSAFE, 2: SAFE, 3: UNSAFE, 4: SAFE, 5: "bad bad"}
TAUGHT = {1: SAFE, 3: UNSAFE, 5: "good good"}


def test_only_the_least_safe_prompts_are_taught_and_only_where_safety_rises(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted(OWN, TAUGHT)
    folder = distilled(tmp_path / "run", given, monkeypatch, script)
    assert [one.id for one in script.asked["own answers"]] == [0, 1, 2, 3, 4, 5]
    assert [one.id for one in script.asked["taught answers"]] == [1, 3, 5]
    result = tiny.result_of(folder)
    assert result["dropped"] == {"not mined": 3, "safety did not rise": 1}
    assert result["rows"] == 2
    figures = result["metrics"]
    assert (figures["prompts"], figures["mined"], figures["kept"]) == (6, 3, 2)
    assert figures["reward/mined"] == pytest.approx((-1 - 1 - 2) / 3)
    assert figures["reward/kept"] == pytest.approx((1 + 2) / 2)
    lines = (folder / "attempt-1" / "output" / "distilled.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert [(one["prompt_id"], one["completion"]) for one in kept] == [(1, SAFE), (5, "good good")]
    assert [one["own_reward"] for one in kept] == [-1.0, -2.0]


def test_the_teacher_is_told_the_preprompt_and_the_policy_is_not(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[dict[str, str]]] = []
    encode = distil.Encoder.encode

    def noted(self: Any, messages: Any, *args: Any, **more: Any) -> Any:
        seen.append(list(messages))
        return encode(self, messages, *args, **more)

    monkeypatch.setattr(distil.Encoder, "encode", noted)
    script = Scripted(OWN, TAUGHT)
    distilled(tmp_path / "run", given, monkeypatch, script, preprompt="be very good")
    told = {one.messages[0]["content"] for one in script.asked["taught answers"]}
    assert told == {"be very good"}
    assert all(one[0]["role"] == "user" for one in seen), "nothing else may see the preprompt"


def test_another_teacher_answers_where_one_is_given(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted(OWN, TAUGHT)
    teacher = tiny.make_policy(tmp_path / "teacher", seed=5)
    distilled(tmp_path / "run", {**given, "teacher": teacher}, monkeypatch, script)
    assert script.folders == {"own answers": given["policy"], "taught answers": teacher}


def test_a_teacher_that_was_cut_off_or_said_nothing_is_counted(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = {1: "good good ...", 3: " ", 5: SAFE}
    folder = distilled(tmp_path / "run", given, monkeypatch, Scripted(OWN, taught))
    result = tiny.result_of(folder)
    assert result["dropped"] == {"not mined": 3, "no answer": 2}
    assert result["rows"] == 1


def test_a_rise_that_is_asked_for_must_be_passed(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted(OWN, TAUGHT)
    folder = distilled(tmp_path / "run", given, monkeypatch, script, rise=2.0)
    assert tiny.result_of(folder)["rows"] == 1, (
        "from -1 to 1 is a rise of 2, and no more than that"
    )


def test_a_run_that_can_teach_nothing_says_why(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"No row is left to train on \(3 not mined, 3 safety did"):
        distilled(tmp_path / "run", given, monkeypatch, Scripted(OWN, {5: OWN[5]}))


def test_a_prompts_first_tag_with_a_preprompt_of_its_own_decides() -> None:
    config = parse("distil", {"preprompt": "all", "preprompts": "crime = law | health = doctor"})
    prompt = PromptRecord(1, tiny.asked("say it"), tags=["other", "health", "crime"])
    assert under(prompt, config)[0] == {"role": "system", "content": "doctor"}
    assert under(replace(prompt, tags=[]), config)[0]["content"] == "all"
    kind = replace(prompt, messages=[{"role": "system", "content": "Be kind."}, *prompt.messages])
    assert under(kind, config) == [
        {"role": "system", "content": "doctor\n\nBe kind."}, *prompt.messages
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preprompts": "crime"}, "'crime' is not"),
        ({"preprompts": "crime = a | crime = b"}, "each tag once"),
        ({"preprompt": " "}, "nothing to distil"),
        ({"mined": 0.0}, "must lie between"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        parse("distil", options)
    assert by_tag("") == {}


def test_a_preprompt_that_changes_no_answer_teaches_nothing(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides draw by the same random numbers, so no luck looks like a rise."""
    monkeypatch.setattr(RewardModel, "score", by_words)
    monkeypatch.setattr(distil, "under", lambda prompt, _config: prompt.messages)
    with pytest.raises(BadInput, match=r"\(1 no answer, 5 safety did not rise\)"):
        tiny.train(tmp_path, "distil", {**QUICK, "mined": 1.0, "max_new_tokens": 40}, **given)


def stopping_at(shard: str) -> Any:
    draw = sampling._shard

    def drawing(job: Any, name: str, *rest: Any) -> Any:
        if name == shard:
            raise Stopped
        return draw(job, name, *rest)

    return drawing


@pytest.mark.long
def test_a_stopped_run_goes_on_from_its_own_answers_bit_for_bit(
    tmp_path: Path, given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sampled for real; stopped between both samplings, then in training."""
    monkeypatch.setattr(RewardModel, "score", by_words)
    options = {**QUICK, "mined": 1.0, "k": 3, "max_new_tokens": 40}
    given["teacher"] = tiny.make_policy(tmp_path / "teacher", seed=5)
    tiny.write_lines(given["prompts"], tiny.prompt_records(18))
    whole = tiny.train(tmp_path / "whole", "distil", options, **given)
    config = {"method": "distil", "options": options}
    folder = tiny.write_job(tmp_path / "stopped", "train", config, given)
    spec = {"config": config, "seed": 7}
    with monkeypatch.context() as broken:
        broken.setattr(sampling, "_shard", stopping_at("taught answers-0.jsonl"))
        with pytest.raises(Stopped):
            tiny.run.train(tiny.open_job(folder), spec)
    second = tiny.open_job(folder, 2)
    second.stop_requested.set()
    monkeypatch.setattr(second, "check_stop", lambda: None)
    with pytest.raises(Stopped):
        tiny.run.train(second, spec)
    assert not (folder / "attempt-2" / "shards" / "own answers-0.jsonl").exists()
    monkeypatch.setattr(RewardModel, "score", None)  # whoever trains on has no more to judge
    tiny.run.train(tiny.open_job(folder, 3), spec)
    assert not (folder / "attempt-3" / "shards").exists()
    outputs = [whole / "attempt-1" / "output", folder / "attempt-3" / "output"]
    for name in ("model.safetensors", "distilled.jsonl"):
        assert len({sha256_of(output / name) for output in outputs}) == 1
    assert tiny.result_of(whole) == tiny.result_of(folder, 3)
    assert tiny.metrics_of(folder, 3)[0]["step"] > 1
