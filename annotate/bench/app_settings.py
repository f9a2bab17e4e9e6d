"""The application as it is, with a count of its queries."""

from annotate.settings import *  # noqa: F403  settings are names
from annotate.settings import MIDDLEWARE

MIDDLEWARE = ["annotate.bench.counting.middleware", *MIDDLEWARE]
