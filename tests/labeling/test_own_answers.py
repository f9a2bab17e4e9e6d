"""Each rater beside gold and beside themselves, in the report on a campaign's labels."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labeling import checks, consistency, quality_job, snapshots
from labeling.checks import Checks
from labeling.measures import Said
from labeling.models import Assignment
from tests.checks import claim, make_gold, say
from tests.factories import LLAMA2, Cast, open_comparisons

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said(card: int, chosen: int, rejected: int, rater: int = 1) -> Said:
    stored = {"type": "pairwise", "outcome": "prefer", "chosen": chosen, "rejected": rejected}
    parts = {"preference": {**stored, "strength": "better"}}
    return Said(card, card, rater, parts, [chosen, rejected], None, NOW)


def twice(card: int, *, same: bool, rater: int = 1) -> tuple[Said, Said]:
    one = 10 * card, 10 * card + 1
    other = one if same else one[::-1]
    return said(card, *one, rater), said(card, *other, rater)


def test_a_rater_beside_themselves() -> None:
    """Of ten cards that came twice eight were answered alike: 0.8, and by chance of two equal
    halves, which turning round makes of any preferences, 0.5: kappa (0.8 - 0.5) / 0.5 = 0.6."""
    pairs = [twice(card, same=card > 2) for card in range(1, 11)]
    found = consistency.of_raters(pairs, LLAMA2, ["preference", ""])[1]
    assert found.same.value == pytest.approx(0.8)
    assert found.same.low == pytest.approx(0.4902, abs=1e-4)  # Wilson, 8 of 10
    assert found.same.high == pytest.approx(0.9433, abs=1e-4)
    assert found.kappa.value == pytest.approx(0.6)


def test_raters_are_kept_apart_and_a_card_in_common_is_each_one_s() -> None:
    pairs = [twice(1, same=True), twice(1, same=False, rater=2)]
    found = consistency.of_raters(pairs, LLAMA2, ["preference", ""])
    assert [found[rater].same.value for rater in (1, 2)] == [1.0, 0.0]


def test_nothing_said_twice_is_no_figure() -> None:
    assert consistency.of_raters([], LLAMA2, ["preference", ""]) == {}
    assert consistency.of_raters([], LLAMA2, []) == {}


@pytest.mark.django_db
def test_the_report_says_both_and_counts_neither_as_work(cast: Cast) -> None:
    open_comparisons(cast.campaign, 14)
    make_gold(cast.campaign, 4)
    settings = Checks(gold_share=0.25, repeat_share=0.25, repeat_after=2)
    checks.settle(campaign=cast.campaign, settings=settings)
    while work_left(cast):
        card = claim(cast.rater, cast.campaign)
        say(card, right=not card.occasion)  # the opposite the second time
    asides = Assignment.objects.exclude(comparison__purpose="work", occasion=0)
    repeats = asides.filter(occasion=1).count()
    gold = Assignment.objects.filter(comparison__purpose="gold").count()
    report = quality_job.reports(cast.campaign)["person"]
    [row] = report["raters"]
    assert report["labels"] == row["labels"] == 14
    assert row["gold"]["n"] == gold
    assert row["gold"]["value"] == (1.0 if gold else None)
    assert row["again"]["same"]["n"] == repeats
    assert row["again"]["same"]["value"] == (0.0 if repeats else None)


def work_left(cast: Cast) -> bool:
    done = Assignment.objects.filter(comparison__purpose="work", occasion=0, state="submitted")
    return done.count() < 14


@pytest.mark.django_db
def test_no_snapshot_holds_a_check_by_default(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4)
    make_gold(cast.campaign, 1, "training")
    checks.settle(
        campaign=cast.campaign,
        settings=Checks(trains_raters=True, repeat_share=0.5, repeat_after=1),
    )
    say(claim(cast.rater, cast.campaign))
    for result in cast.rater.labels.get().result.gold.results.all():
        result.gold.results.update(told_at=NOW)
    for _ in range(4):
        say(claim(cast.rater, cast.campaign))
    frozen = snapshots.freeze(campaign=cast.campaign)
    work = Assignment.objects.filter(comparison__purpose="work", occasion=0, state="submitted")
    assert frozen.counts["labels"]["person"] == work.count()
