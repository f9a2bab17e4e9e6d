"""What an error says to a person: one sentence, and nothing of the machine it happened on.

Exceptions and the last lines of logs quote paths, which tell a reader where somebody's home and
artefacts lie and help nobody with a job. The log keeps them whole.
"""

from __future__ import annotations

import re

from models_runtime.phrases import mapped, phrase

_QUOTED = re.compile(r"""(['"])/[^'"\n]*?/?([^'"/\n]+)/?\1""")
# Absolute, of two names at least: no "1/2", "and/or", "ORG/NAME", nor what follows "https:".
_NAME = r"""[^\s/'"`,;:()<>\[\]]+"""
_BARE = re.compile(rf"(?:\bfile://|(?<![\w.:/~-]))(?:/{_NAME})+/({_NAME})/?")
_ABSENT = re.compile(r"(?:No module named|from(?: partially initialized module)?) '([\w.]+)'")
_IMPORTS = ("ImportError: ", "ModuleNotFoundError: ")


def without_paths(text: str) -> str:
    """text, or what a phrase was filled with, with every path of a machine cut down to its last
    name.

    >>> without_paths("[Errno 2] No such file or directory: '/srv/data/jobs/7/job.json'")
    "[Errno 2] No such file or directory: 'job.json'"
    """
    return mapped(text, _shorten)


def not_installed(name: str | None) -> str:
    """Why a job could not begin: a library is absent, or of another version."""
    return phrase(
        "The worker could not load %(what)s, which the job needs; the log says why.",
        what=name or phrase("a library"),
    )


def failed_import(line: str) -> str:
    """The sentence for a log whose last line is a failed import's; "" for any other."""
    if not line.startswith(_IMPORTS):
        return ""
    absent = _ABSENT.search(line)
    return not_installed(absent.group(1) if absent else None)


def _shorten(text: str) -> str:
    return _BARE.sub(r"\1", _QUOTED.sub(r"\1\2\1", text))
