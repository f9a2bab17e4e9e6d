"""How fast people label, on a page that keeps its figures as long as no label comes."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from annotate import figures
from tests.factories import Cast, open_comparisons
from tests.rating import answer


def test_speed_falls_when_nobody_labels_any_more(
    client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the page promised an end in minutes for as long as nobody came."""
    monkeypatch.setattr(figures, "PACE_SECONDS", 0.0)
    open_comparisons(cast.campaign, 3)
    answer(cast.rater, cast.campaign, "0:better")
    client.force_login(cast.lead)
    begun = timezone.now()

    def told(minutes: int) -> tuple[int, int, bool]:
        """Labels an hour, raters at work, and whether an end is promised."""
        later = begun + dt.timedelta(minutes=minutes)
        monkeypatch.setattr(timezone, "now", lambda: later)
        context = client.get("/campaigns/helpful/").context
        said = context["figures"]
        return round(said.hourly), said.active_raters, context["time_left"] is not None

    assert told(1) == (60, 1, True)
    assert told(30) == (2, 0, True)
    assert told(61) == (0, 0, False)
    assert figures.of(cast.campaign, cast.campaign.iterations.get()).people == 1
