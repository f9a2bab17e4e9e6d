"""The two lines hold in running processes, not only in import statements."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("annotate", "training", "labeling", "models_runtime")
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def modules() -> list[str]:
    names = []
    for package in PACKAGES:
        folder = importlib.import_module(package).__path__
        names += [m.name for m in pkgutil.walk_packages(folder, f"{package}.")]
    return sorted(names)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_import_contracts_hold() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_web_process_never_loads_torch() -> None:
    result = run(
        "import django, os, sys\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'annotate.settings'\n"
        "django.setup()\n"
        "import annotate.urls, annotate.celery\n"
        "annotate.celery.app.loader.import_default_modules()\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


@pytest.mark.training
@pytest.mark.parametrize("entry", ["training.run", "models_runtime.sample"])
def test_the_tensor_side_runs_with_django_and_celery_blocked(entry: str, tmp_path: Path) -> None:
    """Started on a folder that is no job it says so: it got as far as reading its job."""
    result = run(
        "import runpy, sys\n"
        "sys.modules['django'] = sys.modules['celery'] = None\n"
        f"sys.argv = ['{entry}', {str(tmp_path)!r}]\n"
        f"runpy.run_module('{entry}', run_name='__main__')"
    )
    assert result.returncode == 64, result.stderr
    assert "is not a job directory" in result.stderr + result.stdout


@pytest.mark.parametrize("name", modules())
def test_every_module_imports(name: str) -> None:
    importlib.import_module(name)


def test_no_signals_and_nothing_enqueued_outside_tasks() -> None:
    """Receivers hide calls; ``.delay`` in a request blocks for 19 s while Redis is down."""
    found = []
    for path in sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        if path.name == "tasks.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("delay", "apply_async"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}")
            if isinstance(node, ast.ImportFrom) and node.module == "django.dispatch":
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} signal")
    assert found == []
