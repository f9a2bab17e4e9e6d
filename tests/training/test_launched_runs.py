"""Training in two processes that share each batch, on a CPU: one job folder, written by the first
alone, and the policy that one process would have made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from safetensors.torch import load_file

from models_runtime import jobdir
from models_runtime.jobdir import BadInput, is_complete
from tests.training import tiny
from training import launch
from training.configs import METHODS, TOGETHER
from training.trl_adapter import base

pytestmark = pytest.mark.training

# 20 rows in fours: no batch has to be filled up, so one process and two see the same ones.
OPTIONS: dict[str, Any] = {
    "learning_rate": 3e-3,
    "epochs": 2,
    "batch_size": 4,
    "max_new_tokens": 8,
}
ROOT = Path(launch.__file__).parent.parent


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("world")
    policy = tiny.make_policy(root / "policy")
    snapshot = tiny.write_snapshot(root / "snapshot", tiny.preference_records(24))
    return {"policy": policy, "reference": policy, "snapshot": snapshot}


def job(folder: Path, inputs: dict[str, Path], method: str, **options: Any) -> Path:
    config = {"method": method, "options": {**OPTIONS, **options}, "select": {}}
    return tiny.write_job(folder, "train", config, inputs)


def start(folder: Path, processes: int, attempt: int = 1) -> subprocess.Popen[bytes]:
    with (folder / f"log-{attempt}.txt").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "training.launch", str(folder), "ddp", str(processes)],
            cwd=ROOT,
            env={**os.environ, "CONCORD_ATTEMPT": str(attempt)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def run(folder: Path, processes: int, attempt: int = 1) -> int:
    status = start(folder, processes, attempt).wait(timeout=300)
    if status:
        sys.stderr.write((folder / f"log-{attempt}.txt").read_text()[-3000:])
    return status


def weights(folder: Path, attempt: int = 1) -> dict[str, torch.Tensor]:
    output = folder / f"attempt-{attempt}" / "output"
    assert is_complete(output)
    return load_file(output / "model.safetensors")


def statuses(folder: Path, attempt: int = 1) -> dict[str, str]:
    ranks = folder / f"attempt-{attempt}" / jobdir.RANKS
    return {path.name: path.read_text() for path in ranks.iterdir()}


@pytest.mark.long
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_two_processes_make_what_one_makes(
    tmp_path: Path, inputs: dict[str, Path], method: str
) -> None:
    alone, together = (job(tmp_path / name, inputs, method) for name in ("alone", "together"))
    assert run(alone, 1) == 0
    assert run(together, 2) == 0
    assert statuses(together) == {"0": "0", "1": "0"}
    assert not (alone / "attempt-1" / jobdir.RANKS).exists()
    rows = tiny.metrics_of(together)
    assert [row["step"] for row in rows] == [row["step"] for row in tiny.metrics_of(alone)]
    one, two, before = (
        weights(alone),
        weights(together),
        load_file(inputs["policy"] / "model.safetensors"),
    )
    moved = max((one[name] - before[name]).abs().max() for name in one)
    apart = max((one[name] - two[name]).abs().max() for name in one)
    assert apart < 0.02 * moved
    assert tiny.result_of(together)["rows"] == tiny.result_of(alone)["rows"]
    said = [path.read_text() for path in (alone / "log-1.txt", together / "log-1.txt")]
    assert ["needed by each of 2 processes" in log for log in said] == [False, True]


@pytest.mark.long
def test_both_stop_at_the_same_step_and_go_on_from_there(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    folder = job(tmp_path / "stopped", inputs, "dpo", epochs=40)
    process = start(folder, 2)
    metrics = folder / "attempt-1" / "metrics.jsonl"
    until = time.monotonic() + 200
    while time.monotonic() < until and not metrics.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=100) == jobdir.EXIT_RETRY
    assert statuses(folder) == {"0": "75", "1": "75"}
    last = tiny.metrics_of(folder)[-1]["step"]
    kept = [path.name for path in (folder / "attempt-1" / "checkpoints").iterdir()]
    assert f"step-{last}" in kept
    assert run(folder, 2, attempt=2) == 0
    assert tiny.metrics_of(folder, 2)[0]["step"] == last + 1


@pytest.mark.long
def test_what_one_process_refuses_is_said_once(tmp_path: Path, inputs: dict[str, Path]) -> None:
    folder = job(tmp_path / "odd", inputs, "sft", batch_size=9)
    assert run(folder, 2) == jobdir.EXIT_BAD_INPUT
    said = json.loads((folder / "attempt-1" / "error.json").read_text())["sentence"]
    assert said.startswith("The option batch_size (9) must be a multiple of 8: 2 processes train")


@pytest.mark.parametrize(
    ("pieces", "adapter", "options", "refused"),
    [
        (False, "none", {}, False),
        (True, "none", {}, False),
        (False, "lora", {}, False),
        (True, "lora", {}, True),
        (False, "none", {"best_metric": "loss"}, True),
        (True, "none", {"guard": "warn"}, False),
        (True, "none", {"guard": "stop"}, True),
        (False, "none", {"guard": "stop"}, False),
    ],
)
def test_what_needs_the_weights_whole_is_refused(
    tmp_path: Path, pieces: bool, adapter: str, options: dict[str, Any], refused: bool
) -> None:
    config = SimpleNamespace(**{"best_metric": "", "eval_every": 0, **options})
    trainer = SimpleNamespace(is_fsdp_enabled=pieces, is_deepspeed_enabled=False)
    task: Any = SimpleNamespace(
        config=config,
        job=SimpleNamespace(ranks=2),
        adapters=SimpleNamespace(tuners=[] if adapter == "none" else ["one"]),
    )
    with pytest.raises(BadInput) if refused else nullcontext():
        base._refuse_what_needs_one_process(trainer, task)
    task.job.ranks = 1
    base._refuse_what_needs_one_process(trainer, task)


@pytest.mark.long
def test_kto_trains_in_two_processes_on_answers_of_its_own_forward_passes(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    """What each answer is compared with are others of its process, so the loss is near to one
    process's, and not it."""
    options = {"learn_from": "pairs", "epochs": 1, "batch_size": 8}
    alone, together = (
        job(tmp_path / name, inputs, "kto", **options) for name in ("alone", "together")
    )
    assert run(alone, 1) == 0
    assert run(together, 2) == 0
    assert statuses(together) == {"0": "0", "1": "0"}
    one, two = tiny.metrics_of(alone), tiny.metrics_of(together)
    assert [row["step"] for row in one] == [row["step"] for row in two]
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], abs=1e-6)
    assert two[-1]["loss"] == pytest.approx(one[-1]["loss"], rel=0.05)
    assert two[-1]["guards/logps_chosen"] == pytest.approx(
        one[-1]["guards/logps_chosen"], rel=0.05
    )


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(TOGETHER)))
def test_other_methods_go_on_in_one_process_and_the_log_says_so(
    tmp_path: Path,
    inputs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
) -> None:
    class Replaced(Exception):
        """What os.execv would have become."""

    def execv(program: str, command: list[str]) -> None:
        raise Replaced(command)

    folder = job(tmp_path / "job", inputs, method)
    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(sys, "argv", ["training.launch", str(folder), "ddp", "2"])
    with pytest.raises(Replaced) as replaced:
        launch.main()
    assert replaced.value.args[0] == [sys.executable, "-m", "training.run", str(folder)]
    said = capsys.readouterr().out
    assert said.startswith(
        f"{method} trains in one process, not in 2: only sft, dpo, kto can share"
    )


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (["0", "0"], 0),
        (["0"], 1),
        ([], 1),
        (["75", "64"], 64),
        (["75", "1"], 1),
        (["75", "75"], 75),
        (["0", "74"], 74),
    ],
)
def test_the_process_that_ended_the_others_says_how(
    tmp_path: Path, said: list[str], status: int
) -> None:
    for rank, text in enumerate(said):
        (tmp_path / str(rank)).write_text(text)
    assert launch.status_of(tmp_path, 2) == status


@pytest.mark.parametrize("how", ["ddp", "fsdp", "zero2", "zero3"])
def test_the_files_are_what_accelerate_reads(how: str, tmp_path: Path) -> None:
    """By its own parser and its own check of a command line: nothing here has accelerators."""
    command = launch.command(tmp_path, how, 4)
    read = load_config_from_file(str(launch.FILES / f"{how}.yaml"))
    assert read.num_machines == 1
    args, defaults, _ = _validate_launch_command(launch_command_parser().parse_args(command[3:]))
    assert args.num_processes == 4
    assert args.module
    assert args.training_script == "training.run"
    assert defaults is not None
    chosen = {"multi_gpu": args.multi_gpu, "fsdp": args.use_fsdp, "zero": args.use_deepspeed}
    kinds = {"ddp": "multi_gpu", "fsdp": "fsdp", "zero2": "zero", "zero3": "zero"}
    assert [name for name, on in chosen.items() if on] == [kinds[how]]
    if how.startswith("zero"):
        assert str(args.zero_stage) == how[-1]
    if how == "fsdp":
        assert int(args.fsdp_version) == 2
