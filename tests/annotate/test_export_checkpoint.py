"""A checkpoint is taken away as a folder that the library loads as it is."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

import models_runtime
from models_runtime import artifacts, registry
from models_runtime.models import Checkpoint, Project

POLICY = Path(models_runtime.__file__).parent / "demo_policy"
LOADS = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
asked = [{"role": "user", "content": "How do I boil an egg?"}]
ids = tokenizer.apply_chat_template(
    asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
)
said = model.generate(**ids, max_new_tokens=16, do_sample=False)
print(tokenizer.decode(said[0, ids["input_ids"].shape[1]:]))
"""


@pytest.fixture
def checkpoint(db: Any, settings: Any, tmp_path: Path) -> Checkpoint:
    settings.ARTIFACTS_URI = str(tmp_path / "store")
    return registry.register(
        project=Project.objects.create(name="P", slug="p"),
        kind="policy",
        folder=POLICY,
        name="start",
    )


def exported(*arguments: str) -> str:
    out = StringIO()
    call_command("export_checkpoint", *arguments, stdout=out)
    return out.getvalue()


def test_its_files_and_its_card(checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert "README.md in" in exported("start", str(tmp_path / "out"))
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {*checkpoint.manifest, "README.md"}
    assert (tmp_path / "out" / "README.md").read_text().startswith("---")


@pytest.mark.long
def test_the_library_loads_it_and_it_answers(checkpoint: Checkpoint, tmp_path: Path) -> None:
    exported(str(checkpoint.pk), str(tmp_path / "out"))
    ran = subprocess.run(
        [sys.executable, "-c", LOADS, str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_a_folder_that_holds_something_is_left_alone(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="holds something already"):
        exported("start", str(tmp_path))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_is_not_what_was_registered_is_not_handed_out(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = artifacts.fetch_folder(checkpoint.uri, checkpoint.manifest, tmp_path / "cache")
    (folder / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CommandError, match="model.safetensors"):
        exported("start", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_one_that_nobody_has(db: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no checkpoint named nobody."):
        exported("nobody", str(tmp_path / "out"))
