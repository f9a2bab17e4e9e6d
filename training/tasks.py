"""The doorbell for the loop."""

from celery import shared_task

from training import pipeline


@shared_task(name="training.tick", expires=10)
def tick() -> None:
    pipeline.tick()
