"""The Celery app: a doorbell. All state is in the database; beat rings every second or two."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")

app = Celery("concord")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["models_runtime", "labeling", "training"])
app.conf.beat_schedule = {
    "dispatch-jobs": {"task": "models_runtime.dispatch_jobs", "schedule": 1.0},
    "sweep-jobs": {"task": "models_runtime.sweep_jobs", "schedule": 5.0},
    "tick": {"task": "training.tick", "schedule": 1.0},
    "release-expired": {"task": "labeling.release_expired", "schedule": 30.0},
    "close-abandoned": {"task": "labeling.close_abandoned", "schedule": 60.0},
}
