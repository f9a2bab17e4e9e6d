"""Celery's part of labeling: fetch, call, return."""

from __future__ import annotations

from celery import shared_task

from labeling import conversations, leases


@shared_task(name="labeling.release_expired", ignore_result=True, expires=120)
def release_expired() -> None:
    leases.release_expired()


@shared_task(name="labeling.close_abandoned", ignore_result=True, expires=120)
def close_abandoned() -> None:
    conversations.close_abandoned()
