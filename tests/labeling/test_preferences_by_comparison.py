"""What a page reads of labels agrees as what a snapshot would freeze of them, erased texts too."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import accepted, agreement, preferences_by_comparison, snapshots
from labeling.models import Comparison, Label, Prompt
from labeling.written import SOURCE
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db


def both(cast: Cast) -> list[Any]:
    ids = list(Comparison.objects.values_list("pk", flat=True))
    rows = preferences_by_comparison.of(accepted.of(Label.objects.all()), ids)
    frozen = snapshots.judged(cast.campaign, among=ids)
    return [
        (found.all, found.directed, found.by_strength, found.ties, found.comparisons, found.raters)
        for found in (agreement.agreement(rows), agreement.agreement(frozen))
    ]


def test_it_agrees_with_snapshots_and_erased_pairs_are_none(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4, overlap=2)
    for one, other in (("0:better", "0:better"), ("0:better", "1:slightly"), ("0:better",) * 2):
        answer(cast.rater, cast.campaign, one)
        answer(cast.other_rater, cast.campaign, other)
    ours, theirs = both(cast)
    assert ours == theirs
    assert ours[4] == 3
    first, second = Comparison.objects.filter(counted=2).order_by("pk")[:2]
    shown = first.items.get(position=0).completion
    type(shown).objects.filter(pk=shown.pk).update(source=SOURCE, text="")
    Prompt.objects.filter(pk=second.prompt_id).update(messages=[{"role": "user", "content": ""}])
    ours, theirs = both(cast)
    assert ours == theirs
    assert ours[4] == 1
