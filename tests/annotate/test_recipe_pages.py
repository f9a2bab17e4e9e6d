"""A recipe is started from the command line and from its form; it is one page, is stopped, goes on
and ends as one thing."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labeling.models import Iteration, Snapshot
from models_runtime.models import Job
from tests.factories import Cast, CheckpointFactory, IterationFactory, PromptFactory
from training.configs.recipes import RECIPES
from training.models import PairGraph

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration(cast: Cast) -> Iteration:
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, uri="file:///nowhere/snapshot"
    )
    PromptFactory(prompt_set__campaign=cast.campaign)
    made: Iteration = IterationFactory(
        campaign=cast.campaign, snapshot=snapshot, state="review", number=1
    )
    return made


def command(iteration: Iteration, *told: str) -> str:
    said = StringIO()
    call_command("train", "contrast", "--snapshot", str(iteration.snapshot_id), *told, stdout=said)
    return said.getvalue()


def test_by_command(cast: Cast, iteration: Iteration) -> None:
    weak = CheckpointFactory(project=cast.project)
    said = command(iteration, "--set", f"weak={weak.name}", "--set", "beta=.2", "--set", "k=2")
    graph = PairGraph.objects.get()
    job = Job.objects.get()
    assert f"contrast {graph.pk} began: its first job is {job.pk}." in said
    assert (graph.options["beta"], graph.options["k"]) == (0.2, 2)
    named = {row["name"] for row in job.inputs}
    assert named == {"prompts", f"policy-{weak.pk}", f"policy-{iteration.policy.pk}"}
    sides = [row["checkpoint"] for row in job.config["samplers"]]
    assert sides == [f"policy-{iteration.policy.pk}", f"policy-{weak.pk}"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], "the same checkpoint under the same prompt"),
        (["--set", "weak=nobody"], "no policy named 'nobody'"),
        (["--filter", "tags=safety"], "takes no filter and no mixture"),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_nothing(
    iteration: Iteration, told: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        command(iteration, *told)
    assert not PairGraph.objects.exists()
    assert not Job.objects.exists()


def posted(client: Client, address: str) -> dict[str, Any]:
    """The form as it is drawn, sent back untouched."""
    sent = {field.name: field.value() for field in client.get(address).context["form"]}
    return {name: "on" if v is True else v for name, v in sent.items() if v is not False}


def test_by_its_form_and_then_as_one_thing(
    client: Client, cast: Cast, iteration: Iteration
) -> None:
    client.force_login(cast.researcher)
    page = client.get("/campaigns/helpful/1/").content.decode()
    for recipe in RECIPES:
        assert f'href="/campaigns/helpful/1/recipes/{recipe}/"' in page
    address = "/campaigns/helpful/1/recipes/contrast/"
    form = posted(client, address)
    refused = client.post(address, form)
    assert "the same checkpoint under the same prompt" in refused.content.decode()

    answer = client.post(address, {**form, "weak_prompt": "Be rude."})
    graph = PairGraph.objects.get()
    own = f"/graphs/{graph.pk}/"
    assert answer["Location"] == own
    body = client.get(own).content.decode()
    assert "Contrast of a strong and a weak model" in body
    assert "round 1 of 1" in body
    assert "Sampling answers" in body
    assert f'href="{own}"' in client.get("/campaigns/helpful/1/").content.decode()

    for verb, state, of_job in (
        ("stop", "stopped", "stopped"),
        ("go-on", "running", "queued"),
        ("cancel", "cancelled", "cancelled"),
    ):
        assert client.post(f"{own}{verb}/")["Location"] == own
        graph.refresh_from_db()
        assert (graph.state, Job.objects.get().state) == (state, of_job)
    again = client.post(f"{own}go-on/", follow=True).content.decode()
    assert "cannot become running now" in again


def test_online_dpo_needs_a_reward_model(client: Client, cast: Cast, iteration: Iteration) -> None:
    client.force_login(cast.researcher)
    address = "/campaigns/helpful/1/recipes/online_dpo/"
    refused = client.post(address, posted(client, address)).content.decode()
    assert "needs a reward model, and none is trained yet" in refused
    assert client.get("/campaigns/helpful/1/recipes/alchemy/").status_code == 404
    assert not PairGraph.objects.exists()


def test_the_page_of_a_set_that_models_made_says_so(
    client: Client, cast: Cast, iteration: Iteration
) -> None:
    command(iteration, "--set", "weak_prompt=Be rude.")
    graph = PairGraph.objects.get()
    made = {"recipe": "contrast", "graph": graph.pk, "round": 1}
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, sha256="1" * 64,
        counts={"comparisons": {"kept": 3, "identical texts": 2}, "model": made},
    )  # fmt: skip
    graph.rounds.update(pairs=snapshot)
    client.force_login(cast.researcher)
    body = client.get(f"/snapshots/{snapshot.pk}/").content.decode()
    assert "nobody gave these preferences, and none counts as a label" in body
    assert f'href="/graphs/{graph.pk}/"' in body
    assert "labels.jsonl" not in body
    assert (
        "2 left out (both answers are the same text)."
        in client.get(f"/graphs/{graph.pk}/").content.decode()
    )
