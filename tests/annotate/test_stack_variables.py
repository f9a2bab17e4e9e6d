""".env.example names every variable that a person can set, and no other."""

from __future__ import annotations

import re

from tests.annotate.launching import ROOT

# Written by one part of Concord for another, the system's own, or accelerate's.
INTERNAL = {
    "CONCORD_ATTEMPT",
    "CONCORD_LEASE",
    "CONCORD_PARENT",
    "CONCORD_STACK",
    "CONCORD_TOKEN",
    "DJANGO_SETTINGS_MODULE",
    "LOCAL_RANK",
    "PATH",
    "PYTHONUNBUFFERED",
    "RANK",
    "TOKENIZERS_PARALLELISM",
    "WORLD_SIZE",
}
READ = re.compile(r"\b(?:env\.\w+|environ(?:\.\w+)?)[(\[]\s*\"([A-Z_]+)\"")
READ_BY_SET_UP = re.compile(r"\$\{([A-Z_]+)")
SHOWN = re.compile(r"^(?:# )?([A-Z_]+)=", re.MULTILINE)
ELSEWHERE = {"OMP_NUM_THREADS", "HF_ENDPOINT", "HF_TOKEN"}  # read by libraries


def test_every_variable_is_shown() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for package in ("annotate", "labeling", "models_runtime", "training")
        for path in (ROOT / package).rglob("*.py")
    ]
    read = {name for source in sources for name in READ.findall(source)}
    read |= set(READ_BY_SET_UP.findall((ROOT / ".ci/set-up").read_text(encoding="utf-8")))
    shown = SHOWN.findall((ROOT / ".env.example").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted((read | ELSEWHERE) - INTERNAL)
