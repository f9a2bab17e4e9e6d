"""The README's map names every file of the four packages, and no file that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = ("annotate", "labeling", "models_runtime", "training")


def mapped(package: str) -> set[str]:
    section = re.search(rf"\*\*{package}/ .*?```\n(.*?)```", README, re.DOTALL)
    assert section, f"the README has no map of {package}/"
    return {line.split()[0] for line in section.group(1).splitlines()}


def present(package: str) -> set[str]:
    folder = ROOT / package
    found = (path.relative_to(folder) for path in folder.rglob("*.py"))
    kept = (p for p in found if p.name != "apps.py" and "migrations" not in p.parts)
    return {p.as_posix() for p in kept if p.name != "__init__.py" or _says(folder / p)}


def _says(path: Path) -> bool:
    return path.read_text(encoding="utf-8").startswith('"""')


def test_the_map_is_true() -> None:
    for package in PACKAGES:
        assert mapped(package) == present(package), package


def test_every_picture_is_there() -> None:
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / name).is_file(), name
