#!/usr/bin/env python
"""Django's command line, with Concord's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from annotate import env_file


def main() -> int:
    """Exit status 1 and one sentence, as of any command, where the settings refuse to load."""
    env_file.read()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"CommandError: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
