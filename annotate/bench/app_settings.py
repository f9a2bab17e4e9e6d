"""The application as it is, with a count of its queries."""

from annotate.settings import *  # noqa: F403
from annotate.settings import MIDDLEWARE

MIDDLEWARE = ["annotate.bench.counting.middleware", *MIDDLEWARE]
