"""Methods that learn from answers of every quality, each announced by a phrase: whole runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.chat import encode_conversation
from models_runtime.jobdir import BadInput, sha256_of
from models_runtime.loading import fingerprints, load_policy, load_tokenizer
from models_runtime.records import Message, Preference, PreferenceRecord, SnapshotCompletion
from tests.training import tiny
from tests.training.nursery import Nursery
from training.configs import BadOption, Selection, parse
from training.control import asked_for, without_phrase
from training.data import Encoder
from training.methods.conditional import band_of, graded
from training.methods.hindsight import Chain, Hindsight, Turn, chained
from training.scoring import completion_logps
from training.task import Task

pytestmark = [pytest.mark.training, pytest.mark.long]
QUICK = {"learning_rate": 1e-2, "epochs": 2, "batch_size": 8, "save_every": 3}
THOROUGH = {"epochs": 60, "save_every": 1000}
OPTIONS: dict[str, dict[str, Any]] = {
    "conditional": {**QUICK, "phrases": "so bad | so fine | so good"},
    "hindsight": {**QUICK, "good_phrase": "so good", "bad_phrase": "so bad"},
}
GOOD, BAD = "the answer is good good good so", "the answer is good bad bad so"


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(*OPTIONS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("world")
    snapshot = tiny.write_snapshot(root / "snapshot", plainly_ranked())
    return {"policy": tiny.make_policy(root / "policy"), "snapshot": snapshot, "root": root}


def plainly_ranked() -> list[PreferenceRecord]:
    """Rankings of three without strengths: one answer of each grade."""
    return [
        replace(one, preferences=[Preference(p.chosen, p.rejected) for p in one.preferences])
        for one in tiny.preference_records(24, 3)
    ]


def finished(nursery: Nursery, world: dict[str, Path], method: str) -> Path:
    folder = world["root"] / f"whole-{method}"
    if not folder.exists():
        assert nursery.run(job(world, f"whole-{method}", method)) == 0
    return folder


def job(world: dict[str, Path], name: str, method: str, **options: Any) -> Path:
    inputs = {"policy": world["policy"], "snapshot": world["snapshot"]}
    config = {"method": method, "options": {**OPTIONS[method], **options}}
    return tiny.write_job(world["root"] / name, "train", config, inputs)


def prefers_good(folder: Path, messages: list[Message], *, by_itself: bool) -> bool:
    """Whether the good answer is likelier than the bad; ``by_itself`` under the published
    template, else under the plain one."""
    model, tokenizer = load_policy(folder), load_tokenizer(folder)
    if not by_itself:
        without_phrase(tokenizer)
    rows = [encode_conversation(tokenizer, messages, text) for text in (GOOD, BAD)]
    with torch.inference_mode():
        good, bad = completion_logps(model, rows).tolist()
    return bool(good > bad)


@pytest.mark.parametrize("method", OPTIONS)
def test_the_policy_answers_as_the_phrase_says_and_by_itself_well(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    folder = job(world, f"learned-{method}", method, **THOROUGH)
    assert nursery.run(folder) == 0
    output = folder / "attempt-1" / "output"
    asked = tiny.asked("tell me the")
    assert prefers_good(output, asked, by_itself=True)
    assert prefers_good(output, asked_for(asked, "so good"), by_itself=False)
    assert not prefers_good(output, asked_for(asked, "so bad"), by_itself=False)


@pytest.mark.parametrize("method", OPTIONS)
def test_the_folder_and_the_result_say_what_it_is_asked_by(
    nursery: Nursery, world: dict[str, Path], method: str
) -> None:
    folder = finished(nursery, world, method)
    output = folder / "attempt-1" / "output"
    assert "so good" in (output / "training.json").read_text()
    said = tiny.result_of(folder)["facts"]
    assert said == fingerprints(output, load_tokenizer(output))
    policy = world["policy"]
    assert said != fingerprints(policy, load_tokenizer(policy))
    rows = tiny.metrics_of(folder)
    assert sum(r["loss"] for r in rows[-3:]) < sum(r["loss"] for r in rows[:3])


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


def test_another_run_asks_by_its_own_phrase_alone(
    nursery: Nursery, world: dict[str, Path], tmp_path: Path
) -> None:
    policy = finished(nursery, world, "conditional") / "attempt-1" / "output"
    options = {**OPTIONS["hindsight"], "epochs": 1, "good_phrase": "very fine"}
    folder = tiny.train(tmp_path, "hindsight", options, policy=policy)
    template = load_tokenizer(folder / "attempt-1" / "output").chat_template
    assert "very fine" in template
    assert "so good" not in template


@pytest.mark.parametrize(
    ("quality", "bands", "band"),
    [(0.0, 3, 0), (1 / 6, 3, 0), (1 / 3, 3, 1), (0.5, 3, 1), (2 / 3, 3, 1), (5 / 6, 3, 2),
     (1.0, 3, 2), (0.49, 2, 0), (0.51, 2, 1), (0.5, 2, None), (0.5, 4, None), (1.0, 5, 4)],
)  # fmt: skip
def test_an_answer_is_of_the_nearest_grade(quality: float, bands: int, band: int | None) -> None:
    assert band_of(quality, bands) == band


def task_of(folder: Path, method: str, snapshot: Path) -> Task:
    inputs = {"snapshot": snapshot, "policy": tiny.make_policy(folder / "policy")}
    root = tiny.write_job(folder / "job", "train", {}, inputs)
    config = parse(method, OPTIONS[method])
    return Task(tiny.open_job(root), method, config, Selection(None, None), 7)


def test_pairs_grade_an_answer_by_what_each_says_and_how_strongly(tmp_path: Path) -> None:
    texts = [SnapshotCompletion(n, f"text {n}", "c", "eos") for n in range(4)]
    record = replace(
        tiny.preference_records(1)[0],
        completions=texts,
        preferences=[Preference(0, 1, "slightly"), Preference(0, 2), Preference(1, 2)],
        ties=[[2, 3]],
    )
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", [record])
    found = graded(task_of(tmp_path, "conditional", snapshot))
    expected = {
        0: (1 + (1 / 3 + 1) / 2) / 2,
        1: (1 + (-1 / 3 + 1) / 2) / 2,
        2: (1 + (-1 - 1 + 0) / 3) / 2,
        3: 0.5,
    }
    assert {g.completion.id: g.quality for g in found} == pytest.approx(expected)


def rating(number: int, text: str, overall: float | None, **more: Any) -> dict[str, Any]:
    completion = {"id": number, "text": text, "finish_reason": more.pop("finish", "eos")}
    return {
        "comparison_id": number, "prompt_id": number, "iteration": 0, "item": "x",
        "split": "train", "fold": "policy", "messages": tiny.asked("tell me the"),
        "completion": completion, "overall": overall, **more,
    }  # fmt: skip


def test_ratings_come_before_pairs_and_every_loss_is_counted(tmp_path: Path) -> None:
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records())
    rows = [
        rating(1, GOOD, 1.0), rating(2, BAD, 0.1), rating(3, "so", 0.5), rating(4, "a", 0.6),
        rating(5, GOOD, None, desirable=True), rating(6, BAD, None, desirable=False),
        rating(7, GOOD, 0.9, finish="length"), rating(8, BAD, 0.0, finish="length"),
        rating(9, "good " * 130, 1.0), rating(10, "nobody said", None),
    ]  # fmt: skip
    tiny.write_lines(snapshot / "ratings.jsonl", rows)
    options = {"epochs": 1, "phrases": "so bad | so good"}
    result = tiny.result_of(tiny.train(tmp_path, "conditional", options, snapshot=snapshot))
    assert result["dropped"] == {"in the middle": 1, "cut off": 1, "too long": 1}
    assert (result["metrics"]["band/1"], result["metrics"]["band/2"]) == (3, 3)
    by_pairs = {**options, "learn_from": "pairs"}
    other = tiny.train(tmp_path / "pairs", "conditional", by_pairs, snapshot=snapshot)
    assert tiny.result_of(other)["rows"] == 32, "negligibly better is neither"


def test_ratings_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no rating"):
        tiny.train(tmp_path, "conditional", {"learn_from": "ratings"})


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("conditional", {"phrases": "one"}, "two different phrases or more"),
        ("conditional", {"phrases": "a | a"}, "two different phrases or more"),
        ("conditional", {"phrases": "a | | b"}, "two different phrases or more"),
        ("hindsight", {"good_phrase": " "}, "can be empty"),
        ("hindsight", {"good_phrase": "x", "bad_phrase": "x"}, "must differ"),
    ],
)
def test_phrases_that_tell_nothing_apart_are_refused(
    method: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadOption, match=words):
        parse(method, options)


def turns(record: PreferenceRecord) -> tuple[Turn, Turn]:
    return Turn("so good", record.completions[0]), Turn("so bad", record.completions[1])


def test_a_chain_holds_both_answers_and_trains_on_nothing_else(world: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(world["policy"])
    record = tiny.preference_records(1)[0]
    good, bad = turns(record)
    for first, second in ((good, bad), (bad, good)):
        row = chained(record.messages, first, second, Encoder(tokenizer, 128))
        assert not isinstance(row, str)
        asked = record.messages[0]["content"]
        one, other = first.completion.text, second.completion.text
        assert tokenizer.decode(row.ids) == (
            f"<user> {asked} {first.phrase} <assistant> {one} <eos> "
            f"<user> {second.phrase} <assistant> {other} <eos>"
        )
        trained = [i for i, mask in zip(row.ids, row.completion_mask, strict=True) if mask]
        assert tokenizer.decode(trained) == f"{one} <eos> {other} <eos>"


def test_an_answer_that_was_cut_off_teaches_no_end(world: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(world["policy"])
    record = tiny.preference_records(1)[0]
    good, bad = turns(record)
    bad = replace(bad, completion=replace(bad.completion, finish_reason="length"))
    for first, second in ((good, bad), (bad, good)):
        row = chained(record.messages, first, second, Encoder(tokenizer, 128))
        assert not isinstance(row, str)
        trained = [i for i, mask in zip(row.ids, row.completion_mask, strict=True) if mask]
        assert trained.count(tokenizer.eos_token_id) == 1


def test_a_chain_that_cannot_be_says_why(world: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(world["policy"])
    record = tiny.preference_records(1)[0]
    assert chained(record.messages, *turns(record), Encoder(tokenizer, 20)) == "too long"
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "<assistant> {{ message['content'] }}", "<assistant> so {{ message['content'] }}"
    )
    assert chained(record.messages, *turns(record), Encoder(tokenizer, 128)) == "told otherwise"


def test_a_pair_makes_two_rows_or_is_counted(tmp_path: Path) -> None:
    records = tiny.preference_records(6)
    best, worst = records[0].completions
    records[0] = replace(records[0], completions=[replace(best, finish_reason="length"), worst])
    best, worst = records[1].completions
    records[1] = replace(records[1], completions=[best, replace(worst, text=best.text)])
    best, worst = records[2].completions
    records[2] = replace(records[2], completions=[best, replace(worst, text="bad " * 130)])
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", records)
    result = tiny.result_of(tiny.train(tmp_path, "hindsight", {"epochs": 1}, snapshot=snapshot))
    assert result["dropped"] == {"cut off": 1, "identical texts": 1, "too long": 1}
    assert result["rows"] == 4


def hidden(
    masked: float, sizes: list[int], chains: list[Chain], model: Any
) -> tuple[float, float]:
    """(the loss over the chains in batches of these sizes, the share that was hidden)."""
    torch.manual_seed(3)
    objective, loss, gone, of_all = Hindsight(masked), 0.0, 0.0, 0.0
    start = 0
    for size in sizes:
        sums = objective.sums(model, chains[start : start + size])
        loss += sums.loss.item()
        gone += sums.metrics["hidden"][0]
        of_all += sums.metrics["hidden"][1]
        start += size
    return loss, gone / of_all


def test_a_share_of_the_past_is_hidden_however_the_batch_is_cut(world: dict[str, Path]) -> None:
    encoder = Encoder(load_tokenizer(world["policy"]), 128)
    model = load_policy(world["policy"], for_training=True).eval()
    rows = [chained(r.messages, *turns(r), encoder) for r in tiny.preference_records(32)]
    chains = [Chain(row) for row in rows if not isinstance(row, str)]
    plain, none = hidden(0.0, [32], chains, model)
    whole, share = hidden(0.6, [32], chains, model)
    parts, same = hidden(0.6, [5, 27], chains, model)
    assert none == 0
    assert 0.2 < share < 0.4, "between none and .6 of each row: .3 on average"
    assert share == same
    assert whole == pytest.approx(parts, rel=1e-5)
    assert not math.isclose(whole, plain, rel_tol=1e-4)


def test_the_job_says_how_much_it_hid(nursery: Nursery, world: dict[str, Path]) -> None:
    rows = tiny.metrics_of(finished(nursery, world, "hindsight"))
    shares = [row["hidden"] for row in rows]
    assert 0 < sum(shares) / len(shares) < 0.05
    config = json.loads((finished(nursery, world, "hindsight") / "job.json").read_text())
    assert "masked" not in config["config"]["options"], "the paper's share is the default"
