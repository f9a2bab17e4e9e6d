"""Every method on the demo world, by the options that it starts with there: one table.

    python -m training.bench_methods FOLDER [--methods ppo,dpo] [--seeds 0] [--set ppo.kl_coef=.2]

For each seed: the demo policy answers training prompts five times, a simulated rater compares
every two different answers until there are ``--pairs`` labels, a reward model trains on them, and
every method starts from there. Each is judged by the rater's utility without noise, against the
policy it started from, on prompts of items that nothing was trained on. All jobs are the ones
that workers run; those that FOLDER holds finished are not run again, so that a table of hours can
be interrupted, and another method added. ``--json FILE`` keeps the figures.

An interval of several seeds is the mean of theirs: the items are the same, so more seeds of them
make it no narrower.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from models_runtime import world
from models_runtime.backends import LocalBackend
from models_runtime.jobdir import write_atomically
from models_runtime.loading import load_policy, load_tokenizer, use_one_thread_when_asked
from models_runtime.records import (
    Input,
    Preference,
    PreferenceRecord,
    PromptRecord,
    Sampler,
    SnapshotCompletion,
    jsonl_line,
    to_dict,
)
from models_runtime.world import SimulatedRater
from training.configs import METHODS, suggested
from training.configs.base import BadOption
from training.configs.registry import parse

POLICY = Path(world.__file__).parent / "demo_policy"
PARAMETERS = 431_000  # of the demo policy
ANSWERS, TEMPERATURE, LONGEST = 5, 0.8, 64
PAIRS = 1600
NOT_POLICIES = ("reward", "regression")
BY_REWARD = ("raft", "distil", "ppo", "ppo_ptx", "grpo", "rloo")
SHOWN = {  # figure of an evaluation -> heading
    "win_rate": "win rate",
    "win_rate_low": "low",
    "win_rate_high": "high",
    "facts_right": "facts",
    "facts_gone": "facts lost",
    "distinct_2": "distinct-2",
    "distinct_kept": "kept",
    "kl": "KL",
    "valid_text": "valid",
    "cpu_seconds": "CPU s",
    "peak_mb": "MB",
}


@dataclass(frozen=True)
class Bench:
    """Where the jobs lie, and what they differ in."""

    folder: Path
    pairs: int
    options: dict[str, dict[str, Any]] = field(default_factory=dict)  # by method, beside suggested

    def measure(self, method: str, seed: int) -> dict[str, float]:
        """The figures of one method trained and evaluated with one seed; {"failed": sentence} is
        what a run says that a guard stopped."""
        here = self.folder / f"seed-{seed}"
        snapshot, train, heldout = self.data(here, seed)
        inputs = {"policy": POLICY, "reference": POLICY, "snapshot": snapshot}
        config = self.training(method)
        if method in BY_REWARD:
            inputs["prompts"] = train
            if config["options"].get("reward", "model") == "model":
                trained = self.job(here, "reward", "train", self.training("reward"), inputs, seed)
                if "failed" in trained:
                    return trained
                judges = "safety_model" if method == "distil" else "reward_model"
                inputs[judges] = _output(here / "reward")
        ran = self.job(here, method, "train", config, inputs, seed)
        if "failed" in ran:
            return ran
        compared = {"candidate": _output(here / method), "first": POLICY, "prompts": heldout}
        judged = {"world": True, "against": ["first"]}
        found = self.job(here, f"{method}-evaluated", "evaluate", judged, compared, seed)
        start = found["policies"]["first"]
        return {
            **found["metrics"],
            "facts_gone": start["facts_right"] - found["metrics"]["facts_right"],
            "facts_low_at_start": start["facts_right_low"],
            "distinct_kept": found["metrics"]["distinct_2"] / start["distinct_2"],
            "cpu_seconds": ran["cpu_seconds"],
            "peak_mb": ran["peak_mb"],
        }

    def training(self, method: str) -> dict[str, Any]:
        longest = {"max_new_tokens": LONGEST} if method in BY_REWARD else {}
        options = {**suggested(method, PARAMETERS), **longest, **self.options.get(method, {})}
        return {"method": method, "options": options, "select": {}}

    def data(self, here: Path, seed: int) -> tuple[Path, Path, Path]:
        """(snapshot, prompts to learn on, prompts held out), made when they are first needed."""
        prompts = [
            (PromptRecord(number, one.messages, one.item, one.tags), one.split)
            for number, one in enumerate(world.prompts())
        ]
        files = {"train": here / "train.jsonl", "heldout": here / "heldout.jsonl"}
        snapshot = here / "snapshot" / "preferences.jsonl"
        if not snapshot.is_file():
            snapshot.parent.mkdir(parents=True, exist_ok=True)
            for split, path in files.items():
                rows = [record for record, its in prompts if its == split]
                write_atomically(path, "".join(map(jsonl_line, rows)))
            asked = [record for record, its in prompts if its == "train"]
            rows_of = labelled(asked, self.pairs, seed)
            write_atomically(snapshot, "".join(map(jsonl_line, rows_of)))
        return snapshot.parent, files["train"], files["heldout"]

    def job(
        self,
        here: Path,
        name: str,
        kind: str,
        config: dict[str, Any],
        inputs: dict[str, Path],
        seed: int,
    ) -> dict[str, Any]:
        """result.json of a job, with its CPU seconds and peak memory; run where it is not there.
        One that was interrupted goes on."""
        folder = here / name
        result = folder / "measured.json"
        if not result.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            spec = {"job": 1, "kind": kind, "seed": seed, "config": config}
            (folder / "job.json").write_text(json.dumps(spec), encoding="utf-8")
            rows = [to_dict(Input(n, f"file://{p}", {}, str(p))) for n, p in inputs.items()]
            (folder / "inputs.json").write_text(json.dumps(rows), encoding="utf-8")
            result.write_text(json.dumps(_run(folder)), encoding="utf-8")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def labelled(prompts: list[PromptRecord], pairs: int, seed: int) -> list[PreferenceRecord]:
    """As many pairs as asked for, of five answers each that the demo policy gives; every pair is
    judged by itself, so that what is said of five answers may contradict itself."""
    use_one_thread_when_asked()
    backend = LocalBackend(load_policy(POLICY), load_tokenizer(POLICY), 128)
    sampler = Sampler("policy", ANSWERS, TEMPERATURE, 1.0, LONGEST, seed)
    rater = SimulatedRater(seed=seed * 1009)
    answers: dict[int, list[SnapshotCompletion]] = {}
    for batch in backend.stream(prompts, sampler):
        for row in batch:
            one = SnapshotCompletion(
                row.prompt_id * ANSWERS + row.index, row.text, "policy", row.finish_reason
            )
            answers.setdefault(row.prompt_id, []).append(one)
    records = []
    for prompt in sorted(prompts, key=lambda one: _order(one.id, seed)):
        record = _judged(prompt, answers[prompt.id], rater, pairs)
        if record.preferences:
            records.append(record)
            pairs -= len(record.preferences)
        if not pairs:
            return records
    raise SystemExit(f"There are {pairs} pairs too few in {len(prompts)} prompts.")


def _order(number: int, seed: int) -> int:
    """A permutation of the prompts by seed, the same on every machine."""
    return (number * 7919 + seed * 104_729) % 1_000_003


def _judged(
    prompt: PromptRecord, answers: list[SnapshotCompletion], rater: SimulatedRater, most: int
) -> PreferenceRecord:
    distinct = list({one.text: one for one in answers}.values())
    preferences = []
    for a, b in list(combinations(distinct, 2))[:most]:
        said = rater.judge(prompt.item, a.text, b.text)
        best, other = (a, b) if said.preferred == 0 else (b, a)
        preferences.append(Preference(best.id, other.id, said.strength))
    return PreferenceRecord(
        comparison_id=prompt.id,
        prompt_id=prompt.id,
        iteration=0,
        item=prompt.item,
        split="train",
        fold="policy",
        messages=prompt.messages,
        completions=distinct,
        preferences=preferences,
        source="simulated",
    )


def _run(folder: Path) -> dict[str, Any]:
    """The job in a process of its own: what it says, what it cost."""
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "training.run", str(folder)], stdout=log, stderr=log
        )
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    newest = max(folder.glob("attempt-*"), key=lambda path: int(path.name.split("-")[1]))
    cost = {"cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}
    if child.returncode == 0:
        return {**json.loads((newest / "result.json").read_text(encoding="utf-8")), **cost}
    said = newest / "error.json"
    if not said.is_file():
        raise SystemExit(f"The job in {folder} ended with {child.returncode}: see its log.txt.")
    return {"failed": json.loads(said.read_text(encoding="utf-8"))["sentence"], **cost}


def _output(folder: Path) -> Path:
    return max(folder.glob("attempt-*/output"), key=lambda path: int(path.parent.name[8:]))


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """One line a method: means over its seeds; a method that stopped says why."""
    lines = [f"{'method':<10}{'seeds':>6}" + "".join(f"{head:>11}" for head in SHOWN.values())]
    for method, runs in found.items():
        done = [run for run in runs if "failed" not in run]
        if done:
            means = [statistics.mean(run[name] for run in done) for name in SHOWN]
            lines.append(f"{method:<10}{len(done):>6}" + "".join(f"{x:>11.3f}" for x in means))
        lines += [f"{method:<10}stopped: {run['failed']}" for run in runs if "failed" in run]
    return "\n".join(lines)


def _options(given: list[str]) -> dict[str, dict[str, Any]]:
    """METHOD.NAME=VALUE, each. Raises BadOption for one that the method does not have."""
    found: dict[str, dict[str, Any]] = {}
    for text in given:
        where, _, value = text.partition("=")
        method, _, name = where.partition(".")
        found.setdefault(method, {})[name] = _typed(value)
    for method, options in found.items():
        parse(method, {**suggested(method, PARAMETERS), **options})
    return found


def _typed(text: str) -> Any:
    """A value of JSON, a number as people write it (.05), or a word."""
    for kind in (json.loads, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    every = ",".join(name for name in METHODS if name not in NOT_POLICIES)
    parser.add_argument("--methods", default=every)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--set", action="append", default=[], metavar="METHOD.NAME=VALUE")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    try:
        bench = Bench(asked.folder.resolve(), asked.pairs, _options(asked.set))
    except BadOption as error:
        raise SystemExit(str(error)) from error
    found: dict[str, list[dict[str, Any]]] = {}
    for method in asked.methods.split(","):
        for seed in map(int, asked.seeds.split(",")):
            begun = time.monotonic()
            run = bench.measure(method, seed)
            found.setdefault(method, []).append(run)
            said = run.get("failed") or f"{run['win_rate']:.3f}"
            sys.stderr.write(f"{method}, seed {seed}: {said} ({time.monotonic() - begun:.0f} s)\n")
        if asked.json:
            asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
