"""Settings: everything that differs between machines comes from the environment.

.env.example lists every variable read here. What is missing and cannot be guessed safely stops
the process with one sentence.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured


class Environment(environ.Env):
    """Says which variable is wrong, in one sentence."""

    def int(self, var: str, default: int) -> int:
        try:
            number = int(self.str(var, str(default)) or default)
        except ValueError:
            number = -1
        if number < 0:
            raise ImproperlyConfigured(
                f"{var} is {self.str(var)}, and it must be a whole number, zero or more."
            )
        return number

    def list(self, var: str, default: Sequence[str] = ()) -> Sequence[str]:
        """What stands between commas, without the spaces around it."""
        names = [name.strip() for name in self.str(var, "").split(",")]
        return [name for name in names if name] or [*default]

    def database(self, var: str, default: str) -> dict[str, Any]:
        """SQLite or PostgreSQL. A parser's own warning would show the password."""
        found: dict[str, Any] = {}
        with warnings.catch_warnings(action="ignore"), contextlib.suppress(ValueError):
            found = self.db_url_config(self.str(var, "") or default)
        if not found.get("ENGINE", "").endswith(("sqlite3", "postgresql")):
            raise ImproperlyConfigured(
                f"{var} names no database: write it as postgres://USER:PASSWORD@HOST:5432/NAME."
            )
        return found

    def mail(self, var: str) -> dict[str, Any]:
        """Where mail is handed over. A parser's own error would show the password."""
        found: dict[str, Any] = {}
        with contextlib.suppress(ValueError, ImproperlyConfigured):
            found = self.email_url_config(self.str(var, "") or "dummymail://")
        if not found.get("EMAIL_BACKEND"):
            raise ImproperlyConfigured(
                f"{var} names no mail server: write it as smtp+tls://USER:PASSWORD@HOST:587."
            )
        return {name: value for name, value in found.items() if name.startswith("EMAIL_")}


env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent

# Where state lives: database, artefacts, job directories, logs, the private Redis.
DATA_DIR = Path(env.str("CONCORD_DATA", "") or BASE_DIR / ".data").resolve()
DEBUG = env.bool("CONCORD_DEBUG", False)


def _secret_key() -> str:
    """SECRET_KEY from the environment, else the one the launcher made for this data folder."""
    if key := env.str("SECRET_KEY", ""):
        return key
    try:
        return (DATA_DIR / "secret_key").read_text(encoding="utf-8").strip()
    except OSError:
        raise ImproperlyConfigured(
            "Set SECRET_KEY in the environment (make demo and make serve create one in "
            f"{DATA_DIR} when they first start)."
        ) from None


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# TLS ends at a proxy that sets X-Forwarded-Proto: cookies become secure, HTTP redirects.
BEHIND_TLS = env.bool("BEHIND_TLS_PROXY", False)
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 3600)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "annotate",
    "training",
    "labeling",
    "models_runtime",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # A rater's page is 11.5 kB, 3.0 compressed. Django pads against BREACH.
    "django.middleware.gzip.GZipMiddleware",
    "annotate.api.problems.only_problems",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "annotate.body_limit.BodyLimit",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "annotate.acting_from.acting_from",
    "axes.middleware.AxesMiddleware",
]
# A prompt file, in bytes; other addresses take DATA_UPLOAD_MAX_MEMORY_SIZE, which is Django's.
LARGEST_UPLOAD = 2 << 30
ROOT_URLCONF = "annotate.urls"
WSGI_APPLICATION = "annotate.wsgi.application"
ASGI_APPLICATION = "annotate.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# IMMEDIATE: a deferred transaction that turns into a write meets "database is locked" under
# load (10,000 errors where IMMEDIATE had none). FULL: a label is acknowledged after fsync.
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
        "PRAGMA mmap_size=268435456; PRAGMA cache_size=-32000;"
    ),
}
# A connection prepares what it has asked three times: with fifty raters on two cores the slowest
# twentieth of answers took 25 ms instead of 34. A pooler that gives every transaction another
# connection, and does not know of prepared statements, wants none.
_prepares = env.bool("DATABASE_PREPARES", True)
POSTGRES_OPTIONS = {
    "server_side_binding": _prepares,
    "prepare_threshold": 3 if _prepares else None,
}
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'concord.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
else:
    DATABASES["default"]["OPTIONS"] = POSTGRES_OPTIONS
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", 60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "labeling.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
# Locks the pair of account and address, so that nobody can lock somebody else out. Behind proxies
# the connection's address is the nearest proxy's: how many of them are ours must be declared.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)
AXES_CLIENT_IP_CALLABLE = "annotate.client_address.of"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 8
AXES_HANDLER = "annotate.throttle.Throttle"
# An office behind one address mistypes less often than this in the time below.
ADDRESS_FAILURE_LIMIT = 100
AXES_COOLOFF_TIME = 0.25  # hours
# What is locked is not written: each try would make a row longer, and the lock endless.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit log says it, without names that were typed
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_VERBOSE = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Mail: links for a new password, and notices. Without EMAIL_URL none is sent, and leads hand links
# over. PUBLIC_URL is where people reach this installation: a request's own Host is not to be put
# into somebody's mail.
MAIL_IS_SENT = bool(env.str("EMAIL_URL", ""))
globals().update(env.mail("EMAIL_URL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "") or "concord@localhost"
PUBLIC_URL = env.str("PUBLIC_URL", "").rstrip("/")
PASSWORD_RESET_TIMEOUT = 24 * 3600

LANGUAGE_CODE = "en-gb"
# Each in its own words, for whoever reads no other. annotate/locale has what the pages say.
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "annotate" / "locale"]
LANGUAGE_COOKIE_NAME = "language"
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Nothing of other packages is served: what the pages load is in that folder.
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "annotate.static_files.StaticFiles"},
}

# Artefacts (checkpoints, snapshots): any fsspec address. Job directories: a local folder.
ARTIFACTS_URI = env.str("CONCORD_ARTIFACTS", (DATA_DIR / "artifacts").as_uri())
JOBS_DIR = Path(env.str("CONCORD_JOBS", str(DATA_DIR / "jobs")))
# A running job whose worker stored no heartbeat for this long is taken from it.
JOB_LEASE_SECONDS = env.int("CONCORD_JOB_LEASE", 60)
# A running job whose child shows no progress for this long is ended and retried.
JOB_STALL_SECONDS = env.int("CONCORD_JOB_STALL", 3600)
# How training is spread over accelerators (training/launch_files), and over how many; 0: all.
TRAINING_LAUNCH = env.str("CONCORD_LAUNCH", "")
TRAINING_PROCESSES = env.int("CONCORD_LAUNCH_PROCESSES", 0)
if TRAINING_LAUNCH not in ("", "ddp", "fsdp", "zero2", "zero3"):
    raise ImproperlyConfigured(
        f"CONCORD_LAUNCH is ddp, fsdp, zero2, zero3 or empty, not {TRAINING_LAUNCH}."
    )
# Models that are kept in memory at a time for live talks, in each `manage.py talk`.
TALK_MODELS = env.int("CONCORD_TALK_MODELS", 2)
# A live model that says nothing for so many seconds is given up.
TALK_SILENCE_SECONDS = env.int("CONCORD_TALK_SILENCE", 60)

# Where an act came from (address, browser) is emptied after so many days; 0: never written.
AUDIT_PLACE_DAYS = env.int("CONCORD_AUDIT_PLACE_DAYS", 180)

# Notices, and what webhooks were sent, are dropped after so many days.
NOTICE_DAYS = env.int("CONCORD_NOTICE_DAYS", 180)
WEBHOOK_DAYS = env.int("CONCORD_WEBHOOK_DAYS", 30)
# Whether webhooks may lead into a private network, and speak http there.
WEBHOOKS_PRIVATE = env.bool("CONCORD_WEBHOOKS_PRIVATE", False)

# What a model card's energy and CO2 are reckoned with: watts of a busy CPU core and of an
# accelerator, and grams of CO2 equivalent a kilowatt-hour (475: the world's mean, IEA 2019).
CPU_WATTS = env.int("CONCORD_CPU_WATTS", 10)
DEVICE_WATTS = env.int("CONCORD_DEVICE_WATTS", 400)
GRAMS_PER_KWH = env.int("CONCORD_GRAMS_PER_KWH", 475)

# Calls that one token may make in a minute.
API_CALLS_PER_MINUTE = env.int("CONCORD_API_CALLS", 600)

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than any task; a job itself is acknowledged before it starts.
    "visibility_timeout": 24 * 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "retry_on_timeout": True,
    "unacked_restore_throttle": 1,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"links": {"()": "annotate.logged_paths.WithoutSecrets"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["links"]}
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    # axes tells of every failed sign-in with the name that was typed: personal data in a log.
    "loggers": {"axes": {"level": "ERROR"}},
}
