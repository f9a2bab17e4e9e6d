"""A model named as on a hub is fetched and registered; without a hub it is one sentence.

The hub is the edge of our network: the tests' own server on loopback answers as one does.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from models_runtime import registry
from models_runtime.models import Checkpoint, Project

POLICY = Path(registry.__file__).parent / "demo_policy"
REVISION = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/small-policy"

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("store")]


class Hub(ThreadingHTTPServer):
    """One repository; ``asked`` holds the files that were wanted."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.folder = folder
        self.asked: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def files(self) -> dict[str, bytes]:
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith(f"/api/models/{NAME}/tree/"):
            return self._send(json.dumps(self._tree()).encode())
        if path.startswith(f"/api/models/{NAME}"):
            return self._send(json.dumps(self._model()).encode())
        prefix = f"/{NAME}/resolve/{REVISION}/"
        content = self.server.files().get(path.removeprefix(prefix))
        if not path.startswith(prefix) or content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            return None
        self.server.asked.add(path.removeprefix(prefix))
        return self._send(content)

    do_HEAD = do_GET

    def _model(self) -> dict[str, Any]:
        files = [
            {"rfilename": name, "size": len(content), "blobId": _git_name(content)}
            for name, content in self.server.files().items()
        ]
        return {"id": NAME, "sha": REVISION, "siblings": files}

    def _tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": _git_name(content)}
            for name, content in self.server.files().items()
        ]

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{_git_name(content)}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """The test's output is no access log."""


def _git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "repository"
    shutil.copytree(POLICY, folder)
    server = Hub(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def nothing_is_left(data: Path) -> bool:
    return not Checkpoint.objects.exists() and not [
        path for path in (data / "artifacts").rglob("*") if path.is_file()
    ]


def test_a_model_is_fetched_checked_and_registered_without_pickles_and_code(
    project: Project, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for decoy in ("pytorch_model.bin", "modeling_x.py", "consolidated.safetensors", "onnx/a.json"):
        (hub.folder / decoy).parent.mkdir(exist_ok=True)
        (hub.folder / decoy).write_bytes(b"not wanted")
    call_command("register_checkpoint", NAME, "--name", "fetched")
    checkpoint = Checkpoint.objects.get()
    assert capsys.readouterr().out.startswith(f"fetched: checkpoint {checkpoint.pk}, 430,")
    assert checkpoint.facts["hub"] == NAME
    assert checkpoint.facts["revision"] == REVISION
    shipped = {path.name for path in POLICY.iterdir()}
    assert hub.asked == shipped
    assert set(checkpoint.manifest) <= shipped
    assert registry.local_path(checkpoint).is_dir()
    assert not list((tmp_path / "cache" / "hub").iterdir())


def test_a_folder_of_that_name_comes_first(
    project: Project, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir(parents=True)
    with pytest.raises(CommandError, match=r"^The model folder has no weights in safetensors\.$"):
        call_command("register_checkpoint", NAME, "--name", "mine")
    assert not hub.asked


def test_a_model_that_the_hub_does_not_have(project: Project, hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("register_checkpoint", "someone/else", "--name", "mine")
    assert str(refused.value) == (
        f"someone/else is not a folder here, and the model hub at {hub.url} has no model of that "
        "name (or it is private: then set HF_TOKEN)."
    )
    assert nothing_is_left(tmp_path)


def test_a_model_with_pickles_only(project: Project, hub: Hub, tmp_path: Path) -> None:
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    with pytest.raises(
        CommandError, match=f"^{NAME} has no weights in safetensors on the model hub"
    ):
        call_command("register_checkpoint", NAME, "--name", "mine")
    assert nothing_is_left(tmp_path)
    assert not hub.asked


def test_without_a_hub_it_is_one_sentence_and_soon(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    begun = time.monotonic()
    with pytest.raises(CommandError) as refused:
        call_command("register_checkpoint", NAME, "--name", "mine")
    assert time.monotonic() - begun < 20
    assert str(refused.value) == (
        f"{NAME} is not a folder here, and the model hub at http://127.0.0.1:9 cannot be reached: "
        "download the model on another machine and name its folder."
    )
    assert nothing_is_left(tmp_path)
