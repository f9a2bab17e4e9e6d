"""The catalogues are whole: every marked sentence is in them, translated, with its placeholders,
and what is compiled is what is written."""

from __future__ import annotations

import ast
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation import gettext, override

from annotate.language import said_by, translated
from annotate.management.commands import messages
from models_runtime.phrases import phrase, together

FOLDER = Path(settings.LOCALE_PATHS[0])
CODES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
PLACEHOLDER = re.compile(r"%\([a-z_0-9]+\)[sd]|%%|(?<![%{])\{[a-z]+\}")
SOURCES = ("annotate", "labeling", "models_runtime", "training", "templates")


@dataclass(frozen=True)
class Entry:
    context: str
    message: str
    plural: str
    said: list[str]
    flags: str

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.message


def entries(path: Path) -> list[Entry]:
    """The entries of a .po file, the header left out."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    return [one for one in map(entry, blocks) if one.message]


def entry(block: str) -> Entry:
    lines = block.splitlines()
    texts: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith('"'):
            word, text = texts.pop()
            texts.append((word, text + ast.literal_eval(line)))
        elif not line.startswith("#"):
            word, _, text = line.partition(" ")
            texts.append((word, ast.literal_eval(text)))
    found = dict(texts)
    return Entry(
        context=found.get("msgctxt", ""),
        message=found["msgid"],
        plural=found.get("msgid_plural", ""),
        said=[text for word, text in texts if word.startswith("msgstr")],
        flags=" ".join(line for line in lines if line.startswith("#,")),
    )


def catalogue(code: str) -> Path:
    return FOLDER / code / "LC_MESSAGES" / "django.po"


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_empty_or_guessed(code: str) -> None:
    rows = entries(catalogue(code))
    assert len(rows) > 1000
    assert [one.message for one in rows if not all(one.said) or "fuzzy" in one.flags] == []


@pytest.mark.parametrize("code", CODES)
def test_every_placeholder_is_in_the_translation(code: str) -> None:
    wrong = []
    for one in entries(catalogue(code)):
        wanted = set(PLACEHOLDER.findall(one.plural or one.message))
        wrong += [said for said in one.said if set(PLACEHOLDER.findall(said)) != wanted]
    assert wrong == []


@pytest.mark.parametrize("code", CODES)
def test_what_is_compiled_is_what_is_written(code: str) -> None:
    with override(code):
        said = [gettext(one.message) for one in entries(catalogue(code)) if not one.context]
    written = [one.said[0] for one in entries(catalogue(code)) if not one.context]
    assert said == written


def test_nothing_new_is_marked(tmp_path: Path, monkeypatch: Any, settings: Any) -> None:
    if shutil.which("xgettext") is None:
        pytest.skip("collecting marked sentences needs gettext: apt-get install gettext")
    root = Path(settings.BASE_DIR)
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__", "migrations", "bench")
        shutil.copytree(root / name, tmp_path / name, ignore=ignored)
    monkeypatch.chdir(tmp_path)
    settings.LOCALE_PATHS = [tmp_path / "annotate" / "locale"]
    messages.collect()
    for code in CODES:
        collected = entries(tmp_path / "annotate" / "locale" / code / "LC_MESSAGES" / "django.po")
        assert {one.key for one in collected} == {one.key for one in entries(catalogue(code))}


def test_a_sentence_of_a_file_without_django_is_translated_with_its_values() -> None:
    said = phrase("Write %(what)s: at least %(least)s characters, and %(length)s are there.",
                  what=phrase("the critique"), least=2000, length=3)  # fmt: skip
    assert said == "Write the critique: at least 2,000 characters, and 3 are there."
    with override("de"):
        german = said_by(ValueError(said))
    assert german == "Schreibe die Kritik: mindestens 2.000 Zeichen, bisher sind es 3."


def test_pieces_of_a_sentence_are_translated_apart_and_names_stay() -> None:
    said = together("; ", [together(" ", ["A", phrase("slightly better")]), phrase("no flags")])
    assert said == "A slightly better; no flags"
    with override("de"):
        assert translated(said) == "A etwas besser; keine Merkmale"
        assert translated("What the lead wrote") == "What the lead wrote"
