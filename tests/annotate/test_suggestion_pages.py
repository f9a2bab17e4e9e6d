"""The lead imports answers to be reviewed, decides whether raters read by whom, and sees what was
confirmed and repaired, with its interval and the rows behind it."""

from __future__ import annotations

import csv
import json
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling import labels, leases, repairs
from labeling.models import Campaign, Comparison
from models_runtime.models import AuditEvent
from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/helpful/suggestions/"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def row(number: int, **more: Any) -> dict[str, Any]:
    said = {"preference": {"outcome": "prefer", "chosen": 0, "strength": "better"}}
    texts = [f"Because {number}.", "No."]
    return {"prompt": FORMULA, "completions": texts, "suggested": said, "by": "gpt-4", **more}


def sent(client: Client, *rows: Any) -> str:
    body = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in rows)
    file = SimpleUploadedFile("Theirs.JSONL", body.encode())
    return client.post(f"{PAGE}import/", {"suggestions": file}, follow=True).content.decode()


def reviewed(cast: Cast, *, repaired: bool) -> None:
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    assert cast.campaign.question is not None
    parts = repairs.suggested(card, cast.campaign.question)
    if repaired:
        side = parts["preference"]["choice"][0]
        parts = {"preference": {"choice": f"{side}:slightly"}}
    labels.record_label(assignment=card, parts=parts, idempotency_key=uuid.uuid4())


def test_a_file_is_imported_and_counted(lead: Client) -> None:
    assert "2 cards imported; 0 were there already." in sent(lead, row(1), row(2))
    assert Comparison.objects.count() == 2
    assert "0 cards imported; 2 were there already." in sent(lead, row(1), row(2))


def test_faults_are_told_with_their_lines(lead: Client) -> None:
    body = sent(lead, row(1), row(2, completions=["a"]), "{")
    assert "Nothing was imported from Theirs.JSONL:" in body
    assert "Line 2: The part “pairwise” needs cards of 2 answers, and these have 1." in body
    assert "Line 3: This is not JSON" in body
    assert not Comparison.objects.exists()


def test_no_file_is_said_in_a_sentence(lead: Client) -> None:
    body = lead.post(f"{PAGE}import/", follow=True).content.decode()
    assert "Choose a JSONL file." in body


def test_the_lead_says_whether_raters_read_who_it_was(lead: Client) -> None:
    lead.post(f"{PAGE}by/", {"named": "on"})
    assert Campaign.objects.get().names_suggesters
    lead.post(f"{PAGE}by/")
    lead.post(f"{PAGE}by/")
    assert not Campaign.objects.get().names_suggesters
    verbs = AuditEvent.objects.filter(verb__startswith="suggesters").order_by("id")
    assert [event.verb for event in verbs] == ["suggesters named", "suggesters hidden"]


def test_the_campaigns_page_says_what_was_confirmed_and_repaired(lead: Client, cast: Cast) -> None:
    sent(lead, *(row(n) for n in range(4)))
    for repaired in (True, False, False):
        reviewed(cast, repaired=repaired)
    body = lead.get("/campaigns/helpful/").content.decode()
    assert "3 reviews of 4 cards" in body
    assert "pairwise: 2 confirmed, 1 repaired (33 %; 95 %: 6 – 79 %)" in body
    assert PAGE in body


def test_the_page_shows_the_rows_and_what_was_changed(lead: Client, cast: Cast) -> None:
    sent(lead, row(1), row(2))
    reviewed(cast, repaired=True)
    reviewed(cast, repaired=False)
    body = lead.get(PAGE).content.decode()
    assert body.count(">repaired</span>") == 1
    assert body.count(">confirmed</span>") == 1
    assert "slightly better" in body
    assert "suggested by gpt-4" in body


def test_the_repaired_parts_go_into_a_file_that_runs_nothing(lead: Client, cast: Cast) -> None:
    sent(lead, row(1), row(2))
    reviewed(cast, repaired=True)
    reviewed(cast, repaired=False)
    response = lead.get(f"{PAGE}repaired.csv")
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]  # it streams
    [found] = csv.DictReader(lines)
    assert found["prompt"] == f"'{FORMULA}"
    assert found["suggested"].endswith(" better")
    assert found["given"].endswith("slightly better")
    assert found["rater"] != "rater"
    assert AuditEvent.objects.get(verb="exported").data == {"format": "repaired", "rows": 1}


def test_a_researcher_reads_and_a_rater_does_not(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.researcher)
    body = client.get(PAGE).content.decode()
    assert "No answer was suggested yet" in body
    assert 'type="file"' not in body
    client.force_login(cast.rater)
    assert client.get(PAGE).status_code == 403


def test_the_demo_world_offers_no_import(lead: Client) -> None:
    Campaign.objects.update(demo_world=True)
    assert 'type="file"' not in lead.get(PAGE).content.decode()
    assert "knows its own prompts only" in sent(lead, row(1))
