"""How many wrong passwords one name, and one address, may try before it has to wait."""

from __future__ import annotations

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_ip_address
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest


class Throttle(AxesDatabaseHandler):
    """A name is locked from one address after AXES_FAILURE_LIMIT failures, and an address as a
    whole after ADDRESS_FAILURE_LIMIT: one password tried on every name, or a flood of tries that
    each cost the server half a second of hashing, would never reach the first limit."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The failures that count, on the scale of AXES_FAILURE_LIMIT."""
        of_name: int = super().get_failures(request, credentials)
        share = _of_address(request) / settings.ADDRESS_FAILURE_LIMIT
        return max(of_name, int(share * settings.AXES_FAILURE_LIMIT))


def _of_address(request: HttpRequest) -> int:
    recent = AccessAttempt.objects.filter(
        ip_address=get_client_ip_address(request),
        attempt_time__gte=get_cool_off_threshold(request),
    )
    return recent.aggregate(n=Sum("failures_since_start"))["n"] or 0
