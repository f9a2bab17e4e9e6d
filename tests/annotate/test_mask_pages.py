"""Personal data is masked wherever it stands, looked at first, then replaced."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from labeling import redactions
from labeling.models import Comparison, Completion, Prompt
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons

pytestmark = pytest.mark.django_db


@pytest.fixture
def comparison(cast: Cast) -> Comparison:
    [row] = open_comparisons(cast.campaign, 1)
    first = row.items.order_by("position")[0].completion
    Completion.objects.filter(pk=first.pk).update(text="Ask Ada\nLovelace, or ada lovelace.")
    Prompt.objects.filter(pk=row.prompt_id).update(
        messages=[{"role": "user", "content": "Who is Ada Lovelace? Adam asks."}]
    )
    row.refresh_from_db()
    return row


def test_whole_words_in_any_case_and_with_any_space_between() -> None:
    text = "Ada\n Lovelace met ADA; adage stays, and so does Adam."
    assert redactions.mask(text, ["Ada Lovelace", "ada"], "[name]") == (
        "[name] met [name]; adage stays, and so does Adam.",
        2,
    )
    assert redactions.mask("a.b a+b", ["a.b", " "], r"\1") == (r"\1 a+b", 1)
    assert redactions.mask("nothing", [], "x") == ("nothing", 0)


def test_it_is_looked_at_before_anything_is_replaced(cast: Cast, comparison: Comparison) -> None:
    client = Client()
    client.force_login(cast.lead)
    page = f"/campaigns/helpful/review/{comparison.pk}/redact/"
    sent: dict[str, Any] = {
        f"passage-{one.name}": one.text for one in redactions.passages(comparison)
    }
    asked = {"finds": "ada lovelace", "mask": "[name]", "act": "preview"}
    shown = client.post(page, {**sent, **asked})
    body = shown.content.decode()
    assert "Ask [name], or [name].</textarea>" in body
    assert "<ins>Who is [name]? Adam asks.</ins>" in body
    assert "Nothing is replaced yet" in body
    assert not AuditEvent.objects.filter(verb="personal data redacted").exists()
    masked = {
        name: redactions.mask(text, ["ada lovelace"], "[name]")[0] for name, text in sent.items()
    }
    client.post(page, masked)
    comparison.refresh_from_db()
    assert comparison.prompt.messages[0]["content"] == "Who is [name]? Adam asks."
    assert AuditEvent.objects.filter(verb="personal data redacted").count() == 1


def test_what_stands_nowhere_is_said_and_nothing_is_lost(
    cast: Cast, comparison: Comparison
) -> None:
    client = Client()
    client.force_login(cast.lead)
    page = f"/campaigns/helpful/review/{comparison.pk}/redact/"
    sent = {"passage-prompt-0": "Edited by hand.", "finds": "Babbage", "act": "preview"}
    body = client.post(page, sent).content.decode()
    assert "None of this stands in the texts." in body
    assert "Edited by hand.</textarea>" in body
    assert ">Babbage</textarea>" in body
