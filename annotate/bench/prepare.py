"""A database and static files to measure on: python -m annotate.bench.prepare SHAPE [presets],
the shape as JSON.

CONCORD_DATA and DATABASE_URL say where; a place of one's own, never the user's.
"""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.core.management import call_command  # noqa: E402  after setup()

from annotate.bench import instruments, scene  # noqa: E402  after setup()


def main(shape: str, *besides: str) -> None:
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    campaign = scene.build(scene.Shape(**json.loads(shape)))
    if "presets" in besides:
        instruments.build(campaign.project)


if __name__ == "__main__":
    main(*sys.argv[1:])
