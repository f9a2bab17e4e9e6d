"""The environment every test runs in; set before Django or torch is imported."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "for-the-tests-only")
os.environ.setdefault("CONCORD_DATA", tempfile.mkdtemp(prefix="concord-tests-"))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright's loop beside the ORM

Path(os.environ["CONCORD_DATA"], "static").mkdir(parents=True, exist_ok=True)
