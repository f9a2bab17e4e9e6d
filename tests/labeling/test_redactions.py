"""Personal data: out of all hands at once, until a lead decides; replaced wherever it stands."""

from __future__ import annotations

import pytest

from labeling import adjudications, flags, labels, leases, redactions, snapshots
from labeling.models import Assignment, Comparison, Completion, Prompt, RaterText
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
SECRET = "Call Ada Lovelace at 555 0100."


def held_by_both(cast: Cast) -> tuple[Comparison, Assignment, Assignment]:
    [row] = open_comparisons(cast.campaign, 1, overlap=3, texts=(SECRET, "No."))
    cards = [
        leases.claim_next(rater=rater, campaign=cast.campaign)
        for rater in (cast.rater, cast.other_rater)
    ]
    assert cards[0] is not None
    assert cards[1] is not None
    return row, cards[0], cards[1]


def check(row: Comparison) -> None:
    row.refresh_from_db()
    leased = row.assignments.filter(state="leased").count()
    assert row.slots_left + leased + row.counted == row.overlap


def record(card: Assignment) -> bool:
    fresh = Assignment.objects.get(pk=card.pk)
    return labels.record_label(
        assignment=fresh,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=fresh.public_id,
    ).counted


def test_the_flag_takes_it_out_of_the_queue_and_of_others_hands(cast: Cast) -> None:
    row, mine, other = held_by_both(cast)
    labels.flag(assignment=mine, code="personal_data")
    check(row)
    assert row.state == "withdrawn"
    assert Assignment.objects.get(pk=other.pk).state == "expired"
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is None
    assert record(mine) is True
    check(row)
    assert record(other) is False
    check(row)
    assert row.state == "withdrawn"


@pytest.mark.parametrize("settle", ["resolve", "take back", "accept"])
def test_without_personal_data_it_is_in_the_queue_again(cast: Cast, settle: str) -> None:
    row, mine, _ = held_by_both(cast)
    flag = labels.flag(assignment=mine, code="personal_data")
    if settle == "resolve":
        flags.resolve(flag=flag, actor=cast.lead)
    elif settle == "take back":
        flags.take_back(assignment=mine, code="personal_data")
    else:
        adjudications.decide(comparison=row, kind="accept", actor=cast.lead)
    check(row)
    assert row.state == "open"
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is not None


def test_a_redacted_text_stands_nowhere_any_more(cast: Cast) -> None:
    row, mine, _ = held_by_both(cast)
    labels.flag(assignment=mine, code="personal_data")
    passage = next(one for one in redactions.passages(row) if one.text == SECRET)
    prompt = redactions.passages(row)[0]
    made = redactions.redact(
        comparison=row,
        texts={passage.name: "Call [a person] at [a number].", prompt.name: "Whom to call?"},
        actor=cast.lead,
    )
    assert len(made) == 2
    check(row)
    assert row.state == "open"
    for kept in Completion.objects.values_list("text", "html"):
        assert "Lovelace" not in "".join(kept)
    assert Prompt.objects.get(pk=row.prompt_id).messages[0]["content"] == "Whom to call?"
    assert not row.flags.filter(resolved_at=None).exists()
    with pytest.raises(redactions.NotPossible):
        redactions.redact(comparison=row, texts={passage.name: " "}, actor=cast.lead)


def test_snapshots_that_hold_it_say_so_and_answers_that_quote_it_are_named(cast: Cast) -> None:
    [row] = open_comparisons(cast.campaign, 1, texts=(SECRET, "No."))
    label = answer(cast.rater, cast.campaign, "0:better")
    typed = {"label": label, "assignment": label.assignment, "rater": cast.rater}
    RaterText.objects.create(part="why/text", text="It names Ada Lovelace!", **typed)
    before = snapshots.freeze(campaign=cast.campaign)
    passage = next(one for one in redactions.passages(row) if one.text == SECRET)
    redactions.redact(
        comparison=row, texts={passage.name: "Call [a person] at 555 0100."}, actor=cast.lead
    )
    after = snapshots.freeze(campaign=cast.campaign)
    assert [redactions.tick() for _ in range(2)] == [1, 0]
    before.refresh_from_db()
    after.refresh_from_db()
    assert before.holds_erased_since is not None
    assert after.holds_erased_since is None
    assert redactions.of(row)[0].quoted == [label.pk]


def test_no_suggested_answer_holds_it_any_more(cast: Cast) -> None:
    part, mark = {"type": "free_text"}, {"type": "pairwise", "outcome": "tie"}
    suggestion = {
        "v": 1, "by": "a judge", "trains_on": "chosen",
        "parts": {"preference": mark, "why": part, "also": part},
        "texts": {"why/text": "It names\nAda!", "also/text": "It is Adamant."},
    }  # fmt: skip
    [row] = open_comparisons(
        cast.campaign, 1, texts=("Call Ada.", "No."), suggestion=suggestion,
        suggestion_sha256="a" * 64,
    )  # fmt: skip
    passage = next(one for one in redactions.passages(row) if one.text == "Call Ada.")
    redactions.redact(comparison=row, texts={passage.name: "Call [her]."}, actor=cast.lead)
    row.refresh_from_db()
    assert row.suggestion["parts"] == {"preference": mark, "also": part}
    assert row.suggestion["texts"] == {"also/text": "It is Adamant."}


def test_nothing_changed_is_nothing_redacted(cast: Cast) -> None:
    row, _, _ = held_by_both(cast)
    texts = {one.name: f"\r\n{one.text}\r\n" for one in redactions.passages(row)}
    with pytest.raises(redactions.NotPossible):
        redactions.redact(comparison=row, texts=texts, actor=cast.lead)


def test_a_text_is_replaced_by_one_that_either_database_takes(cast: Cast) -> None:
    row, _, _ = held_by_both(cast)
    passage = redactions.passages(row)[-1]
    redactions.redact(comparison=row, texts={passage.name: "No.\0\r\nYes."}, actor=cast.lead)
    assert redactions.passages(row)[-1].text == "No.\nYes."
