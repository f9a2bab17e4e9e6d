"""What beat rings for, in a process of its own: ends leases that are over, until it is ended.

python -m tests.flows.sweeper       (DATABASE_URL and CONCORD_DATA say where)
"""

from __future__ import annotations

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.db import OperationalError, close_old_connections  # noqa: E402  after setup()

from labeling.leases import release_expired  # noqa: E402  after setup()


def main() -> None:
    while True:
        close_old_connections()
        try:
            release_expired()
        except OperationalError:  # its database connection was ended, too
            close_old_connections()
        time.sleep(0.3)


if __name__ == "__main__":
    main()
