"""A database and static files to measure on: python -m annotate.bench.prepare SHAPE (as JSON).

CONCORD_DATA and DATABASE_URL say where; a place of one's own, never the user's.
"""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from annotate.bench import scene  # noqa: E402


def main(shape: str) -> None:
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    scene.build(scene.Shape(**json.loads(shape)))


if __name__ == "__main__":
    main(sys.argv[1])
