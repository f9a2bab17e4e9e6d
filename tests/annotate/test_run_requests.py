"""A run is asked for once: pressed twice it is one, with another seed it is two. Reward models
have a form as policies have."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labeling.models import Iteration
from tests.annotate.test_run_data import snapshot_of
from tests.factories import Cast, CheckpointFactory, IterationFactory
from training import runs
from training.models import TrainingRun

pytestmark = pytest.mark.django_db
SAME = "The same run waits or goes on already, as job"


@pytest.fixture
def iteration(cast: Cast) -> Iteration:
    made: Iteration = IterationFactory(
        campaign=cast.campaign,
        policy=CheckpointFactory(project=cast.campaign.project),
        snapshot=snapshot_of(cast.campaign, "own"),
        state="training",
        number=1,
    )
    return made


def filled(client: Client, address: str, **changed: Any) -> dict[str, Any]:
    """What the form starts with, as a browser would send it."""
    form = client.get(address).context["form"]
    found = {name: field.initial for name, field in form.fields.items()}
    kept = {
        name: value
        for name, value in found.items()
        if value not in (None, "") and value is not False
    }
    return {**kept, **changed}


@pytest.mark.parametrize("method", ["odpo", "reward", "regression"])
def test_a_form_that_is_sent_twice_starts_one_run(
    client: Client, cast: Cast, iteration: Iteration, method: str
) -> None:
    client.force_login(cast.researcher)
    address = f"/campaigns/helpful/1/runs/{method}/"
    sent = filled(client, address)
    response = client.post(address, sent)
    assert response.status_code == 302, response.context["form"].errors
    again = client.post(address, sent, follow=True)
    assert SAME in again.content.decode()
    run = TrainingRun.objects.get()
    assert run.role == ("policy" if method == "odpo" else "reward_model")
    assert run.job.seed == runs.seed_for(iteration, run.role)


def test_another_seed_is_another_run(client: Client, cast: Cast, iteration: Iteration) -> None:
    client.force_login(cast.researcher)
    address = "/campaigns/helpful/1/runs/odpo/"
    for seed in ("", "1", "2", "2"):
        client.post(address, filled(client, address, seed=seed))
    seeds = TrainingRun.objects.order_by("id").values_list("job__seed", flat=True)
    assert list(seeds) == [runs.seed_for(iteration, "policy"), 1, 2]


def test_one_that_has_ended_can_be_repeated(iteration: Iteration) -> None:
    asked = ("train", "odpo", "--snapshot", str(iteration.snapshot_id), "--seed", "7")
    call_command(*asked, stdout=StringIO())
    with pytest.raises(CommandError, match=SAME):
        call_command(*asked, stdout=StringIO())
    run = TrainingRun.objects.get()
    run.job.state = "succeeded"
    run.job.save(update_fields=["state"])
    call_command(*asked, stdout=StringIO())
    assert TrainingRun.objects.count() == 2


def test_a_seed_that_no_generator_takes(iteration: Iteration) -> None:
    asked = ("train", "odpo", "--snapshot", str(iteration.snapshot_id), "--seed", "-1")
    with pytest.raises(CommandError, match="A seed is a whole number from 0 to"):
        call_command(*asked, stdout=StringIO())
    assert not TrainingRun.objects.exists()


def test_nothing_starts_once_the_iteration_is_decided(
    client: Client, cast: Cast, iteration: Iteration
) -> None:
    client.force_login(cast.researcher)
    address = "/campaigns/helpful/1/runs/reward/"
    sent = filled(client, address)
    iteration.state = "promoted"
    iteration.save(update_fields=["state"])
    assert "Runs start once the labels are frozen" in client.get(address).content.decode()
    client.post(address, sent)
    assert not TrainingRun.objects.exists()
    assert client.get("/campaigns/helpful/1/runs/nothing/").status_code == 404
