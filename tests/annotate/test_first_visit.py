"""The first visit to a rating page is few requests and few bytes, whatever the question asks."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from annotate.bench import pages
from labeling.presets import PRESETS, Preset
from labeling.questions import live
from tests.factories import Cast, open_comparisons
from tests.talks import begun, cast_of

EACH = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


@pytest.fixture(autouse=True)
def collected_static_files(settings: Any, collected: Path) -> None:
    settings.STATIC_ROOT = collected
    backend = "annotate.static_files.StaticFiles"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


def scene(preset: Preset) -> Cast:
    """A card or a talk of the preset, in the hands of the rater."""
    cast = cast_of(preset.parts)
    if live.of(preset.parts):
        begun(cast)
    else:
        texts = [f"Answer {n}." for n in range(preset.completions)]
        open_comparisons(cast.campaign, 3, texts=texts)
    return cast


def page_of(cast: Cast) -> bytes:
    client = Client(headers={"Accept-Encoding": "gzip"})
    client.force_login(cast.rater)
    response = client.get("/rate/helpful/", follow=True)
    assert response.status_code == 200
    return bytes(response.content)


@EACH
def test_a_first_visit_is_few_requests_and_few_bytes(
    db: Any, collected: Path, preset: Preset
) -> None:
    page = page_of(scene(preset))

    def file(path: str) -> Path:
        return collected / path.removeprefix("/static/")

    def packed(path: str) -> int:
        return Path(f"{file(path)}.gz").stat().st_size

    loaded = pages.loads(gzip.decompress(page).decode(), lambda path: file(path).read_text())
    assert [path for path in loaded if path.endswith(".css")]
    assert [path for path in loaded if re.search(r"/(?:rate|talk)\.[0-9a-f]{12}\.js$", path)]
    assert 1 + len(loaded) + pages.AHEAD <= pages.MOST_REQUESTS
    assert len(page) + sum(map(packed, loaded)) <= pages.MOST_BYTES
    scripts = "".join(file(path).read_text() for path in loaded)
    modules = re.findall(r"^const (\$\w+) = ", scripts, re.MULTILINE)
    assert len(modules) == len(set(modules)), "two scripts of the page bring a copy of one module"


def test_what_a_page_loads_is_followed_to_its_end() -> None:
    """So that the count above cannot miss a request."""
    page = """<link rel="modulepreload" href="/static/js/one.js"><script src="/static/js/two.js">
        <noscript><link rel="stylesheet" href="/static/css/noscript.css"></noscript>
        <link rel="stylesheet" href="/static/css/all.css">"""
    files = {
        "/static/js/one.js": 'const late = import("./parts/three.js"); // from here',
        "/static/js/two.js": 'import * as one from "./one.js";\nimport "./four.js";',
        "/static/js/parts/three.js": "import { four } from '../four.js';",
        "/static/js/four.js": "",
        "/static/css/all.css": "@import './more.css'; p { background: url(../img/dot.svg) }",
        "/static/css/more.css": "",
        "/static/img/dot.svg": "",
    }
    assert sorted(pages.loads(page, files.__getitem__)) == sorted(files)
