"""The Celery app: a doorbell. All state is in the database; beat rings every second or two."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, Task

from models_runtime import acting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")


class FromWorker(Task):
    """What a task does is done by the worker, and the audit log says so."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with acting.at_work():
            return super().__call__(*args, **kwargs)


app = Celery("concord", task_cls=FromWorker)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["models_runtime", "labeling", "training", "annotate"])
app.conf.beat_schedule = {
    "dispatch-jobs": {"task": "models_runtime.dispatch_jobs", "schedule": 1.0},
    "sweep-jobs": {"task": "models_runtime.sweep_jobs", "schedule": 5.0},
    "forget-places": {"task": "models_runtime.forget_places", "schedule": 600.0},
    "watch": {"task": "annotate.watch", "schedule": 2.0},
    "watch-rows": {"task": "annotate.watch_rows", "schedule": 60.0},
    "send-mail": {"task": "annotate.send_mail", "schedule": 10.0},
    "send-webhooks": {"task": "annotate.send_webhooks", "schedule": 2.0},
    "forget-told": {"task": "annotate.forget_told", "schedule": 3600.0},
    "tick": {"task": "training.tick", "schedule": 1.0},
    "review": {"task": "labeling.review", "schedule": 3.0},
    "tally": {"task": "labeling.tally", "schedule": 5.0},
    "release-expired": {"task": "labeling.release_expired", "schedule": 30.0},
    "render-late": {"task": "labeling.render_late", "schedule": 2.0},
    "send-password-links": {"task": "labeling.send_password_links", "schedule": 5.0},
    "keep-limits": {"task": "labeling.keep_limits", "schedule": 2.0},
    "put-in-order": {"task": "labeling.put_in_order", "schedule": 2.0},
    "learn-accuracies": {"task": "labeling.learn_accuracies", "schedule": 30.0},
    "close-abandoned": {"task": "labeling.close_abandoned", "schedule": 60.0},
}
