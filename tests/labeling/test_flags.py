"""What becomes of a flagged comparison."""

from __future__ import annotations

import pytest

from labeling import flags, labels, leases, snapshots
from labeling.models import Assignment, Comparison, Flag, Iteration
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.rating import answer


@pytest.fixture
def flagged(cast: Cast) -> Flag:
    """The first of two answered comparisons; nothing else is wrong."""
    open_comparisons(cast.campaign, 2, overlap=2)
    first = answer(cast.rater, cast.campaign, "0:better")
    answer(cast.rater, cast.campaign, "1:better")
    return labels.flag(assignment=first.assignment, code="unsafe")


def kept(cast: Cast) -> int:
    return snapshots.freeze(campaign=cast.campaign).counts["comparisons"]["kept"]


def test_a_resolved_flag_lets_the_comparison_count_again(cast: Cast, flagged: Flag) -> None:
    assert kept(cast) == 1
    assert list(flags.unresolved(cast.campaign)) == [flagged]
    assert [flags.resolve(flag=flagged, actor=cast.lead) for _ in range(2)] == [True, False]
    assert not flags.unresolved(cast.campaign).exists()
    assert kept(cast) == 2
    event = AuditEvent.objects.get(verb="flag resolved")
    assert (event.actor, event.data, event.project) == (
        cast.lead,
        {"code": "unsafe"},
        cast.project,
    )


def test_a_discarded_comparison_is_shown_to_nobody_and_trains_nothing(
    cast: Cast, flagged: Flag
) -> None:
    labels.flag(assignment=flagged.assignment, code="broken")
    assert [flags.discard(flag=flagged, actor=cast.lead) for _ in range(2)] == [True, False]
    assert not flags.unresolved(cast.campaign).exists()
    assert kept(cast) == 1
    card = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert card is not None
    assert card.comparison_id != flagged.comparison_id
    event = AuditEvent.objects.get(verb="comparison discarded")
    assert (event.from_state, event.to_state) == ("open", "discarded")


def test_a_discarded_comparisons_labels_are_not_collected_any_more(
    cast: Cast, flagged: Flag
) -> None:
    assert collected() == 2
    flags.discard(flag=flagged, actor=cast.lead)
    assert collected() == 1
    labels.undo(rater=cast.rater, campaign=cast.campaign, assignment=flagged.assignment.public_id)
    assert collected() == 1
    label = labels.record_label(
        assignment=flagged.assignment,
        parts={"preference": {"choice": "1:better"}},
        idempotency_key=flagged.assignment.public_id,
    )
    assert (label.counted, collected()) == (True, 1)


def collected() -> int:
    return Iteration.objects.get().labels_people


def test_an_answer_under_way_to_a_discarded_comparison_is_kept_and_stays_out(
    cast: Cast, flagged: Flag
) -> None:
    card = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert card is not None
    flags.discard(flag=labels.flag(assignment=card, code="broken"), actor=cast.lead)
    labels.record_label(
        assignment=Assignment.objects.get(pk=card.pk),
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=card.public_id,
    )
    assert Comparison.objects.get(pk=card.comparison_id).state == "discarded"
    assert flagged.comparison_id == card.comparison_id or kept(cast) == 0


def test_a_rater_takes_a_flag_back_until_a_lead_has_settled_it(cast: Cast, flagged: Flag) -> None:
    for _ in range(2):
        flags.take_back(assignment=flagged.assignment, code="unsafe")
    assert not Flag.objects.exists()
    again = labels.flag(assignment=flagged.assignment, code="unsafe")
    flags.resolve(flag=again, actor=cast.lead)
    flags.take_back(assignment=flagged.assignment, code="unsafe")
    labels.flag(assignment=flagged.assignment, code="unsafe")
    assert Flag.objects.get().resolved_at is not None
