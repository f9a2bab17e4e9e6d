"""A process that runs a model knows no password, key or token of the machine it runs on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from models_runtime import entries
from models_runtime.child import Child, without_secrets

SECRETS = {
    name: "canary"
    for name in (
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "DATABASE_URL",
        "REDIS_URL",
        "ADMIN_PASSWORD",
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "HF_TOKEN",
        "wandb_api_key",
    )
}
NEEDED = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "TOKENIZERS_PARALLELISM": "false"}


def test_secrets_go_and_the_rest_stays() -> None:
    assert without_secrets({**SECRETS, **NEEDED}) == NEEDED


def test_a_child_finds_none(tmp_path: Path) -> None:
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    told = without_secrets({**SECRETS, **NEEDED})
    child = Child.start(
        [sys.executable, "-c", script], cwd=tmp_path, env=told, log=tmp_path / "log.txt"
    )
    while child.wait(1) is None:
        pass
    said = child.last_line()
    child.end()
    assert "canary" not in said
    assert json.loads(said)["CUDA_VISIBLE_DEVICES"] == "0"


@pytest.mark.parametrize("online", [False, True])
def test_only_asking_a_hub_takes_its_token(monkeypatch: pytest.MonkeyPatch, online: bool) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    told = entries._environment(online)
    assert [name for name, value in told.items() if value == "canary"] == ["HF_TOKEN"] * online
