"""An iteration whose cards show the prompt alone samples nothing and collects at once; one whose
cards are rankings freezes all the pairs that the rankings state."""

from __future__ import annotations

import json
import random
import uuid

import pytest

from labeling import labels, leases, simulation, snapshots
from labeling.models import Comparison, Label
from models_runtime import artifacts, world
from models_runtime.models import Job
from models_runtime.records import PreferenceRecord, from_dict
from tests import factories
from training import pipeline

pytestmark = pytest.mark.django_db
STYLES: list[world.Style] = ["polite", "plain", "rude", "wordy"]


def test_cards_of_the_prompt_alone_are_open_after_one_step() -> None:
    cast = factories.make_cast(parts={"quality": {"type": "rating", "over": "item"}})
    prompts = factories.PromptSetFactory(campaign=cast.campaign)
    factories.PromptFactory.create_batch(5, prompt_set=prompts)
    pipeline.start_iteration(
        cast.campaign, completions_per_comparison=0, comparisons=5, target_labels=5
    )
    pipeline.tick()
    iteration = cast.campaign.iterations.get()
    assert (iteration.state, Comparison.objects.count()) == ("collecting", 5)
    assert not Job.objects.exists()
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    assert card.order == []


def test_the_snapshot_of_rankings_holds_every_pair_of_a_prompt_in_one_record() -> None:
    """Four texts: six pairs of a record, ordered or tied, so that a loss takes them together."""
    parts = {"order": {"type": "ranking"}}
    campaign = factories.CampaignFactory(demo_world=True, parts=parts)
    draw = random.Random(0)
    for item in list(world.items().values())[:10]:
        texts = [world.answer(item, style, draw) for style in STYLES]
        factories.open_comparisons(campaign, 1, prompt__item=item.slug, texts=texts)
    assert simulation.label_as_simulated(campaign=campaign, count=10, seed=0) == 10
    snapshot = snapshots.freeze(campaign=campaign)
    with artifacts.open_file(snapshot.uri, "preferences.jsonl") as handle:
        records = [from_dict(PreferenceRecord, row) for row in map(json.loads, handle)]
    assert len(records) == 10
    assert all(len(row.preferences) + len(row.ties) == 6 for row in records)
    assert {one.strength for row in records for one in row.preferences} == {None}


def test_a_ranking_that_was_taken_back_is_in_no_snapshot() -> None:
    cast = factories.make_cast(parts={"order": {"type": "ranking"}})
    factories.open_comparisons(cast.campaign, 1, texts=["one", "two", "three"])
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    raw = {"order": {f"tier-{place}": str(place + 1) for place in range(3)}}
    labels.record_label(assignment=card, parts=raw, idempotency_key=uuid.uuid4())
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    with pytest.raises(ValueError, match="no labels yet"):
        snapshots.freeze(campaign=cast.campaign)
    assert Label.objects.count() == 2
