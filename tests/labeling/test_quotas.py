"""Quotas by category and language: counted from kept counts, and filled names asked no more."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F, Sum

from labeling import leases, quotas
from labeling.models import Campaign, Comparison, Prompt, Quota
from labeling.quotas import Wanted
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def every_look_is_due(monkeypatch: Any) -> None:
    monkeypatch.setattr(quotas, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(quotas, "TIME_SHARE", 1e9)
    quotas._next_look.clear()


def scene(cast: Cast) -> Campaign:
    """Six comparisons of code and six of poetry; of each, half are German."""
    for category in ("code", "poetry"):
        for language in ("de", "en"):
            open_comparisons(
                cast.campaign, 3, prompt__category=category, prompt__language=language
            )
    return cast.campaign


def settle(campaign: Campaign, *wanted: Wanted) -> None:
    quotas.settle(campaign=campaign, wanted=wanted)


def handed_out(cast: Cast) -> list[str]:
    """What the rater is asked of until nothing is left, without answering."""
    found = []
    while card := leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=()):
        found.append(card.comparison.prompt.category)
        answer(cast.rater, cast.campaign, "0:better")
    return found


def balanced(campaign: Campaign) -> bool:
    rows = campaign.comparisons.exclude(state="discarded")
    live = Sum("slots_left") + Sum("counted")
    sums = rows.aggregate(overlap=Sum("overlap"), rest=live)
    leased = rows.filter(assignments__state="leased").count()
    return bool(sums["overlap"] == sums["rest"] + leased)


def test_a_filled_category_is_asked_no_more(cast: Cast) -> None:
    campaign = scene(cast)
    settle(campaign, Wanted("category", "code", 2))
    for _ in range(2):
        untouched = campaign.comparisons.filter(prompt__category="code", counted=0)
        Comparison.objects.filter(pk=untouched.values("pk")[:1]).update(priority=9)
        answer(cast.rater, campaign, "0:better")
    quotas.keep()
    row = Quota.objects.get(name="code")
    assert (row.collected, row.filled) == (2, True)
    assert handed_out(cast) == ["poetry"] * 6
    assert balanced(campaign)


def test_a_language_fills_alike(cast: Cast) -> None:
    campaign = scene(cast)
    campaign.comparisons.filter(prompt__language="de").update(priority=1)
    settle(campaign, Wanted("language", "de", 1))
    answer(cast.rater, campaign, "0:better")
    quotas.keep()
    left = campaign.comparisons.filter(slots_left__gt=0)
    assert set(left.values_list("prompt__language", flat=True)) == {"en"}


def test_a_raised_quota_brings_them_back(cast: Cast) -> None:
    campaign = scene(cast)
    campaign.comparisons.filter(prompt__category="code").update(priority=1)
    settle(campaign, Wanted("category", "code", 1))
    answer(cast.rater, campaign, "0:better")
    quotas.keep()
    assert campaign.comparisons.filter(withheld__gt=0).count() == 5
    settle(campaign, Wanted("category", "code", 5))
    quotas.keep()
    assert not campaign.comparisons.filter(withheld__gt=0).exists()
    assert not campaign.comparisons.filter(state="open", slots_left=0).exists()


def test_without_quotas_everything_comes_back(cast: Cast) -> None:
    campaign = scene(cast)
    answer(cast.rater, campaign, "0:better")
    settle(campaign, Wanted("category", "code", 1), Wanted("category", "poetry", 1))
    quotas.keep()
    assert campaign.comparisons.filter(withheld__gt=0).exists()
    settle(campaign)
    quotas.keep()
    assert not campaign.comparisons.filter(withheld__gt=0).exists()


def test_what_somebody_holds_is_left_to_them(cast: Cast) -> None:
    campaign = scene(cast)
    campaign.comparisons.filter(prompt__category="code").update(priority=1)
    settle(campaign, Wanted("category", "code", 1))
    in_hand = leases.claim_next(rater=cast.other_rater, campaign=campaign)
    answer(cast.rater, campaign, "0:better")
    quotas.keep()
    assert in_hand
    in_hand.comparison.refresh_from_db()
    assert in_hand.comparison.withheld == 0
    assert balanced(campaign)


def test_a_second_label_that_is_wanted_is_still_asked_for(cast: Cast) -> None:
    campaign = scene(cast)
    campaign.comparisons.update(overlap=2, slots_left=2)
    campaign.comparisons.filter(prompt__category="code").update(priority=1)
    settle(campaign, Wanted("category", "code", 1))
    answer(cast.rater, campaign, "0:better")
    quotas.keep()
    again = leases.claim_next(rater=cast.other_rater, campaign=campaign)
    assert again
    assert (again.comparison.prompt.category, again.comparison.counted) == ("code", 1)


def test_a_share_of_the_target(cast: Cast) -> None:
    campaign = scene(cast)
    settle(campaign, Wanted("category", "code", 30, "percent"))
    assert quotas.target(campaign) == 700  # as the iteration's plan says
    assert quotas.goal(Quota.objects.get(), campaign) == 210


def test_what_has_no_quota_is_counted_beside_the_others(cast: Cast) -> None:
    campaign = scene(cast)
    settle(campaign, Wanted("category", "code", 3))
    campaign.comparisons.filter(prompt__category="poetry").update(priority=1)
    answer(cast.rater, campaign, "0:better")
    quotas.keep()
    counted = {(row.kind, row.name): row.collected for row in quotas.rows_of(campaign)}
    assert counted[("category", "poetry")] == 1
    assert counted[("category", "code")] == 0
    assert sum(n for (kind, _name), n in counted.items() if kind == "language") == 1


def test_what_is_discarded_counts_no_more(cast: Cast) -> None:
    campaign = scene(cast)
    answer(cast.rater, campaign, "0:better")
    settle(campaign, Wanted("category", "code", 1), Wanted("category", "poetry", 1))
    campaign.comparisons.filter(counted=1).update(state="discarded")
    quotas.keep()
    assert not Quota.objects.filter(filled=True).exists()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([Wanted("category", "code", 0)], "code: write a number from 1"),
        ([Wanted("category", "code", 101, "percent")], "from 1 to 100"),
        ([Wanted("mood", "code", 1)], "for a category or a language"),
        ([Wanted("category", " ", 1)], "for a category or a language"),
        (
            [Wanted("language", "de", 60, "percent"), Wanted("language", "en", 41, "percent")],
            "more than the whole",
        ),
        ([Wanted("category", str(n), 1) for n in range(201)], "at most 200 quotas"),
    ],
)
def test_quotas_that_cannot_be(cast: Cast, wanted: list[Wanted], said: str) -> None:
    with pytest.raises(quotas.Refused, match=said):
        settle(cast.campaign, *wanted)
    assert not Quota.objects.exists()


def test_settling_is_an_event_once(cast: Cast) -> None:
    for _ in range(2):
        settle(cast.campaign, Wanted("category", "code", 3))
    assert [event.data for event in AuditEvent.objects.filter(verb="quotas settled")] == [{"n": 1}]


def test_names_are_those_of_the_prompts(cast: Cast) -> None:
    scene(cast)
    Prompt.objects.filter(category="poetry").update(category="")
    assert quotas.names(cast.campaign) == {"category": ["code"], "language": ["de", "en"]}


def test_the_queue_s_place_of_what_comes_back_is_its_own(cast: Cast) -> None:
    campaign = scene(cast)
    before = list(campaign.comparisons.order_by("id").values_list("id", "shuffle", "overlap"))
    campaign.comparisons.filter(pk=before[0][0]).update(counted=F("overlap"), state="complete")
    campaign.comparisons.filter(pk=before[0][0]).update(slots_left=0)
    settle(campaign, Wanted("category", "code", 1))
    quotas.keep()
    settle(campaign)
    quotas.keep()
    after = list(campaign.comparisons.order_by("id").values_list("id", "shuffle", "overlap"))
    assert after == before
