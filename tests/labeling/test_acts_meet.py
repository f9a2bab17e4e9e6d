"""Acts of leads, of raters and of the clock that meet on one card: each alone is right, and so are
they together."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from labeling import (
    adaptive,
    adjudications,
    earnings,
    exclusions,
    leases,
    rates,
    send_backs,
    withheld,
)
from labeling.adaptive import Rule
from labeling.models import Assignment, Comparison, Label, SendBack, User
from tests.factories import Cast, open_comparisons
from tests.labeling.test_earnings import MARCH, rate, said, utc
from tests.rating import answer

pytestmark = pytest.mark.django_db


def sent_back(label: Label, cast: Cast) -> SendBack:
    return send_backs.send_back(label=label, text="Look again.", actor=cast.lead)


def balanced() -> bool:
    """slots_left + live leases + counted == overlap of every comparison."""
    live = Assignment.objects.filter(state="leased", occasion=0)
    return all(
        row.slots_left + live.filter(comparison=row).count() + row.counted == row.overlap
        for row in Comparison.objects.all()
    )


def says(rater: User, cast: Cast, first: bool) -> Label:
    """Prefer the first or the second completion of the rater's next card."""
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    side = card.order.index(sorted(card.order)[0 if first else 1])
    return answer(rater, cast.campaign, f"{side}:better")


def test_no_excluded_answer_counts_by_being_sent_back_no_more(cast: Cast) -> None:
    """Sent back, then all of its rater's labels are excluded, then not sent back."""
    open_comparisons(cast.campaign, 1)
    row = sent_back(answer(cast.rater, cast.campaign, "0:better"), cast)
    act = exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.rater,
        from_at=timezone.now() - timedelta(days=1),
        reason="quality",
        actor=cast.lead,
    )
    for _ in range(2):  # asked for, and done
        with pytest.raises(send_backs.NotPossible, match="excluded"):
            send_backs.take_back(row=row, actor=cast.lead)
        exclusions.tick()
    act.refresh_from_db()
    exclusions.lift(exclusion=act, actor=cast.lead)
    assert send_backs.take_back(row=row, actor=cast.lead)
    assert balanced()


def test_what_is_withheld_is_given_out_once(cast: Cast) -> None:
    """A lead who asks for more labels of it would have it handed out beside what is withheld."""
    (row,) = open_comparisons(cast.campaign, 1, overlap=2)
    withheld.withhold(withheld.untouched(cast.campaign))
    with pytest.raises(adjudications.NotPossible, match="kept back"):
        adjudications.decide(comparison=row, kind="more", more=1, actor=cast.lead)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    withheld.release(withheld.rows(cast.campaign))
    assert balanced()


def test_an_answer_put_in_force_again_is_paid_with_the_days_in_which_it_was_given(
    cast: Cast,
) -> None:
    open_comparisons(cast.campaign, 1)
    rate(cast, "label", "0.5", rates.BEGINNING)
    row = sent_back(said(cast.rater, cast, utc(3)), cast)
    assert send_backs.take_back(row=row, actor=cast.lead)
    assert earnings.totals(earnings.work(MARCH)) == [("EUR", Decimal("0.50"))]


def test_an_answer_put_in_force_again_that_differs_brings_one_more(cast: Cast) -> None:
    """As it would have where it was never sent back."""
    adaptive.change(campaign=cast.campaign, rule=Rule(least=2, rule="majority", most=3))
    (row,) = open_comparisons(cast.campaign, 1, overlap=2)
    back = sent_back(says(cast.rater, cast, first=True), cast)
    says(cast.other_rater, cast, first=False)
    assert send_backs.take_back(row=back, actor=cast.lead)
    row.refresh_from_db()
    assert (row.state, row.overlap, row.slots_left) == ("open", 3, 1)


def test_labels_let_back_that_differ_bring_one_more(cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=Rule(least=2, rule="majority", most=3))
    (row,) = open_comparisons(cast.campaign, 1, overlap=2)
    says(cast.rater, cast, first=True)
    act = exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.rater,
        from_at=timezone.now() - timedelta(days=1),
        reason="quality",
        actor=cast.lead,
    )
    exclusions.tick()
    says(cast.other_rater, cast, first=False)
    act.refresh_from_db()
    exclusions.lift(exclusion=act, actor=cast.lead)
    exclusions.tick()
    row.refresh_from_db()
    assert (row.state, row.overlap, row.counted, row.slots_left) == ("open", 3, 2, 1)
