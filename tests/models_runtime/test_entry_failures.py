"""However a job ends, its exit status and one sentence say how."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from models_runtime import jobdir
from models_runtime.jobdir import BadInput, JobDir, Stopped
from tests.models_runtime.tiny import DEMO_POLICY, make_job


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_job(tmp_path / "job", {}, policy=DEMO_POLICY)


def run(monkeypatch: pytest.MonkeyPatch, job: Path, error: BaseException | None) -> int:
    def main(_: JobDir) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(sys, "argv", ["entry", str(job)])
    return jobdir.run_entry(main)


def sentence(job: Path) -> str:
    return json.loads((job / "attempt-1/error.json").read_text("utf-8"))["sentence"]


def test_done(monkeypatch, job):
    assert run(monkeypatch, job, None) == 0
    assert not (job / "attempt-1/error.json").exists()


def test_stopped_is_queued_again_without_an_error(monkeypatch, job):
    assert run(monkeypatch, job, Stopped()) == 75
    assert not (job / "attempt-1/error.json").exists()


def test_bad_input_keeps_its_sentence(monkeypatch, job):
    assert run(monkeypatch, job, BadInput("The prompts are empty.")) == 64
    assert sentence(job) == "The prompts are empty."


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_out_of_memory(monkeypatch, job, error):
    assert run(monkeypatch, job, error) == 64
    assert sentence(job).startswith("The job did not fit into memory")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 640 vs 598"),
    ],
)
def test_full_disk(monkeypatch, job, error):
    assert run(monkeypatch, job, error) == 74
    assert sentence(job).startswith("The disk that holds the job directory is full")


def test_disk_too_full_to_say_so(monkeypatch, job):
    """Neither the log nor error.json has room: the status tells."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("traceback.print_exc", full)
    monkeypatch.setattr(JobDir, "fail", full)
    assert run(monkeypatch, job, OSError(errno.ENOSPC, "No space left on device")) == 74


def test_anything_else_is_named_and_traced_in_the_log(monkeypatch, job, capsys):
    assert run(monkeypatch, job, ValueError("odd\nthing")) == 1
    assert sentence(job) == "The job stopped unexpectedly (ValueError: odd thing)."
    assert "Traceback" in capsys.readouterr().err


def test_a_library_that_is_absent_is_named_and_traced_in_the_log(monkeypatch, job, capsys):
    error = ImportError("cannot import name 'DPO' from 'trl' (/usr/lib/trl.py)", name="trl")
    assert run(monkeypatch, job, error) == 1
    assert sentence(job) == "The worker could not load trl, which the job needs; the log says why."
    assert "/usr/lib/trl.py" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [OSError, BadInput])
def test_no_path_of_the_machine_is_in_the_sentence(monkeypatch, job, kind):
    run(monkeypatch, job, kind(f"{job}/attempt-1/rows.jsonl is torn"))
    assert "rows.jsonl is torn" in sentence(job)
    assert str(job.parent) not in sentence(job)


def test_what_is_no_job_directory_is_refused(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, None) == 64
    assert "is not a job directory" in capsys.readouterr().err
