"""A run of any method is started from the command line and from its form, or refused plainly."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from annotate.method_titles import SCORERS, TITLES, TUNERS
from labeling.models import Iteration, Snapshot
from models_runtime.models import Job
from tests.factories import Cast, CheckpointFactory, IterationFactory, PromptFactory
from training.configs import METHODS
from training.models import TrainingRun

pytestmark = pytest.mark.django_db


def frozen(cast: Cast, state: str = "review") -> Iteration:
    """An iteration with frozen labels and a reward model of its own."""
    campaign = cast.campaign
    snapshot = Snapshot.objects.create(
        project=campaign.project, campaign=campaign, uri="file:///nowhere/snapshot"
    )
    policy = CheckpointFactory(project=campaign.project)
    iteration: Iteration = IterationFactory(
        campaign=campaign, policy=policy, snapshot=snapshot, state=state
    )
    return iteration


def train(method: str, snapshot: object, *settings: str) -> str:
    said = StringIO()
    options = [part for one in settings for part in ("--set", one)]
    call_command("train", method, "--snapshot", str(snapshot), *options, stdout=said)
    return said.getvalue()


def test_a_run_waits_with_the_options_that_were_set(cast: Cast) -> None:
    snapshot = frozen(cast).snapshot
    assert snapshot is not None
    said = train("odpo", snapshot.pk, "beta=.2", "margin=large", "epochs=3")
    run = TrainingRun.objects.get()
    assert f"run-{run.pk} of odpo waits for a worker as job {run.job.pk}." in said
    assert run.role == "policy"
    assert (run.options["beta"], run.options["margin"], run.options["epochs"]) == (0.2, "large", 3)
    assert {row["name"] for row in run.job.inputs} == {"policy", "reference", "snapshot"}


@pytest.mark.parametrize("state", ["training", "evaluating", "review"])
def test_a_reward_model_is_started_while_the_iteration_is_open(cast: Cast, state: str) -> None:
    snapshot = frozen(cast, state).snapshot
    assert snapshot is not None
    train("reward", snapshot.pk)
    assert TrainingRun.objects.get().role == "reward_model"


@pytest.mark.parametrize(
    ("method", "told", "words"),
    [
        ("alchemy", [], "no training method named 'alchemy'"),
        ("dpo", ["beta=strong"], "The option beta of dpo must be a number, not 'strong'."),
        ("dpo", ["betta=.1"], "dpo has no option named 'betta'"),
        ("dpo", ["loss=ipo", "beta=.3"], "set tau in its place"),
        ("dpo", ["beta"], "Write --set NAME=VALUE, not --set beta."),
        ("kto", ["micro_batch_size=1"], "micro_batch_size 0, 2 or more"),
        ("spin", ["earlier=perhaps"], "must be true or false, not 'perhaps'"),
        ("raft", [], "raft needs a reward model, and none is trained yet."),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_nothing(
    cast: Cast, method: str, told: list[str], words: str
) -> None:
    snapshot = frozen(cast).snapshot
    assert snapshot is not None
    with pytest.raises(CommandError) as caught:
        train(method, snapshot.pk, *told)
    assert words in str(caught.value)
    assert not TrainingRun.objects.exists()
    assert not Job.objects.exists()


def test_labels_that_no_iteration_trains_on_are_refused(cast: Cast) -> None:
    with pytest.raises(CommandError, match=r"There is no snapshot 7\."):
        train("dpo", 7)
    iteration = frozen(cast, "promoted")
    assert iteration.snapshot is not None
    with pytest.raises(CommandError, match="is promoted: such a run starts while it is in"):
        train("dpo", iteration.snapshot.pk)
    with pytest.raises(CommandError, match="is promoted: such a run starts while it is in"):
        train("reward", iteration.snapshot.pk)
    Iteration.objects.update(snapshot=None)
    with pytest.raises(CommandError, match="was frozen for no iteration"):
        train("dpo", iteration.snapshot.pk)


def test_every_method_has_a_title_and_all_that_make_a_policy_are_offered(
    client: Client, cast: Cast
) -> None:
    assert set(METHODS) <= set(TITLES)
    assert set(METHODS) - set(TUNERS) <= set(SCORERS)
    iteration = frozen(cast)
    client.force_login(cast.researcher)
    page = client.get(f"/campaigns/helpful/{iteration.number}/").content.decode()
    for method in TUNERS:
        assert f'href="/campaigns/helpful/{iteration.number}/runs/{method}/"' in page


def posted(client: Client, address: str) -> dict[str, Any]:
    """The form as it is drawn, sent back untouched."""
    fields = client.get(address).context["form"]
    sent = {field.name: field.value() for field in fields}
    return {
        name: "on" if value is True else value
        for name, value in sent.items()
        if value is not False
    }


@pytest.mark.parametrize("method", TUNERS)
def test_the_form_of_a_method_starts_it_with_the_defaults_that_it_shows(
    client: Client, cast: Cast, method: str
) -> None:
    iteration = frozen(cast, "training")
    PromptFactory(prompt_set__campaign=cast.campaign, split="train")
    train("reward", iteration.snapshot.pk)  # type: ignore[union-attr]  # frozen above
    TrainingRun.objects.update(
        output=CheckpointFactory(project=cast.campaign.project, kind="reward_model")
    )
    client.force_login(cast.researcher)
    address = f"/campaigns/helpful/{iteration.number}/runs/{method}/"
    assert client.post(address, posted(client, address)).status_code == 302
    run = TrainingRun.objects.get(role="policy")
    assert run.method == method
    assert run.options["max_new_tokens"]
