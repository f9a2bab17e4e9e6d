"""Celery's part of labeling: fetch, call, return."""

from __future__ import annotations

from celery import shared_task

from labeling import (
    conversations,
    disputes,
    exclusions,
    late_rendering,
    leases,
    order,
    password_mail,
    pilots,
    quality_job,
    quotas,
    redactions,
    spend,
    tallies,
    tokens,
)


@shared_task(name="labeling.release_expired", ignore_result=True, expires=120)
def release_expired() -> None:
    """Leases that are over, and answers to programs that need not be said again any more."""
    leases.release_expired()
    tokens.forget_answers()


@shared_task(name="labeling.close_abandoned", ignore_result=True, expires=120)
def close_abandoned() -> None:
    conversations.close_abandoned()


@shared_task(name="labeling.render_late", ignore_result=True, expires=30)
def render_late() -> None:
    late_rendering.hand_out()


@shared_task(name="labeling.send_password_links", ignore_result=True, expires=30)
def send_password_links() -> None:
    password_mail.send_due()


@shared_task(name="labeling.keep_limits", ignore_result=True, expires=10)
def keep_limits() -> None:
    spend.keep()
    spend.draw_points()
    pilots.keep()
    quotas.keep()


@shared_task(name="labeling.put_in_order", ignore_result=True, expires=10)
def put_in_order() -> None:
    order.tick()


@shared_task(name="labeling.learn_accuracies", ignore_result=True, expires=60)
def learn_accuracies() -> None:
    quality_job.start_due()


@shared_task(name="labeling.review", ignore_result=True, expires=30)
def review() -> None:
    """What leads decided is carried out, and what they should look at is put up."""
    exclusions.tick()
    disputes.tick()
    redactions.tick()


@shared_task(name="labeling.tally", ignore_result=True, expires=30)
def tally() -> None:
    tallies.tick()
