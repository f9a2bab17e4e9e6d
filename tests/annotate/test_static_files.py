"""What the pages load is there, is what it says it is, and comes from nowhere else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]


def test_vendored_files_have_the_sums_written_beside_them() -> None:
    readme = (ROOT / "static/vendor/README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| (\S+\.js) .*\b([0-9a-f]{64})\b", readme, re.MULTILINE))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (ROOT / "static/vendor").glob("*.js")
    }
    assert found == stated


def test_every_file_a_template_names_is_collected(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    backend = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    call_command("collectstatic", interactive=False, verbosity=0)
    named = set()
    for path in (ROOT / "templates").rglob("*.html"):
        named |= set(re.findall(r"{% static '([^']+)' %}", path.read_text(encoding="utf-8")))
    assert "css/concord.css" in named
    assert [name for name in named if not (tmp_path / name).is_file()] == []


def test_nothing_is_loaded_from_elsewhere() -> None:
    texts = [p for p in (ROOT / "templates").rglob("*.html")]
    texts += [*(ROOT / "static/css").glob("*.css"), *(ROOT / "static/js").glob("*.js")]
    for path in texts:
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "http://" not in text, path
        assert "https://" not in text, path


def test_every_template_parses() -> None:
    folder = ROOT / "templates"
    for path in folder.rglob("*.html"):
        get_template(path.relative_to(folder).as_posix())
