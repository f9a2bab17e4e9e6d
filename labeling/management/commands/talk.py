"""python manage.py talk: have live models answer in conversations, arenas and red teams."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from labeling.answering import Talker
from models_runtime import acting


class Command(BaseCommand):
    help = "Keep the models warm that live campaigns talk with, and write their replies."

    def handle(self, *args: Any, **options: Any) -> None:
        talker = Talker(most=settings.TALK_MODELS, silence=settings.TALK_SILENCE_SECONDS)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda _number, _frame: talker.stop())
        with acting.at_work():
            talker.run()
