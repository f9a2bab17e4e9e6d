"""Celery's part of what is told: fetch, call, return."""

from __future__ import annotations

from celery import shared_task

from annotate import notice_mail, watching
from labeling import notices, webhook_calls, webhooks


@shared_task(name="annotate.watch", ignore_result=True, expires=120)
def watch() -> None:
    watching.look()


@shared_task(name="annotate.watch_rows", ignore_result=True, expires=120)
def watch_rows() -> None:
    watching.look_at_budgets()
    watching.look_at_flags()


@shared_task(name="annotate.send_mail", ignore_result=True, expires=120)
def send_mail() -> None:
    notice_mail.send_due()


@shared_task(name="annotate.send_webhooks", ignore_result=True, expires=120)
def send_webhooks() -> None:
    webhook_calls.send_due()


@shared_task(name="annotate.forget_told", ignore_result=True, expires=120)
def forget_told() -> None:
    notices.forget()
    webhooks.forget()
