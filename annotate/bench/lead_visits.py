"""A lead looks at every page of the measured campaign: python -m annotate.bench.lead_visits.

Measures the place that CONCORD_DATA and DATABASE_URL name, in this process, and prints JSON.
"""

from __future__ import annotations

import contextlib
import itertools
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

from annotate import figures  # noqa: E402  after setup()
from annotate.bench import scene  # noqa: E402
from annotate.bench.counting import CONTROL  # noqa: E402
from labeling import quality_job, tallies  # noqa: E402
from labeling.models import Campaign, Comparison, Membership, User  # noqa: E402
from models_runtime.models import Checkpoint, Job  # noqa: E402

AGAIN = 5
LABELS = ("?said=tie", "?rater=rater0", "?said=slightly&side=second", "?until=2020-01-01")
# What a lead or a researcher looks at; raters' pages and the ways in are measured elsewhere.
LEADS = (
    "/campaigns/", "/people/", "/payroll/", "/audit/", "/webhooks/", "/jobs/", "/checkpoints/",
    "/graphs/", "/snapshots/", "/notices/",
)  # fmt: skip
# What is not visited, and what it reads: one thing of which the scene has none, or a whole file.
WITHOUT = {
    "gold": "one item",
    "group": "one group's members",
    "webhook": "one webhook's newest deliveries",
    "graph": "one recipe's jobs",
    "snapshot": "one snapshot's manifest",
    "snapshot-file": "one file",
    "open-notice": "one notice",
    "end-mail": "one link",
    "rate-checkpoints": "one run's steps",
    "export": "every label: a file, which streams",
}


def _here() -> dict[str, Any]:
    """Of this place: each page's median and first CPU milliseconds, and its queries likewise;
    pages that were not reached; the seconds of keeping the sums, and of a count of everything."""
    kept = _seconds(_tally)
    campaign = Campaign.objects.get(slug=scene.SLUG)
    client = lead(campaign)
    job = quality_job.start(campaign, None)
    assert job
    found: dict[str, Any] = {}
    seconds = _seconds(lambda: found.update(quality_job.reports(campaign)))
    Job.objects.filter(pk=job.pk).update(state="succeeded", result=found)
    reached, missed = addresses(client, campaign)
    pages = {address: _page(client, address) for address in reached}
    return {
        "sums": kept,
        "count": seconds,
        "missed": missed,
        "pages": {name: one for name, one in pages.items() if one},
    }


def _tally() -> None:
    while tallies.tick():
        pass


def lead(campaign: Campaign) -> Client:
    user, _ = User.objects.get_or_create(username="lead")
    for role in ("lead", "researcher"):
        Membership.objects.get_or_create(user=user, project=campaign.project, role=role)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def addresses(client: Client, campaign: Campaign) -> tuple[list[str], list[str]]:
    """Every page of the route table that a lead can open, and the names of those that ask for
    something unknown here: to be known in _things, or named in WITHOUT."""
    found, missed = [], []
    routes = {key for key in get_resolver().reverse_dict if isinstance(key, str)}
    for name in sorted(routes - set(WITHOUT)):
        wanted = [one for one in _tries(name, campaign) if one.startswith(LEADS)]
        tried = [(address, client.get(address)) for address in wanted]
        if any(said.status_code != 405 for _, said in tried):
            reached = [address for address, said in tried if said.status_code in (200, 302)]
            found += reached[:1]
            missed += [] if reached else [name]
    return [*found, *(f"/campaigns/{scene.SLUG}/labels/{query}" for query in LABELS)], missed


def _tries(name: str, campaign: Campaign) -> list[str]:
    """What the route may be called with: of each value it takes, what the scene has."""
    found = []
    for possibility, _pattern, _defaults, _converters in get_resolver().reverse_dict.getlist(name):
        for _text, wanted in possibility:
            known = _things(campaign)
            for values in itertools.product(*(known.get(one, ["1"]) for one in wanted)):
                with contextlib.suppress(NoReverseMatch):
                    found.append(reverse(name, kwargs=dict(zip(wanted, values, strict=True))))
    return found


def _things(campaign: Campaign) -> dict[str, list[Any]]:
    """By the names that routes give to what they take."""
    rater = User.objects.get(username="rater0")
    card = Comparison.objects.filter(campaign=campaign).latest("pk")
    things: list[Any] = [card, Job.objects.latest("pk"), Checkpoint.objects.latest("pk")]
    return {
        "slug": [scene.SLUG],
        "number": [1],
        "pk": sorted({one.pk for one in things}, reverse=True),
        "public_id": [rater.public_id],
        "source": ["person"],
        "suffix": ["jsonl", "csv"],
        "method": ["dpo"],
        "recipe": ["online_dpo"],
        "kind": ["labels", "completions"],
    }


def _page(client: Client, address: str) -> dict[str, float] | None:
    """None of what is no page to read. What is kept in memory is forgotten before the
    first visit."""
    figures.forget()
    first, asked, response = _counted(client, address)
    if response.status_code != 200 or response.streaming:
        return None
    _, again, _ = _counted(client, address)
    times = [1000 * _seconds(lambda: client.get(address)) for _ in range(AGAIN)]
    ms = statistics.median(times)
    return {"first": first, "ms": ms, "queries": again, "queries_first": asked}


def _counted(client: Client, address: str) -> tuple[float, int, Any]:
    """Its CPU milliseconds, queries and response."""
    made: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(CONTROL):
            made.append(sql)
        return execute(sql, params, many, context)

    begun = time.process_time()
    with connection.execute_wrapper(note):
        response = client.get(address)
    return 1000 * (time.process_time() - begun), len(made), response


def _seconds(act: Callable[[], Any]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


if __name__ == "__main__":
    json.dump(_here(), sys.stdout)
