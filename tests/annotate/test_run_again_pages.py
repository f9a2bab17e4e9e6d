"""Run again, on the pages of a job and of an iteration."""

from __future__ import annotations

import pytest
from django.test import Client

from models_runtime.models import Job
from tests.factories import Cast
from tests.training.test_run_again import cancelled, iteration_in, run_of

pytestmark = pytest.mark.django_db


def test_the_page_offers_it_where_it_makes_sense_and_leads_to_the_new_job(
    client: Client, cast: Cast
) -> None:
    client.force_login(cast.researcher)
    iteration = iteration_in(cast, "training")
    old = run_of(iteration, cancelled(cast)).job
    address, page = f"/jobs/{old.pk}/again/", f"/campaigns/helpful/{iteration.number}/"
    for shown in (page, f"/jobs/{old.pk}/"):
        assert f'action="{address}"' in client.get(shown).content.decode()

    response = client.post(address)
    new = Job.objects.exclude(pk=old.pk).get()
    assert response["Location"] == f"/jobs/{new.pk}/"
    assert address not in client.get(page).content.decode()
    said = client.get(f"/jobs/{old.pk}/").content.decode()
    assert f'<a href="/jobs/{new.pk}/">job-{new.pk}</a>' in said

    again = client.post(address, follow=True).content.decode()
    assert "Nothing waits any more for what this job would make." in again
    assert Job.objects.count() == 2
