"""What an erasure cannot empty is named: snapshots that hold the words say so, jobs that were
given them are listed, and nothing else is."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from labeling import erasure, labels, leases, quality_job, remains, snapshots
from labeling.models import Completion, Prompt, Snapshot, User
from models_runtime import artifacts, jobs
from models_runtime.models import Job
from tests.factories import Cast, ComparisonFactory, IterationFactory, make_cast
from tests.rating import answer as answer_card
from training import runs

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
PAIR = {"preference": {"type": "pairwise", "scale": "llama2"}}
EDIT = {**PAIR, "edit": {"type": "rewrite"}}
PROMPT = {"prompt": {"type": "prompt_writing"}}
SECRET = "I live at 3 Elm Street."


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()


def rate(cast: Cast, rater: User, parts: dict[str, Any], **comparison: Any) -> None:
    iteration = cast.campaign.iterations.first() or IterationFactory(campaign=cast.campaign)
    ComparisonFactory(campaign=cast.campaign, iteration=iteration, **comparison)
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    labels.record_label(assignment=card, parts=parts, idempotency_key=uuid.uuid4())


def edited(text: str) -> dict[str, Any]:
    return {"preference": {"choice": "0:better"}, "edit": {"text-0": text}}


def says(snapshot: Snapshot, words: str) -> bool:
    def read(name: str) -> str:
        with artifacts.open_file(snapshot.uri, name) as handle:
            return handle.read().decode()

    return any(words in read(name) for name in snapshot.manifest)


def test_a_snapshot_with_their_edit_is_named_and_one_without_is_not() -> None:
    cast = make_cast(parts=EDIT)
    rate(cast, cast.other_rater, edited("An answer by somebody else."))
    without = snapshots.freeze(campaign=cast.campaign)
    rate(cast, cast.rater, edited(SECRET))
    holds = snapshots.freeze(campaign=cast.campaign)
    erasure.erase(rater=cast.rater)
    cast.rater.refresh_from_db()
    after = snapshots.freeze(campaign=cast.campaign)
    assert [says(one, SECRET) for one in (without, holds, after)] == [False, True, False]
    assert remains.find(cast.rater).snapshots == [holds]


def test_a_demonstration_alone_is_found_by_the_label_it_was_written_for() -> None:
    cast = make_cast(parts={"answer": {"type": "demonstration"}})
    rate(cast, cast.rater, {"answer": {"text": SECRET}}, texts=())
    holds = snapshots.freeze(campaign=cast.campaign)
    rate(cast, cast.other_rater, {"answer": {"text": "Something else."}}, texts=())
    erasure.erase(rater=cast.rater)
    cast.rater.refresh_from_db()
    after = snapshots.freeze(campaign=cast.campaign)
    assert [says(one, SECRET) for one in (holds, after)] == [True, False]
    assert remains.find(cast.rater).snapshots == [holds]


def test_a_prompt_of_theirs_is_found_in_snapshots_and_in_what_jobs_were_given() -> None:
    cast = make_cast(parts=PROMPT)
    rate(cast, cast.rater, {"prompt": {"category": "open_qa", "text": SECRET}}, texts=())
    written = Prompt.objects.get(source="written")
    cast.campaign.question.parts = PAIR
    cast.campaign.question.save()
    iteration = cast.campaign.iterations.get()
    ComparisonFactory(campaign=cast.campaign, iteration=iteration, prompt=written)
    answer_card(cast.other_rater, cast.campaign, "0:better")
    holds = snapshots.freeze(campaign=cast.campaign)
    asked, trained = (
        job(cast, given)
        for given in (runs.prompts_input(iteration), jobs.input_of_snapshot("snapshot", holds))
    )
    erasure.erase(rater=cast.rater)
    cast.rater.refresh_from_db()
    job(cast, jobs.input_of_snapshot("snapshot", snapshots.freeze(campaign=cast.campaign)))
    found = remains.find(cast.rater)
    assert (found.snapshots, found.jobs) == ([holds], [asked, trained])


def job(cast: Cast, given: dict[str, Any]) -> Job:
    return jobs.submit(project=cast.project, kind="train", config={}, inputs=[given])


def test_who_wrote_nothing_left_nothing(cast: Cast) -> None:
    ComparisonFactory(campaign=cast.campaign)
    answer_card(cast.rater, cast.campaign, "0:better")
    snapshots.freeze(campaign=cast.campaign)
    erasure.erase(rater=cast.rater)
    cast.rater.refresh_from_db()
    assert remains.find(cast.rater) == remains.Remains()


def test_what_cannot_be_read_any_more_is_not_taken_for_clean(tmp_path: Path) -> None:
    cast = make_cast(parts=EDIT)
    rate(cast, cast.rater, edited(SECRET))
    gone = snapshots.freeze(campaign=cast.campaign)
    for path in tmp_path.rglob("preferences.jsonl"):
        path.unlink()
    erasure.erase(rater=cast.rater)
    cast.rater.refresh_from_db()
    found = remains.find(cast.rater)
    assert (found.snapshots, found.unread) == ([], [f"snapshot {gone.sha256}"])


def test_a_card_with_an_erased_text_says_nothing_in_the_figures() -> None:
    """What was judged there is not to be seen any more: neither their edit's card nor their
    prompt's."""
    cast = make_cast(parts=EDIT)
    rate(cast, cast.rater, edited(SECRET))
    rate(cast, cast.other_rater, edited("An answer by somebody else."))
    before = quality_job.reports(cast.campaign)["person"]["labels"]
    erased = Completion.objects.get(text=SECRET)
    shown = ComparisonFactory(campaign=cast.campaign, iteration=cast.campaign.iterations.first())
    shown.items.filter(position=0).update(completion=erased)
    card = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert card is not None
    assert card.comparison_id == shown.pk
    parts = edited("Yet another one.")
    labels.record_label(assignment=card, parts=parts, idempotency_key=uuid.uuid4())
    assert quality_job.reports(cast.campaign)["person"]["labels"] == before + 1
    erasure.erase(rater=cast.rater)
    assert quality_job.reports(cast.campaign)["person"]["labels"] == before
