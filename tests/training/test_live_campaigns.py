"""An iteration of a campaign whose raters talk with live models: nothing is sampled ahead."""

from __future__ import annotations

import pytest

from labeling.models import Comparison
from models_runtime.models import Job
from tests.talks import CONVERSATION, answer, begun, cast_of, judge, say
from training import pipeline

pytestmark = pytest.mark.django_db


def test_it_collects_at_once_and_counts_what_is_judged_in_talks() -> None:
    cast = cast_of(CONVERSATION, plan={"target_labels": 2})
    iteration = pipeline.start_iteration(cast.campaign)
    pipeline.step(iteration)
    iteration.refresh_from_db()
    assert iteration.state == "collecting"
    talk = begun(cast)
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    iteration.refresh_from_db()
    assert iteration.labels_people == 1
    assert Comparison.objects.get().iteration == iteration
    assert Job.objects.count() == 0
