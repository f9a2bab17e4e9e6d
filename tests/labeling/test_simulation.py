"""Simulated raters go the same way as people, and are never taken for them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from labeling import labels, leases, presets, questions, simulation
from labeling.models import Assignment, Campaign, Completion, Iteration, Label, User
from models_runtime import world
from tests import factories

pytestmark = pytest.mark.django_db
RANKING: dict[str, Any] = {"order": {"type": "ranking"}}
STYLES: list[world.Style] = ["polite", "plain", "rude", "wordy"]


def test_labels_are_marked_simulated_and_counted_apart() -> None:
    campaign = _campaign(comparisons=12)
    assert simulation.label_as_simulated(campaign=campaign, count=10, seed=0) == 10
    assert set(Label.objects.values_list("source", flat=True)) == {"simulated"}
    iteration = Iteration.objects.get()
    assert (iteration.labels_people, iteration.labels_others) == (0, 10)
    assert not User.objects.filter(kind="simulated", is_active=True).exists()


def test_they_stop_when_nothing_is_left_for_them() -> None:
    campaign = _campaign(comparisons=4, overlap=2)
    factories.open_comparisons(campaign, 3, audience="person")
    assert simulation.label_as_simulated(campaign=campaign, count=100, seed=0) == 8
    assert simulation.label_as_simulated(campaign=campaign, count=100, seed=0) == 0


def test_a_repeated_request_gives_only_what_is_missing() -> None:
    campaign = _campaign(comparisons=20)
    ask = {"campaign": campaign, "seed": 0, "request": "job 7"}
    given: list[int] = []

    def crash(done: int) -> None:
        given.append(done)
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulation.label_as_simulated(count=12, report=crash, **ask)
    assert simulation.label_as_simulated(count=12, report=given.append, **ask) == 12
    assert given == list(range(1, 13))
    assert Label.objects.count() == 12


def test_a_card_that_another_job_answered_first_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two jobs share the panel, and each rater has one card in hand."""
    campaign = _campaign(comparisons=10)
    claim, raced = leases.claim_next, []

    def claim_and_lose(**wanted: Any) -> Assignment | None:
        card = claim(**wanted)
        if card is not None and len(raced) < 3:
            raced.append(card.pk)
            parts = {"preference": {"choice": "0:better"}}
            labels.record_label(assignment=card, parts=parts, idempotency_key=uuid.uuid4())
        return card

    monkeypatch.setattr(leases, "claim_next", claim_and_lose)
    assert simulation.label_as_simulated(campaign=campaign, count=10, seed=0) == 7
    assert (len(raced), Label.objects.count()) == (3, 10)


@pytest.mark.parametrize(("trains_on", "better"), [("chosen", True), ("rejected", False)])
def test_they_choose_what_the_question_asks_for(trains_on: str, better: bool) -> None:
    campaign = _campaign(comparisons=40, trains_on=trains_on)
    simulation.label_as_simulated(campaign=campaign, count=40, seed=1)
    texts = dict(Completion.objects.values_list("pk", "text"))
    good = 0
    for label in Label.objects.select_related("comparison__prompt"):
        part = label.answer["parts"]["preference"]
        chosen, rejected = texts[part["chosen"]], texts[part["rejected"]]
        item = label.comparison.prompt.item
        good += world.utility(item, chosen) > world.utility(item, rejected)
    assert (good >= 32) if better else (good <= 8)


def test_a_plain_scale_with_tie_is_answered_too() -> None:
    campaign = _campaign(comparisons=30, parts=factories.AB)
    assert simulation.label_as_simulated(campaign=campaign, count=30, seed=0) == 30


def test_they_rank_so_that_most_pairs_go_with_what_texts_are_worth() -> None:
    """Four texts of 40 items: 240 pairs; Bradley-Terry noise turns about one in six round."""
    campaign = _campaign(comparisons=40, parts=RANKING, styles=STYLES)
    assert simulation.label_as_simulated(campaign=campaign, count=40, seed=1) == 40
    right = wrong = 0
    for label in Label.objects.select_related("comparison__prompt", "question_version"):
        item = label.comparison.prompt.item
        texts = dict(label.comparison.completions.values_list("pk", "text"))
        ordered, _ = questions.preferences_of(RANKING, label.answer, "chosen")
        for one in ordered:
            gap = world.utility(item, texts[one.chosen]) - world.utility(item, texts[one.rejected])
            right, wrong = right + (gap > 0), wrong + (gap < 0)
    assert right + wrong > 180
    assert 0.7 < right / (right + wrong) < 0.95


def test_asked_for_the_worst_they_put_it_first() -> None:
    for trains_on, wanted in (("chosen", True), ("rejected", False)):
        campaign = _campaign(comparisons=30, parts=RANKING, trains_on=trains_on)
        simulation.label_as_simulated(campaign=campaign, count=30, seed=1)
        better = 0
        for label in Label.objects.filter(comparison__campaign=campaign):
            item = label.comparison.prompt.item
            texts = dict(label.comparison.completions.values_list("pk", "text"))
            tiers = label.answer["parts"]["order"]["tiers"]
            worth = [world.utility(item, texts[tier[0]]) for tier in tiers]
            better += worth[0] >= worth[-1]
        assert (better >= 24) is wanted


def test_their_thumbs_and_points_follow_what_a_text_is_worth() -> None:
    parts = {"thumb": {"type": "thumbs"}, "points": {"type": "rating", "scale": "one_five"}}
    given: dict[str, list[tuple[bool, int]]] = {"polite": [], "rude": []}
    for style, found in given.items():
        campaign = _campaign(comparisons=40, parts=parts, styles=[style])
        assert simulation.label_as_simulated(campaign=campaign, count=40, seed=0) == 40
        for label in Label.objects.filter(comparison__campaign=campaign):
            said = label.answer["parts"]
            points = said["points"]["ratings"][0]["values"]["value"]
            found.append((said["thumb"]["up"], points))
    ups = {style: sum(up for up, _ in found) for style, found in given.items()}
    means = {style: sum(points for _, points in found) / 40 for style, found in given.items()}
    assert ups["polite"] > 30 > 10 > ups["rude"]
    assert means["polite"] > means["rude"] + 1


def test_every_choosing_preset_can_be_answered_by_them() -> None:
    for name in ("llama2", "hh_line", "tulu", "instruct_gpt", "thumbs", "acceptability"):
        preset = presets.PRESETS[name]
        styles = STYLES[: preset.completions]
        campaign = _campaign(comparisons=5, parts=preset.parts, styles=styles)
        assert simulation.label_as_simulated(campaign=campaign, count=5, seed=0) == 5


def test_a_part_that_they_cannot_answer_is_named() -> None:
    parts = {**factories.LLAMA2, "edit": {"type": "rewrite"}}
    campaign = _campaign(comparisons=1, parts=parts)
    with pytest.raises(ValueError, match="cannot answer the part edit: they know no rewrite"):
        simulation.label_as_simulated(campaign=campaign, count=1, seed=0)
    parts["edit"]["required"] = False
    campaign = _campaign(comparisons=1, parts=parts)
    assert simulation.label_as_simulated(campaign=campaign, count=1, seed=0) == 1


def test_only_a_campaign_on_the_demo_world_has_them() -> None:
    campaign = factories.CampaignFactory()
    factories.open_comparisons(campaign, 1)
    with pytest.raises(ValueError, match="demo world only"):
        simulation.label_as_simulated(campaign=campaign, count=1, seed=0)
    Campaign.objects.update(demo_world=True)
    campaign.refresh_from_db()
    with pytest.raises(ValueError, match="know nothing of 'item-"):
        simulation.label_as_simulated(campaign=campaign, count=1, seed=0)
    assert Label.objects.count() == 0


def _campaign(
    comparisons: int,
    overlap: int = 1,
    styles: Sequence[world.Style] = ("polite", "rude"),
    **fields: object,
) -> Campaign:
    """Comparisons of answers in these styles."""
    campaign = factories.CampaignFactory(demo_world=True, **fields)
    draw = random.Random(0)
    for item in list(world.items().values())[:comparisons]:
        texts = [world.answer(item, style, draw) for style in styles]
        factories.open_comparisons(
            campaign, 1, prompt__item=item.slug, texts=texts, overlap=overlap
        )
    return campaign
