"""The parts of a question keep their order, whatever a database makes of a JSON object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from labeling.models import QuestionVersion
from tests.factories import AB, CampaignFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
PARTS = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "rationale"},
    "edit": {"type": "rewrite"},
    "b": {"type": "confidence"},
    "a": {"type": "thumbs"},
}


def test_parts_come_back_in_the_order_in_which_they_were_saved() -> None:
    made = CampaignFactory(parts=PARTS).question
    found = QuestionVersion.objects.get(pk=made.pk)
    assert list(found.parts.items()) == list(PARTS.items())
    found.save()
    [read] = QuestionVersion.objects.filter(pk=made.pk).values_list("parts", flat=True)
    assert list(read.items()) == list(PARTS.items())


def test_a_version_that_was_stored_before_places_were_is_read_as_it_is() -> None:
    made = CampaignFactory(parts=AB).question
    _store(made, json.dumps(AB))
    assert QuestionVersion.objects.get(pk=made.pk).parts == AB


@pytest.mark.parametrize("odd", [{}, [], {"preference": 7}])
def test_what_is_no_form_is_left_alone(odd: Any) -> None:
    made = CampaignFactory(parts=odd).question
    assert QuestionVersion.objects.get(pk=made.pk).parts == odd


def _store(question: QuestionVersion, parts: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE labeling_questionversion SET parts = %s WHERE id = %s", [parts, question.pk]
        )
