"""A rater's page of their own results."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import GoldResult
from tests.factories import Cast
from tests.labeling.test_own_results import gold_answers

pytestmark = pytest.mark.django_db


def test_it_is_one_s_own_and_led_to(
    cast: Cast, client: Client, django_assert_max_num_queries: Any
) -> None:
    gold_answers(cast, right=4, wrong=2)
    GoldResult.objects.update(created_at=timezone.now() - timedelta(days=1))
    client.force_login(cast.rater)
    with django_assert_max_num_queries(14):
        body = client.get("/account/results/").content.decode()
    assert "4 of 6 as expected" in body
    for page in ("/account/", "/account/statement/"):
        assert 'href="/account/results/"' in client.get(page).content.decode()
    client.force_login(cast.other_rater)
    assert "No results yet" in client.get("/account/results/").content.decode()
