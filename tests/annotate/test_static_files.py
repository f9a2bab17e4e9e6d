"""What the pages load is there, is what it says it is, and comes from nowhere else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]


def collect(settings: Any, folder: Path) -> None:
    """As for real work: the tests' own settings leave the files where they are."""
    settings.STATIC_ROOT = folder
    backend = "annotate.static_files.StaticFiles"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    call_command("collectstatic", interactive=False, verbosity=0)


def test_vendored_files_have_the_sums_written_beside_them() -> None:
    readme = (ROOT / "static/vendor/README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| (\S+\.js) .*\b([0-9a-f]{64})\b", readme, re.MULTILINE))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (ROOT / "static/vendor").glob("*.js")
    }
    assert found == stated


def test_every_file_a_template_names_is_collected(settings: Any, tmp_path: Path) -> None:
    collect(settings, tmp_path)
    named = set()
    for path in (ROOT / "templates").rglob("*.html"):
        named |= set(re.findall(r"{% static '([^']+)' %}", path.read_text(encoding="utf-8")))
    assert "css/concord.css" in named
    assert [name for name in named if not (tmp_path / name).is_file()] == []


def test_no_script_asks_for_another(collected: Path) -> None:
    """Each brings what it imports: else a page would be a dozen requests."""
    scripts = [path.read_text("utf-8") for path in (collected / "js").rglob("*.js")]
    assert any("outbox.push(" in text for text in scripts)
    assert not any(re.search(r"^import\b|\bimport\(", text, re.MULTILINE) for text in scripts)


def test_a_script_has_another_name_when_what_it_imports_has_changed(
    settings: Any, tmp_path: Path
) -> None:
    """Else a browser would keep yesterday's part of a page."""
    source = tmp_path / "source"
    (source / "js").mkdir(parents=True)
    (source / "js/page.js").write_text('import { word } from "./word.js";\nalert(word);\n')
    settings.STATICFILES_DIRS = [source]
    served = []
    for word in ("old", "new", "new"):
        (source / "js/word.js").write_text(f'export const word = "{word}";\n')
        collect(settings, tmp_path / "served")
        served.append(staticfiles_storage.url("js/page.js").rpartition("/")[2])
        assert f'"{word}"' in (tmp_path / "served/js" / served[-1]).read_text()
    assert served[0] != served[1] == served[2]


def test_markup_becomes_nodes_in_one_place() -> None:
    """Where its reason stands: everywhere else text is put on a page as text."""
    reads = re.compile("innerHTML|outerHTML|insertAdjacentHTML|ContextualFragment|DOMParser")
    scripts = (ROOT / "static/js").rglob("*.js")
    found = [p.name for p in scripts for _ in reads.findall(p.read_text(encoding="utf-8"))]
    assert found == ["markup.js"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    texts = [p for p in (ROOT / "templates").rglob("*.html")]
    texts += [*(ROOT / "static/css").glob("*.css"), *(ROOT / "static/js").rglob("*.js")]
    for path in texts:
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "http://" not in text, path
        assert "https://" not in text, path


def test_every_template_parses() -> None:
    folder = ROOT / "templates"
    for path in folder.rglob("*.html"):
        get_template(path.relative_to(folder).as_posix())
