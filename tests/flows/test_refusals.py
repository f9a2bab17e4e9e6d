"""What a person reads who gives Concord something that it cannot use: one sentence, no traceback,
and nothing half-registered. (Ports, Redis, disks and databases: tests/annotate/test_stack_*.)"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling.models import ImportBatch, Prompt, PromptSet
from models_runtime import registry
from models_runtime.models import Checkpoint, Project
from tests import factories
from tests.annotate.launching import ROOT, processes_of, run
from tests.models_runtime.processes import Workers

POLICY = Path(registry.__file__).parent / "demo_policy"
NO_END = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"

Manage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def manage(transactional_db: None, settings: Any, tmp_path: Path) -> Manage:
    """python manage.py ..., as a person types it, on the test's own database."""
    settings.DATA_DIR, settings.JOBS_DIR = tmp_path, tmp_path / "jobs"
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **Workers(settings).environment()},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return manage


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(POLICY, folder)
    return folder


def not_there(folder: Path) -> str:
    shutil.rmtree(folder)
    return f"There is no model folder at {folder}."


def pickle(folder: Path) -> str:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return (
        "pytorch_model.bin may run code when it is read (a pickle): only safetensors are "
        "accepted, so convert the model or remove the file."
    )


def torn(folder: Path) -> str:
    weights = folder / "model.safetensors"
    whole = weights.stat().st_size
    with weights.open("r+b") as handle:
        handle.truncate(whole - 100)
    return f"model.safetensors is torn: {whole - 100} bytes instead of {whole}."


def never_ends(folder: Path) -> str:
    (folder / "chat_template.jinja").write_text(NO_END, encoding="utf-8")
    return (
        "The chat template writes no end token (<|end|>) after the assistant's turn, so a trained "
        "policy would never stop."
    )


@pytest.mark.training
@pytest.mark.parametrize("spoil", [not_there, pickle, torn, never_ends])
def test_a_model_that_cannot_be_used(
    manage: Manage, model: Path, tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    Project.objects.create(slug="p", name="P")
    sentence = spoil(model)
    done = manage("register_checkpoint", str(model), "--name", "mine")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"CommandError: {sentence}\n"
    assert not Checkpoint.objects.exists()
    assert not list((tmp_path / "artifacts").rglob("*"))


def test_a_malformed_prompt_file_names_the_line(manage: Manage, tmp_path: Path) -> None:
    campaign = factories.make_cast().campaign
    before = Prompt.objects.count(), PromptSet.objects.count()
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "fine"}\n{"prompt": }\n', encoding="utf-8")
    done = manage("import_prompts", str(path), "--campaign", campaign.slug)
    assert (done.returncode, done.stdout) == (1, "")
    fault, summary = done.stderr.splitlines()
    assert fault.startswith("Line 2: This is not JSON: ")
    assert summary == "CommandError: Nothing was imported: prompts.jsonl has 1 fault."
    assert (Prompt.objects.count(), PromptSet.objects.count()) == before
    assert not ImportBatch.objects.exists()


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.training
@pytest.mark.xdist_group("stack")
def test_make_demo_with_a_model_that_cannot_be_used(model: Path, tmp_path: Path) -> None:
    sentence = never_ends(model)
    data = tmp_path / "data"
    demo_refuses(data, str(model), sentence)


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.xdist_group("stack")
def test_make_demo_with_a_hubs_model_where_no_hub_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    sentence = (
        "someone/small is not a folder here, and the model hub at http://127.0.0.1:9 cannot be "
        "reached: download the model on another machine and name its folder."
    )
    demo_refuses(tmp_path / "data", "someone/small", sentence)


def demo_refuses(data: Path, policy: str, sentence: str) -> None:
    done = run(data, "demo", "--policy", policy, PORT="0")
    assert done.returncode == 1
    assert done.stderr == f"{sentence} (More in {data / 'logs' / 'prepare.log'}.)\n"
    assert "Concord is ready" not in done.stdout
    assert processes_of(data) == []
    with sqlite3.connect(data / "concord.sqlite3") as database:
        for table in ("models_runtime_checkpoint", "labeling_campaign", "models_runtime_job"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert not list((data / "artifacts").rglob("*"))
