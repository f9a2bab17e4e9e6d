"""The rows behind an iteration say what a label says, whatever it was asked with."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotate.templatetags.concord import said
from labeling import labels, leases
from labeling.models import Label
from tests import factories
from tests.factories import Cast

pytestmark = pytest.mark.django_db


def label(cast: Cast, texts: int, **raw: dict[str, str]) -> Label:
    factories.open_comparisons(cast.campaign, 1, texts=[f"Text {n}" for n in range(texts)])
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    return labels.record_label(assignment=card, parts=raw, idempotency_key=uuid.uuid4())


@pytest.mark.parametrize(
    ("parts", "texts", "raw", "wanted"),
    [
        (factories.LLAMA2, 2, {"preference": {"choice": "1:better"}}, "right, better"),
        (factories.AB, 2, {"preference": {"choice": "tie"}}, "tie"),
        (
            {"order": {"type": "ranking"}},
            3,
            {"order": {"tier-0": "2", "tier-1": "1", "tier-2": "2"}},
            "B > A = C",
        ),
        (
            {"thumb": {"type": "thumbs"}, "sure": {"type": "confidence"}},
            1,
            {"thumb": {"thumb": "up"}, "sure": {"value": "3"}},
            "thumb up; confidence 3 of 9",
        ),
    ],
)
def test_a_label_is_read_in_words(
    cast: Cast, parts: Any, texts: int, raw: dict[str, dict[str, str]], wanted: str
) -> None:
    question = cast.campaign.question
    assert question is not None
    question.parts = parts
    question.save()
    assert str(said(label(cast, texts, **raw))) == wanted


def test_the_page_of_labels_reads_no_question_twice(
    cast: Cast,
) -> None:
    question = cast.campaign.question
    assert question is not None
    question.parts = {"order": {"type": "ranking"}}
    question.save()
    client = Client()
    client.force_login(cast.researcher)
    address = reverse("rows", args=["helpful", 1, "labels"])
    counted = []
    for _ in range(2):
        for _ in range(3):
            label(cast, 2, order={"tier-0": "1", "tier-1": "2"})
        with CaptureQueriesContext(connection) as queries:
            page = client.get(address)
        assert page.status_code == 200
        assert "A &gt; B" in page.content.decode()
        counted.append(len(queries))
    assert counted[0] == counted[1]
