"""make bench: a table for people, one JSON list for machines, and no trace left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from annotate.bench.place import ROOT
from models_runtime.interleaving import medians


def bench(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    ours = {"BENCH_JSON": str(folder / "bench.json"), "TMPDIR": str(folder)}
    environ = {**os.environ, **ours, "CONCORD_DATA": "/nonexistent"}
    command = [sys.executable, "manage.py", "bench", *names]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)


def test_figures_are_printed_and_written(tmp_path: Path) -> None:
    done = bench(tmp_path, "pages")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in rows} == {
        "page.rating",
        "page.rating.after_an_answer",
        "page.rating.first_visit",
    }
    for row in rows:
        assert list(row) == ["name", "value", "unit", "baseline", "ratio", "machine"]
        assert row["ratio"] == row["value"] / row["baseline"] <= 1
        assert row["name"] in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]


def test_an_unknown_benchmark_is_named(tmp_path: Path) -> None:
    done = bench(tmp_path, "speed")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: There is no benchmark speed; known: pages,")


def test_what_is_compared_takes_turns_and_the_first_round_is_dropped() -> None:
    order: list[str] = []

    def act(name: str, values: list[float]) -> float:
        order.append(name)
        return values[sum(one == name for one in order) - 1]

    found = medians(
        {"a": lambda: act("a", [99, 99, 1, 3]), "b": lambda: act("b", [0, 0, 10, 20])}, rounds=1
    )
    assert "".join(order) == "abbaabba"
    assert found == {"a": 2, "b": 15}
