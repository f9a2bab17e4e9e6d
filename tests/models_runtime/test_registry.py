"""A checkpoint is registered whole, once, from safetensors alone; or not at all, with a sentence
that says why."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from models_runtime import artifacts, jobs, registry
from models_runtime.models import AuditEvent, Checkpoint, Job, Project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a model: what lies in the weights is the tensor side's affair."""
    made = tmp_path / "model"
    made.mkdir()
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + b"\0\0\0\0"
    (made / "model.safetensors").write_bytes(weights)
    (made / "model.safetensors").chmod(0o600)
    (made / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    return made


def index(shard: Any) -> bytes:
    return json.dumps({"weight_map": {"w": shard}}).encode()


@pytest.fixture
def job(project: Project) -> Job:
    return jobs.submit(project=project, kind="train", config={})


def register(project: Project, folder: Path, name: str = "one", **changes: Any) -> Checkpoint:
    return registry.register(project=project, kind="policy", folder=folder, name=name, **changes)


def test_registered_checkpoint_is_ready_and_readable(project: Project, folder: Path) -> None:
    checkpoint = register(project, folder, facts={"parameters": 1})
    assert checkpoint.state == "ready"
    assert checkpoint.sha256 == artifacts.identity(checkpoint.manifest)
    assert checkpoint.bytes == sum(path.stat().st_size for path in folder.iterdir())
    local = registry.local_path(checkpoint)
    assert (local / "config.json").read_text() == (folder / "config.json").read_text()
    assert (local / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert AuditEvent.objects.filter(verb="checkpoint registered").count() == 1


def test_same_result_delivered_twice_is_one_checkpoint(
    project: Project, folder: Path, job: Job
) -> None:
    first = register(project, folder, job=job)
    assert register(project, folder, job=job) == first
    assert register(project, folder, name="another name", job=job) == first
    assert Checkpoint.objects.count() == 1


def test_equal_weights_of_two_jobs_are_two_checkpoints(project: Project, folder: Path) -> None:
    made = [jobs.submit(project=project, kind="train", config={}) for _ in range(2)]
    rows = [register(project, folder, f"of {job.pk}", job=job) for job in made]
    assert rows[0] != rows[1]
    assert rows[0].uri == rows[1].uri


def test_name_of_another_checkpoint_is_refused(project: Project, folder: Path) -> None:
    register(project, folder)
    assert register(project, folder) == Checkpoint.objects.get()
    (folder / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="already a checkpoint named one with other contents"):
        register(project, folder)
    assert Checkpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("pytorch_model.bin", b"", "pytorch_model.bin may run code"),
        ("deep/er/x.PKL", b"", "deep/er/x.PKL may run code"),
        ("weights.pt.safetensors", b"", "weights.pt.safetensors may run code"),
        ("optimizer.pt", pickle.dumps({}), "optimizer.pt may run code"),
        ("model.pth", b"", "model.pth may run code"),
        ("modeling_own.py", b"", "modeling_own.py is code"),
        ("native.so", b"", "native.so is code"),
        ("config.json", b'{"auto_map": {"AutoModel": "x.Y"}}', "config.json asks for code"),
        ("tokenizer_config.json", b'{"auto_map": {}}', "tokenizer_config.json asks for code"),
        ("generation_config.json", b"{", "generation_config.json is not valid JSON"),
        ("generation_config.json", b"[" * 200_000, "generation_config.json is not valid JSON"),
        ("adapter_config.json", b"{}", "adapter_config.json makes it an adapter"),
        ("model.safetensors.index.json", b"[]", "index.json names no weights"),
        ("model.safetensors.index.json", index("../other/model.safetensors"), "outside the model"),
        ("model.safetensors.index.json", index("/srv/model.safetensors"), "outside the model"),
        ("model.safetensors.index.json", index(3), "outside the model"),
        ("a\\b.txt", b"", "holds characters that are refused"),
        ("a\u202eb.txt", b"", "holds characters that are refused"),
        ("a\udcff.txt", b"", "holds characters that are refused"),
    ],
)
def test_what_could_run_code_is_refused_and_nothing_registered(
    project: Project, folder: Path, name: str, content: bytes, sentence: str
) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        register(project, folder)
    nothing_registered()


def test_a_name_that_no_page_could_show_is_refused(project: Project, folder: Path) -> None:
    with pytest.raises(ValueError, match="invisible characters"):
        register(project, folder, "best\u202ecilop")
    nothing_registered()


def test_links_pipes_and_empty_folders_are_refused(project: Project, folder: Path) -> None:
    (folder / "vocab.json").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match=r"vocab\.json is a link that leads out"):
        register(project, folder)
    (folder / "vocab.json").unlink()
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(ValueError, match=r"pipe\.json is not an ordinary file"):
        register(project, folder)
    (folder / "pipe.json").unlink()
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="no weights in safetensors"):
        register(project, folder)
    with pytest.raises(ValueError, match="no model folder at"):
        register(project, folder / "nowhere")
    nothing_registered()


def test_full_disk_registers_nothing(
    project: Project, folder: Path, small_disk: Path, settings: Any
) -> None:
    settings.ARTIFACTS_URI = small_disk.as_uri()
    (folder / "vocab.txt").write_bytes(bytes(2 << 20))
    with pytest.raises(OSError, match="No space left"):
        register(project, folder)
    nothing_registered()
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_damaged_checkpoint_is_found_and_named(project: Project, folder: Path) -> None:
    checkpoint = register(project, folder)
    stored = registry.local_path(checkpoint) / "model.safetensors"
    stored.write_bytes(stored.read_bytes()[:-1] + b"\1")
    with pytest.raises(artifacts.Damaged, match=r"model\.safetensors of the artefact .* damaged"):
        registry.local_path(checkpoint)


@pytest.mark.django_db(transaction=True)
def test_two_deliveries_at_once_are_one_checkpoint(
    project: Project, folder: Path, job: Job
) -> None:
    def deliver(_: int) -> int:
        try:
            return register(project, folder, job=job).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(deliver, range(8)))
    assert len(found) == 1
    assert Checkpoint.objects.count() == 1


def test_one_delivered_between_two_looks_is_the_same_checkpoint(
    project: Project, folder: Path, job: Job
) -> None:
    delivered: list[Checkpoint | None] = []

    def deliver_after_the_first(
        execute: Any, sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        found = execute(sql, params, many, context)
        if not delivered and "checkpoint" in sql:
            delivered.append(None)  # the delivery itself asks, too
            delivered[0] = register(project, folder, job=job)
        return found

    with connection.execute_wrapper(deliver_after_the_first):
        assert register(project, folder, job=job) == delivered[0]
    assert Checkpoint.objects.count() == 1


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real causal LM, made by the tensor side in a process of its own."""
    made = tmp_path_factory.mktemp("tiny") / "policy"
    script = (
        "import sys,pathlib;from tests.models_runtime.tiny import tiny_policy;"
        "tiny_policy(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", script, str(made)], check=True, cwd=_root())
    return made


def test_own_policy_is_checked_loaded_and_registered(
    project: Project, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("register_checkpoint", str(tiny), "--name", "mine")
    checkpoint = Checkpoint.objects.get()
    assert checkpoint.facts["architecture"] == "LlamaForCausalLM"
    assert checkpoint.facts["parameters"] > 1000
    assert capsys.readouterr().out.startswith(f"mine: checkpoint {checkpoint.pk}, ")


def test_policy_that_pads_with_its_end_token_is_refused_in_one_sentence(
    project: Project, tiny: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(tiny), str(copy)], check=True)
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config["pad_token"] = config["eos_token"]
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(CommandError, match="pads with its end token"):
        call_command("register_checkpoint", str(copy), "--name", "mine")
    nothing_registered()


@pytest.mark.parametrize("count", [0, 2])
def test_command_asks_for_the_project_when_it_is_not_clear(
    folder: Path, count: int, make_projects: Callable[[int], None]
) -> None:
    make_projects(count)
    with pytest.raises(CommandError, match="not clear which project"):
        call_command("register_checkpoint", str(folder), "--name", "mine")


@pytest.fixture
def make_projects(db: None) -> Callable[[int], None]:
    def make(count: int) -> None:
        for number in range(count):
            Project.objects.create(slug=f"p{number}", name="P")

    return make


def nothing_registered() -> None:
    assert not Checkpoint.objects.exists()
    root = artifacts.local_root()
    assert root is None or not [path for path in root.rglob("*") if path.is_file()]


def _root() -> Path:
    return Path(registry.__file__).parent.parent
