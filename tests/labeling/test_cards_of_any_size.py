"""Cards of none, one and nine completions go the same way as pairs: leased, answered, undone."""

from __future__ import annotations

import uuid

import pytest

from labeling import labels, leases
from labeling.models import Label
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("size", [0, 1, 2, 5, 9])
def test_every_completion_is_on_the_card_once_in_a_drawn_order(size: int) -> None:
    cast = factories.make_cast()
    texts = [f"Answer {n}" for n in range(size)]
    [made] = factories.open_comparisons(cast.campaign, 1, texts=texts, overlap=2)
    orders = []
    for rater in (cast.rater, cast.other_rater):
        card = leases.claim_next(rater=rater, campaign=cast.campaign)
        assert card is not None
        orders.append(card.order)
    wanted = sorted(made.items.values_list("completion_id", flat=True))
    assert [sorted(order) for order in orders] == [wanted, wanted]
    if size > 1:
        assert orders[0][0] != orders[1][0]  # who is shown first is balanced


def test_an_order_of_nothing_is_nothing() -> None:
    assert leases.draw_order([], [[], []]) == []


@pytest.mark.parametrize(
    ("size", "parts", "raw"),
    [
        (0, {"p": {"type": "rating", "over": "item"}}, {"value": "7"}),
        (1, {"p": {"type": "thumbs"}}, {"thumb": "up"}),
        (9, {"p": {"type": "ranking"}}, {f"tier-{n}": str(n + 1) for n in range(9)}),
    ],
)
def test_an_answer_is_stored_taken_back_and_given_again(
    size: int, parts: dict[str, dict[str, object]], raw: dict[str, str]
) -> None:
    cast = factories.make_cast(parts=parts)
    factories.open_comparisons(cast.campaign, 1, texts=[f"Answer {n}" for n in range(size)])
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    for _ in range(2):
        assert card is not None
        labels.record_label(assignment=card, parts={"p": raw}, idempotency_key=uuid.uuid4())
        order = card.order
        card = labels.undo(rater=cast.rater, campaign=cast.campaign)
        assert card is not None
        assert card.order == order
    kinds = list(Label.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["answer", "withdrawn"] * 2
