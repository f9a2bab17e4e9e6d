"""Every verb of the audit log has words, and every act on the pages an event."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import get_resolver

from annotate.api import app
from annotate.audit_words import VERBS
from labeling.models import Campaign
from tests.annotate.acts import WITHOUT
from tests.annotate.test_url_matrix import names
from tests.factories import Cast

ROOT = Path(__file__).resolve().parents[2]
MEASURED = "measured"  # by a benchmark, in a database of its own


def verbs(tree: ast.AST) -> Iterator[str]:
    """Of every call with verb="...", and of a module's own _audit("...") and _record("...")."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        said = [keyword.value for keyword in node.keywords if keyword.arg == "verb"]
        if isinstance(node.func, ast.Name) and node.func.id in ("_audit", "_record"):
            said += node.args[:1]
        for one in said:
            if isinstance(one, ast.Constant):
                yield str(one.value)


def test_every_verb_has_words() -> None:
    used: set[str] = set()
    for package in ("annotate", "labeling", "models_runtime", "training"):
        for path in (ROOT / package).rglob("*.py"):
            used.update(verbs(ast.parse(path.read_text(encoding="utf-8"))))
    assert used - {MEASURED} - set(VERBS) == set()


def test_what_is_excepted_exists() -> None:
    of_the_api = {one.view_func.__name__ for _address, one in app.operations()}
    assert WITHOUT.keys() <= {*names(get_resolver().url_patterns), *of_the_api}


@pytest.mark.django_db
def test_an_act_without_an_event_is_found(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "annotate.views.pay.pay.settle",
        lambda campaign, **_: Campaign.objects.filter(pk=campaign.pk).update(shows_time=True),
    )
    client = Client()
    client.force_login(cast.lead)
    with pytest.raises(AssertionError, match="campaign-pay changed"):
        client.post("/campaigns/helpful/pay/", {"shows_time": "on"})


@pytest.mark.django_db
def test_a_press_that_leads_nowhere_is_no_page() -> None:
    """Every press is watched, and that of a form whose address is wrong is no error of its own."""
    assert Client().post("/nowhere/").status_code == 404
