"""The cast and the comparisons that the other tests begin with."""

from __future__ import annotations

import pytest

from tests import factories
from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_the_cast_has_one_role_each_and_the_outsider_none_here(cast: Cast) -> None:
    people = (cast.rater, cast.other_rater, cast.lead, cast.researcher, cast.outsider)
    roles = [list(p.memberships.filter(project=cast.project).values_list("role")) for p in people]
    assert roles == [[("rater",)], [("rater",)], [("lead",)], [("researcher",)], []]
    assert cast.rater.check_password(factories.PASSWORD)


def test_comparisons_are_open_and_have_two_completions_in_order(cast: Cast) -> None:
    first, second = factories.open_comparisons(cast.campaign, 2, overlap=2, texts=("a", "b"))
    assert first.iteration == second.iteration
    assert (first.slots_left, first.counted, first.state) == (2, 0, "open")
    assert [item.completion.text for item in first.items.all()] == ["a", "b"]
    assert cast.campaign.question.parts == factories.LLAMA2
