"""Celery's part: rings at the door. All state is in the Job rows, so the broker may be flushed."""

from __future__ import annotations

from collections import Counter

from celery import current_app, shared_task
from kombu.exceptions import ChannelError

from models_runtime import audit, jobs

# A beat that nobody answered in time is dropped: the next one says the same.
_EXPIRES = 120


@shared_task(name="models_runtime.dispatch_jobs", ignore_result=True, expires=_EXPIRES)
def dispatch_jobs() -> None:
    """Ring once for every job that is due, counting the rings that still wait in each queue, so
    that a busy worker never finds a pile of them."""
    wanted = Counter(jobs.due().values_list("queue", flat=True))
    for queue, count in wanted.items():
        for _ in range(count - waiting(queue)):
            run_job.apply_async((queue,), queue=queue)


@shared_task(name="models_runtime.run_job", ignore_result=True, acks_late=False)
def run_job(queue: str) -> None:
    """Run the most urgent job of a queue. Acknowledged before it starts: a late acknowledgement
    lets the broker start a long job twice. A lost worker is the sweeper's business."""
    jobs.execute_next(queue)


@shared_task(name="models_runtime.sweep_jobs", ignore_result=True, expires=_EXPIRES)
def sweep_jobs() -> None:
    jobs.sweep()
    jobs.forget_progress()


@shared_task(name="models_runtime.forget_places", ignore_result=True, expires=_EXPIRES)
def forget_places() -> None:
    audit.forget_places()


def waiting(queue: str) -> int:
    """Messages in a queue that no worker has taken yet."""
    with current_app.connection_for_write() as connection:
        channel = connection.default_channel
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except ChannelError:  # the broker has not seen this queue yet
            return 0
