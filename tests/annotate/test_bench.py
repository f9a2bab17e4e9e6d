"""make bench: a table for people, one JSON list for machines, and no trace left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory

from annotate.bench import counting, lead_visits, scene
from annotate.bench.http_rater import HttpRater
from annotate.bench.load import Crowd
from annotate.bench.place import ROOT, Failed
from labeling import leases, quality_job
from labeling.models import Assignment, Comparison, Iteration, Label, Seat, User
from models_runtime.interleaving import medians


def bench(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    ours = {"BENCH_JSON": str(folder / "bench.json"), "TMPDIR": str(folder)}
    environ = {**os.environ, **ours, "CONCORD_DATA": "/nonexistent"}
    command = [sys.executable, "manage.py", "bench", *names]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)


@pytest.mark.long
def test_figures_are_printed_and_written(tmp_path: Path) -> None:
    done = bench(tmp_path, "pages")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [row["name"].partition(" (")[0] for row in rows] == [
        "page.rating",
        "page.rating.after_an_answer",
        "page.rating.first_visit",
        "page.most.requests",
        "page.most.sent",
        "page.most.card",
    ]
    for row in rows:
        assert list(row) == ["name", "value", "unit", "baseline", "ratio", "machine"]
        assert row["ratio"] == row["value"] / row["baseline"] <= 1
        assert row["name"] in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]


def test_an_unknown_benchmark_is_named(tmp_path: Path) -> None:
    done = bench(tmp_path, "speed")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: There is no benchmark speed; known: pages,")


def test_what_is_compared_takes_turns_and_the_first_round_is_dropped() -> None:
    order: list[str] = []

    def act(name: str, values: list[float]) -> float:
        order.append(name)
        return values[sum(one == name for one in order) - 1]

    found = medians(
        {"a": lambda: act("a", [99, 99, 1, 3]), "b": lambda: act("b", [0, 0, 10, 20])}, rounds=1
    )
    assert "".join(order) == "abbaabba"
    assert found == {"a": 2, "b": 15}


def test_a_scene_grows_with_everything_that_belongs_to_it(db: Any) -> None:
    campaign = scene.build(
        scene.Shape(comparisons=40, raters=3, overlap=2, answered=0.5, answering=2, times=5)
    )
    assert Comparison.objects.count() == 200
    assert Comparison.objects.filter(state="complete", counted=2).count() == 100
    assert Label.objects.count() == Assignment.objects.filter(state="submitted").count() == 200
    assert [seat.answered for seat in Seat.objects.order_by("rater")] == [100, 100]
    assert Iteration.objects.get().labels_people == 200
    for label in Label.objects.select_related("assignment", "comparison"):
        assert label.assignment.comparison_id == label.comparison_id
        shown = label.comparison.items.values_list("completion_id", flat=True)
        assert sorted(label.order) == sorted(shown)
    newcomer = User.objects.get(username="rater2")
    assert leases.claim_next(rater=newcomer, campaign=campaign) is not None


@pytest.mark.long
def test_every_page_of_a_lead_is_measured(db: Any) -> None:
    """Of the route table, so that a new page is; what asks for more is named in WITHOUT."""
    campaign = scene.build(scene.Shape(comparisons=6, raters=2, answered=1.0, days=3))
    assert quality_job.start(campaign, None) is not None
    reached, missed = lead_visits.addresses(lead_visits.lead(campaign), campaign)
    assert missed == []
    for page in ("/campaigns/measured/", "/campaigns/measured/payroll/", "/audit/", "/people/"):
        assert page in reached
    assert not [page for page in reached if page.startswith(("/rate/", "/talk/"))]


def test_what_begins_and_ends_a_transaction_is_no_query(db: Any) -> None:
    counted = counting.middleware(lambda request: _in_a_transaction())
    asked = RequestFactory().get("/", headers={counting.ASK: "1"})
    assert counted(asked).headers[counting.ASK] == "1"


def _in_a_transaction() -> HttpResponse:
    with transaction.atomic():
        Comparison.objects.count()
    return HttpResponse()


def test_a_crowd_that_meets_an_error_says_so() -> None:
    class Broken:
        http = HttpRater(1, "", "", "")

        def act(self) -> None:
            raise Failed("nothing works")

    with pytest.raises(Failed, match="Under load: nothing works"):
        Crowd([Broken()]).work(0.1, pause=0.01)
