"""The floor that requests are measured against: the same server and database, and nothing of
Django but its handler and ORM."""

from annotate.settings import *  # noqa: F403  settings are names
from annotate.settings import MIDDLEWARE

MIDDLEWARE = MIDDLEWARE[:0]
ROOT_URLCONF = "annotate.bench.floor"
