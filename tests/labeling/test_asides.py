"""Training, test, gold and hidden repeats come among a rater's cards, count nowhere but for the
rater, and cost nothing where a campaign uses none of them."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling import (
    asides,
    checks,
    gold,
    gold_results,
    labels,
    leases,
    qualification,
    repairs,
    seats,
    snapshots,
)
from labeling.checks import Checks
from labeling.gold import Key
from labeling.models import Assignment, Comparison, GoldResult, Iteration, Label, Qualification
from tests.checks import claim, expected, make_gold, say
from tests.factories import Cast, UserFactory, open_comparisons

pytestmark = pytest.mark.django_db


def settle(cast: Cast, **settings: Any) -> None:
    checks.settle(campaign=cast.campaign, settings=Checks(**settings))


def read_all(cast: Cast) -> None:
    for result in gold_results.to_tell(cast.rater, cast.campaign):
        gold_results.told(result)


def test_training_comes_first_one_at_a_time_and_waits_until_it_was_read(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    items = make_gold(cast.campaign, 2, "training")
    settle(cast, trains_raters=True)
    for number, item in enumerate(items):
        card = claim(cast.rater, cast.campaign)
        assert card.comparison_id == item.comparison_id
        again = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=[card.public_id])
        assert again is None
        assert asides.progress(
            cast.rater, cast.campaign, seats.work(cast.rater, cast.campaign)
        ) == ("training", number, 2)
        say(card, right=bool(number))
        assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
        read_all(cast)
    assert claim(cast.rater, cast.campaign).comparison.purpose == "work"
    assert list(GoldResult.objects.values_list("right", flat=True)) == [False, True]
    assert seats.work(cast.rater, cast.campaign).stage == "work"


def test_an_answer_to_an_item_counts_for_its_rater_and_nowhere_else(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    [item] = make_gold(cast.campaign, 1, "training")
    settle(cast, trains_raters=True)
    label = say(claim(cast.rater, cast.campaign))
    comparison = Comparison.objects.get(pk=item.comparison_id)
    assert not label.counted
    assert (comparison.counted, comparison.slots_left, comparison.state) == (0, 0, "open")
    assert Iteration.objects.get().labels_people == 0
    assert seats.work(cast.rater, cast.campaign).answered == 1
    with pytest.raises(ValueError, match="no labels"):
        snapshots.freeze(campaign=cast.campaign)


def test_a_test_passed_opens_the_work(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 4, "qualification")
    settle(cast, pass_mark=75)
    for number in range(4):
        say(claim(cast.rater, cast.campaign), right=number > 0)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    verdict = Qualification.objects.get()
    assert (verdict.right, verdict.asked, verdict.passed) == (3, 4, True)
    assert claim(cast.rater, cast.campaign).comparison.purpose == "work"
    assert not GoldResult.objects.filter(shows=True).exists()  # nothing was told of any item


def test_who_fails_gets_nothing_until_a_lead_lets_them_try_again(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 2, "qualification")
    settle(cast, pass_mark=100)
    for right in (True, False):
        say(claim(cast.rater, cast.campaign), right=right)
    for _ in range(2):
        assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    assert seats.work(cast.rater, cast.campaign).stage == "failed"
    qualification.try_again(rater=cast.rater, campaign=cast.campaign, actor=cast.lead)
    for _ in range(2):
        say(claim(cast.rater, cast.campaign))
    leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert list(Qualification.objects.order_by("pk").values_list("passed", flat=True)) == [
        False,
        True,
    ]
    with pytest.raises(qualification.NotNow):
        qualification.try_again(rater=cast.rater, campaign=cast.campaign, actor=cast.lead)


def test_a_skipped_item_of_the_test_is_not_right(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 2, "qualification")
    settle(cast, pass_mark=60)
    say(claim(cast.rater, cast.campaign))
    labels.skip(assignment=claim(cast.rater, cast.campaign), reason="cannot_judge")
    leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert (Qualification.objects.get().right, Qualification.objects.get().passed) == (1, False)


def test_an_item_that_expired_comes_back_without_a_slot(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "qualification")
    settle(cast, pass_mark=100)
    card = claim(cast.rater, cast.campaign)
    leases.release_expired(timezone.now() + timedelta(days=1))
    assert Assignment.objects.get(pk=card.pk).state == "expired"
    assert claim(cast.rater, cast.campaign).pk == card.pk
    assert Comparison.objects.get(pk=card.comparison_id).slots_left == 0


@pytest.mark.long
def test_gold_and_repeats_come_in_their_shares_and_none_twice(cast: Cast) -> None:
    """Of 200 cards; the bounds are those that 1 of 100,000 runs would leave."""
    open_comparisons(cast.campaign, 220)
    make_gold(cast.campaign, 80)
    settle(cast, gold_share=0.15, repeat_share=0.1, repeat_after=5)
    kinds: Counter[str] = Counter()
    for _ in range(200):
        card = claim(cast.rater, cast.campaign)
        kinds[
            "repeat"
            if card.comparison.purpose == "work" and card.occasion
            else card.comparison.purpose
        ] += 1
        say(card)
    assert 11 <= kinds["gold"] <= 54
    assert 5 <= kinds["repeat"] <= 41
    seen = Assignment.objects.filter(comparison__purpose="gold")
    assert seen.count() == seen.values("comparison").distinct().count() == kinds["gold"]
    counted = Label.objects.filter(counted=True)
    assert counted.count() == kinds["work"] == Iteration.objects.get().labels_people
    assert set(counted.values_list("assignment__occasion", flat=True)) == {0}


def test_a_repeat_comes_late_enough_and_with_a_new_draw_of_sides(cast: Cast) -> None:
    open_comparisons(cast.campaign, 12)
    settle(cast, repeat_share=0.5, repeat_after=3)
    order: list[int] = []
    for _ in range(12):
        card = claim(cast.rater, cast.campaign)
        if card.occasion:
            assert len(order) - order.index(card.comparison_id) > 3
        order.append(card.comparison_id)
        say(card)
    assert max(Counter(order).values()) == 2
    for comparison in Comparison.objects.all():
        assert comparison.counted <= comparison.overlap


def test_no_gold_for_whom_there_is_no_work(cast: Cast) -> None:
    make_gold(cast.campaign, 5)
    settle(cast, gold_share=0.5)
    open_comparisons(cast.campaign, 0)
    for _ in range(20):
        assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None


def test_a_program_and_a_simulated_rater_are_not_trained(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "training")
    settle(cast, trains_raters=True)
    simulated = UserFactory(kind="simulated")
    assert claim(simulated, cast.campaign).comparison.purpose == "work"


def test_undo_crosses_what_is_not_told(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 2, "qualification")
    settle(cast, pass_mark=100)
    first = claim(cast.rater, cast.campaign)
    say(first, right=False)
    back = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert back is not None
    assert (back.pk, back.state) == (first.pk, "leased")
    for _ in range(2):
        say(claim(cast.rater, cast.campaign))
    leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert Qualification.objects.get().passed  # the answer taken back counts no more
    with pytest.raises(labels.NotOpen):  # the test is over
        labels.undo(rater=cast.rater, campaign=cast.campaign)


def test_what_was_explained_is_not_answered_anew(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "training")
    settle(cast, trains_raters=True)
    say(claim(cast.rater, cast.campaign), right=False)
    with pytest.raises(labels.NotOpen):
        labels.undo(rater=cast.rater, campaign=cast.campaign)


def queries_of_an_answer(cast: Cast) -> int:
    card = claim(cast.rater, cast.campaign)
    assert card.comparison.purpose == "work"
    with CaptureQueriesContext(connection) as asked:
        labels.record_and_claim(
            assignment=card,
            parts={"preference": {"choice": "0:better"}},
            idempotency_key=uuid.uuid4(),
        )
    return len(asked)


def test_where_none_is_used_an_answer_asks_nothing_of_it(cast: Cast) -> None:
    """As many queries with items that are there and unused as before there were any."""
    open_comparisons(cast.campaign, 6)
    queries_of_an_answer(cast)  # the first has nothing to go on from
    before = queries_of_an_answer(cast)
    make_gold(cast.campaign, 3)
    assert queries_of_an_answer(cast) == before


def test_gold_in_use_costs_an_answer_to_work_no_query(cast: Cast) -> None:
    """The draw is the server's own; where it falls on gold, that is found instead of work."""
    open_comparisons(cast.campaign, 6)
    make_gold(cast.campaign, 1)
    queries_of_an_answer(cast)
    before = queries_of_an_answer(cast)
    settle(cast, gold_share=1e-9)
    assert queries_of_an_answer(cast) == before


def test_a_retired_item_counts_for_nobody_and_comes_back_whole(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    [item] = make_gold(cast.campaign, 1, "training")
    settle(cast, trains_raters=True)
    say(claim(cast.rater, cast.campaign))
    assert gold.retire(gold=item) == 1
    assert not GoldResult.objects.filter(gold_results.in_force()).exists()
    gold.restore(gold=item)
    assert GoldResult.objects.filter(gold_results.in_force()).count() == 1


def test_gold_made_of_a_card_with_a_suggested_answer_suggests_it_too(cast: Cast) -> None:
    """A card that suggests nothing among cards that do would be known for what it is."""
    suggestion = {"by": "a judge", "trains_on": "chosen", "parts": {}, "texts": {}}
    [source] = open_comparisons(
        cast.campaign, 1, suggestion=suggestion, suggestion_sha256="a" * 64
    )
    Comparison.objects.update(state="complete", slots_left=0, counted=1)
    source.refresh_from_db()
    item = gold.add(
        comparison=source, purpose="gold", key=Key(expected(source), {"preference": {}})
    )
    assert item.comparison.suggestion == suggestion
    assert repairs.cards(cast.campaign) == 1  # and counts none more


def test_no_snapshot_counts_what_was_taken_back_of_an_item(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "qualification")
    settle(cast, pass_mark=50)
    say(claim(cast.rater, cast.campaign))
    assert labels.undo(rater=cast.rater, campaign=cast.campaign) is not None
    assert Label.objects.filter(superseded_by__isnull=False).count() == 1
    assert snapshots.superseded(cast.campaign) == 0
