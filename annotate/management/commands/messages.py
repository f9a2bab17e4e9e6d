"""Bring the catalogues up to date with what is marked for translation, and list what is missing"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.core.management.commands import makemessages

ELSEWHERE = (".*", "tests", "docs", "static", "test-results")
# In the order of the arguments: what marks a sentence besides gettext and its like.
KEYWORDS = ("--keyword=phrase", "--keyword=option:2")


class Collect(makemessages.Command):
    """Django's makemessages, with our keywords, no guesses from sentences that look alike, and no
    line numbers: those change with every edit of a page."""

    xgettext_options = [*makemessages.Command.xgettext_options, *KEYWORDS, "--add-location=file"]
    msgmerge_options = [
        *makemessages.Command.msgmerge_options,
        "--add-location=file",
        "--no-fuzzy-matching",
    ]
    msgattrib_options = [*makemessages.Command.msgattrib_options, "--add-location=file"]


def collect() -> None:
    """Write every marked sentence below the working directory into the catalogues."""
    call_command(
        Collect(),
        locale=[code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE],
        extensions=["html", "py"],
        ignore_patterns=[*ELSEWHERE],
        no_obsolete=True,
        verbosity=0,
    )
    for path in catalogues():
        dated = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'"POT-Creation-Date:.*\n', "", dated), encoding="utf-8")


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        collect()
        call_command("compilemessages", ignore_patterns=[*ELSEWHERE], verbosity=0)
        missing = [line for path in catalogues() for line in _missing(path)]
        if missing:
            raise CommandError("Not translated:\n" + "\n".join(missing))
        self.stdout.write("Every sentence is translated.")


def catalogues() -> list[Path]:
    return sorted(Path(settings.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/django.po"))


def _missing(path: Path) -> list[str]:
    wanted = ["msgattrib", "--untranslated", "--no-obsolete", "--no-wrap", "--no-location"]
    found = subprocess.run([*wanted, str(path)], capture_output=True, text=True, check=True)
    lines = found.stdout.split("\n\n", 1)[-1].splitlines()
    return [line for line in lines if line.startswith(("msgid", "msgctxt")) and line != 'msgid ""']
