"""A lead looks at every page of the measured campaign: python -m annotate.bench.lead_visits.

Measures the place that CONCORD_DATA and DATABASE_URL name, in this process, and prints JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.db import connection  # noqa: E402  after setup()
from django.test import Client  # noqa: E402
from django.urls import NoReverseMatch, get_resolver, reverse  # noqa: E402

from annotate.bench import scene  # noqa: E402
from annotate.bench.counting import CONTROL  # noqa: E402
from labeling import quality_job  # noqa: E402
from labeling.models import Campaign, Membership, User  # noqa: E402
from models_runtime.models import Job  # noqa: E402

AGAIN = 5
LABELS = ("?said=tie", "?rater=rater0", "?said=slightly&side=second", "?until=2020-01-01")


def _here() -> dict[str, Any]:
    """Of this place: each page's median and first CPU milliseconds and its queries, and the
    seconds of a count of everything."""
    campaign = Campaign.objects.get(slug=scene.SLUG)
    client = _lead(campaign)
    job = quality_job.start(campaign, None)
    assert job
    found: dict[str, Any] = {}
    seconds = _seconds(lambda: found.update(quality_job.reports(campaign)))
    Job.objects.filter(pk=job.pk).update(state="succeeded", result=found)
    pages = {address: _page(client, address) for address in _addresses()}
    return {"count": seconds, "pages": {name: one for name, one in pages.items() if one}}


def _lead(campaign: Campaign) -> Client:
    user = User.objects.create(username="lead")
    for role in ("lead", "researcher"):
        Membership.objects.create(user=user, project=campaign.project, role=role)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _addresses() -> list[str]:
    """All that is addressed by nothing but a campaign and its iteration, whoever added it."""
    known = {"slug": scene.SLUG, "number": 1}
    found = []
    for name in sorted(key for key in get_resolver().reverse_dict if isinstance(key, str)):
        for wanted in ({"slug"}, {"slug", "number"}):
            try:
                address = reverse(name, kwargs={key: known[key] for key in wanted})
            except NoReverseMatch:
                continue
            if address.startswith("/campaigns/"):
                found.append(address)
    found += [f"/campaigns/{scene.SLUG}/labels/{query}" for query in LABELS]
    return ["/campaigns/", *found]


def _page(client: Client, address: str) -> dict[str, float] | None:
    """None of what is no page to read."""
    begun = time.process_time()
    response = client.get(address)
    first = 1000 * (time.process_time() - begun)
    if response.status_code != 200 or response.streaming:
        return None
    made: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(CONTROL):
            made.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        client.get(address)
    times = [1000 * _seconds(lambda: client.get(address)) for _ in range(AGAIN)]
    return {"first": first, "ms": statistics.median(times), "queries": len(made)}


def _seconds(act: Callable[[], Any]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


if __name__ == "__main__":
    json.dump(_here(), sys.stdout)
