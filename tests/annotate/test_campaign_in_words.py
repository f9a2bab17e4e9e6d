"""What was chosen for a campaign is said in words, where it is chosen and where it is shown."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils.html import escape

from annotate import evidence
from annotate.campaign_forms import STRATEGY_TITLES, CampaignForm
from annotate.method_titles import METHOD_TITLES
from labeling.models import Snapshot
from models_runtime.pairing import STRATEGIES
from tests.factories import Cast, IterationFactory, open_comparisons
from tests.rating import answer


def set_up(client: Client, cast: Cast) -> dict[str, str]:
    """The facts of a campaign's page, by what they are called."""
    client.force_login(cast.lead)
    page = client.get("/campaigns/helpful/").content.decode()
    facts = re.findall(r"<dt>(.*?)</dt><dd.*?>(.*?)</dd>", page)
    return dict(facts)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_how_pairs_are_selected(client: Client, cast: Cast, strategy: str) -> None:
    title = str(STRATEGY_TITLES[strategy])
    assert (strategy, title) in CampaignForm(cast.lead).fields["strategy"].choices
    cast.campaign.plan = {"strategy": strategy}
    cast.campaign.save()
    assert set_up(client, cast)["Pairs are selected"] == escape(title)


@pytest.mark.parametrize("method", ["raft", "beta_dpo", "ppo_ptx"])
def test_the_training_method(client: Client, cast: Cast, method: str) -> None:
    """Not as BETA_DPO."""
    cast.campaign.plan = {"method": method}
    cast.campaign.save()
    assert set_up(client, cast)["Training method"] == escape(str(METHOD_TITLES[method]))


def test_a_snapshot_counts_comparisons_beside_labels(cast: Cast) -> None:
    """Of 510 labels "452 kept, 10 dropped" would leave 48 unaccounted for."""
    counts = {"comparisons": {"kept": 452, "tied": 10}}
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, sha256="0" * 64, counts=counts
    )
    iteration = IterationFactory(campaign=cast.campaign, snapshot=snapshot, state="training")
    notes = [note for node in evidence.chain(iteration, [], []) for note in node.notes]
    assert "452 comparisons kept, 10 dropped" in notes


def test_how_little_the_labels_show_is_said_before_the_first_one(
    client: Client, cast: Cast
) -> None:
    """Who is asked for 24 labels learns at once what 24 can show; then it is about those given."""
    open_comparisons(cast.campaign, 2)
    cast.campaign.iterations.update(plan={"target_labels": 24})
    client.force_login(cast.lead)
    assert "24 labels show little." in client.get("/campaigns/helpful/").content.decode()
    answer(cast.rater, cast.campaign, "0:better")
    assert "1 label shows little." in client.get("/campaigns/helpful/").content.decode()
