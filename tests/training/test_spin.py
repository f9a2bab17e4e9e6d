"""Self-play: people's answers against the policy's own, drawn inside the job."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from tests.training import tiny

pytestmark = [pytest.mark.training, pytest.mark.long]

QUICK = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "max_new_tokens": 12}


def spun(folder: Path, answer: str = "the answer is good", **inputs: Any) -> Path:
    snapshot = tiny.write_snapshot(folder / "snapshot", tiny.preference_records())
    taught = [
        {"prompt_id": n, "messages": tiny.asked(f"say {word}"), "completion": answer}
        for n, word in enumerate(tiny.WORDS.split())
    ]
    tiny.write_lines(snapshot / "demonstrations.jsonl", taught)
    return tiny.train(folder, "spin", QUICK, snapshot=snapshot, **inputs)


def test_it_starts_at_log_2_against_the_policy_it_starts_from(tmp_path: Path) -> None:
    folder = spun(tmp_path)
    rows = tiny.metrics_of(folder)
    assert rows[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert rows[-1]["rewards/margins"] > 0
    lines = (folder / "attempt-1" / "output" / "own.jsonl").read_text().splitlines()
    assert len(lines) == tiny.result_of(folder)["rows"] == 20
    assert len({json.loads(line)["own"] for line in lines}) > 10


def test_the_iteration_before_is_mixed_in(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    duel = {"messages": tiny.asked("say the"), "real": "a good answer", "own": "bad bad"}
    tiny.write_lines(earlier, [duel, duel])
    assert tiny.result_of(spun(tmp_path / "mixed", earlier=earlier))["rows"] == 22


def test_preferred_answers_serve_where_nobody_wrote_one(tmp_path: Path) -> None:
    folder = tiny.train(tmp_path, "spin", QUICK)
    assert tiny.result_of(folder)["rows"] == 20


def test_an_own_answer_that_is_the_persons_teaches_nothing(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    same = {"messages": tiny.asked("say the"), "real": "good", "own": "good"}
    tiny.write_lines(earlier, [same])
    result = tiny.result_of(spun(tmp_path / "mixed", earlier=earlier))
    assert (result["rows"], result["dropped"]) == (20, {"identical texts": 1})


def test_a_malformed_file_of_the_iteration_before_is_refused(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_text('{"real": 1, "unknown": 2}\n')
    with pytest.raises(BadInput, match=r"own\.jsonl of an earlier iteration is malformed"):
        spun(tmp_path / "mixed", earlier=earlier)
