"""The file .env, for the launcher and for manage.py alike: both must mean the same database."""

from __future__ import annotations

import os
from pathlib import Path

import environ

ROOT = Path(__file__).resolve().parent.parent


def read() -> None:
    """Variables from .env (or the file ENV_FILE names) that the environment does not set."""
    path = Path(os.environ.get("ENV_FILE") or ROOT / ".env")
    if path.is_file():
        environ.Env.read_env(str(path), overwrite=False)
