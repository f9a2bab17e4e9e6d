"""What a run trains on is chosen by command or by form: filters, and a weighted mixture; what was
left out, what repeats and what was drawn is told with the run."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from annotate import omissions
from labeling.models import Campaign, Iteration, Snapshot
from models_runtime.models import Job, Project
from tests.factories import CampaignFactory, Cast, CheckpointFactory, IterationFactory
from training.models import TrainingRun
from training.runs import start_run

pytestmark = pytest.mark.django_db
FORM = "/campaigns/helpful/1/runs/odpo/"


def snapshot_of(campaign: Campaign, name: str, **counts: Any) -> Snapshot:
    return Snapshot.objects.create(
        project=campaign.project,
        campaign=campaign,
        sha256=name.ljust(64, "0"),
        uri=f"file:///nowhere/{name}",
        counts={"comparisons": {"kept": 12}, **counts},
    )


@pytest.fixture
def iteration(cast: Cast) -> Iteration:
    made: Iteration = IterationFactory(
        campaign=cast.campaign,
        policy=CheckpointFactory(project=cast.campaign.project),
        snapshot=snapshot_of(cast.campaign, "own"),
        state="review",
        number=1,
    )
    return made


@pytest.fixture
def other(cast: Cast) -> Snapshot:
    campaign = CampaignFactory(project=cast.campaign.project, slug="other", name="Other")
    return snapshot_of(campaign, "other")


@pytest.fixture
def imported(cast: Cast) -> Snapshot:
    return snapshot_of(cast.campaign, "hh", imported={"name": "hh.jsonl", "licence": "MIT"})


def train(*told: str) -> str:
    said = StringIO()
    call_command("train", "odpo", *told, stdout=said)
    return said.getvalue()


def named(*snapshots: tuple[Snapshot, float]) -> list[str]:
    return [part for one, w in snapshots for part in ("--snapshot", f"{one.pk}={w}")]


def drawn(page: Any) -> dict[str, Any]:
    """The method's own options, as the form shows them."""
    shown = {field.name: field.value() for field in page.context["form"]}
    sent = {name: v for name, v in shown.items() if v is not None and v is not False}
    return {name: "on" if v is True else v for name, v in sent.items()}


def test_a_mixture_is_given_to_the_job_with_its_weights(
    iteration: Iteration, other: Snapshot, imported: Snapshot
) -> None:
    own = iteration.snapshot
    assert own is not None
    train(*named((imported, 0.5), (own, 2), (other, 1)))
    run = TrainingRun.objects.get()
    assert run.snapshot == own
    assert [(part.snapshot, part.weight) for part in run.parts.all()] == [
        (own, 2.0),
        (imported, 0.5),
        (other, 1.0),
    ]
    assert run.job.config["mixture"] == [
        {"input": "snapshot", "number": own.pk, "weight": 2.0, "own": True},
        {"input": "snapshot-2", "number": imported.pk, "weight": 0.5, "own": False},
        {"input": "snapshot-3", "number": other.pk, "weight": 1.0, "own": False},
    ]
    given = {row["name"]: row["uri"] for row in run.job.inputs}
    assert given["snapshot-2"] == imported.uri
    assert given["snapshot-3"] == other.uri


def test_the_jobs_page_lists_a_mixture_setting_by_setting(
    cast: Cast, client: Client, iteration: Iteration, other: Snapshot
) -> None:
    assert iteration.snapshot is not None
    train(*named((iteration.snapshot, 2), (other, 1)))
    client.force_login(cast.researcher)
    page = client.get(f"/jobs/{TrainingRun.objects.get().job_id}/")
    told = dict(page.context["config"])
    assert (told["mixture.2.number"], told["mixture.2.weight"]) == (other.pk, 1.0)
    assert "{&#x27;" not in page.content.decode()


def test_one_snapshot_is_no_mixture(iteration: Iteration) -> None:
    assert iteration.snapshot is not None
    train("--snapshot", str(iteration.snapshot.pk))
    run = TrainingRun.objects.get()
    assert not run.parts.exists()
    assert [part["input"] for part in run.job.config["mixture"]] == ["snapshot"]


def test_filters_are_kept_with_the_run_and_told_to_its_job(iteration: Iteration) -> None:
    assert iteration.snapshot is not None
    told = ("least_agreement=.7", "tags=safety", "duplicates=drop")
    asked = [part for one in told for part in ("--filter", one)]
    train("--snapshot", str(iteration.snapshot.pk), *asked)
    run = TrainingRun.objects.get()
    filters = run.job.config["select"]["filters"]
    assert run.select["filters"] == filters
    assert filters["least_agreement"] == 0.7
    assert (filters["tags"], filters["duplicates"], filters["since"]) == ("safety", "drop", "")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--snapshot", "OWN=0"], "must be above 0"),
        (["--snapshot", "OWN=much"], "Write --snapshot ID or ID=WEIGHT"),
        (["--snapshot", "OWN", "--snapshot", "OWN=2"], "names each snapshot once"),
        (["--snapshot", "OWN", "--snapshot", "FOREIGN"], "belongs to another project"),
        (["--snapshot", "OTHER"], "was frozen for no iteration"),
        (
            ["--snapshot", "OWN", "--filter", "tags"],
            "Write --filter NAME=VALUE, not --filter tags",
        ),
        (["--snapshot", "OWN", "--filter", "colour=red"], "no option named 'colour'"),
        (["--snapshot", "OWN", "--filter", "since=today"], "A day is written as"),
    ],
)
def test_what_means_nothing_is_refused_and_leaves_nothing(
    iteration: Iteration, other: Snapshot, told: list[str], words: str
) -> None:
    away = CampaignFactory(project=Project.objects.create(name="Away", slug="away"), slug="away")
    numbers = {
        "OWN": iteration.snapshot,
        "OTHER": other,
        "FOREIGN": snapshot_of(away, "foreign"),
    }
    for word, snapshot in numbers.items():
        told = [part.replace(word, str(snapshot.pk)) for part in told]  # type: ignore[union-attr]
    with pytest.raises(CommandError) as caught:
        train(*told)
    assert words in str(caught.value)
    assert not TrainingRun.objects.exists()
    assert not Job.objects.exists()


def test_a_judge_learns_from_nothing_but_its_iteration(
    iteration: Iteration, other: Snapshot
) -> None:
    both = [(iteration.snapshot, 1.0), (other, 1.0)]
    with pytest.raises(ValueError, match="labels of its iteration alone"):
        start_run(iteration=iteration, role="judge", method="reward", mixture=both)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must hold the snapshot that the iteration"):
        start_run(iteration=iteration, role="policy", method="odpo", mixture=both[1:])  # type: ignore[arg-type]


def test_the_form_offers_what_can_be_mixed_and_starts_it(
    client: Client, cast: Cast, iteration: Iteration, other: Snapshot, imported: Snapshot
) -> None:
    away = CampaignFactory(project=Project.objects.create(name="Away", slug="away"), slug="away")
    foreign = snapshot_of(away, "foreign")
    client.force_login(cast.researcher)
    page = client.get(FORM)
    body = page.content.decode()
    assert f"Other: 12 comparisons (snapshot {other.pk})" in body
    assert f"hh.jsonl, imported: 12 comparisons (snapshot {imported.pk})" in body
    assert f"weight_{foreign.pk}" not in body
    data = {f"weight_{imported.pk}": "0.25", "least_strength": "better", "since": "2026-01-31"}
    assert client.post(FORM, {**drawn(page), **data}).status_code == 302
    run = TrainingRun.objects.get()
    assert [(part.snapshot_id, part.weight) for part in run.parts.all()] == [
        (iteration.snapshot_id, 1.0),
        (imported.pk, 0.25),
    ]
    assert run.select["filters"]["least_strength"] == "better"
    assert run.select["filters"]["since"] == "2026-01-31"
    assert f"run-{run.pk}</a>" in client.get(f"/snapshots/{imported.pk}/").content.decode()
    assert f"/snapshots/{imported.pk}/" in client.get(f"/jobs/{run.job_id}/").content.decode()
    made = CheckpointFactory(project=cast.campaign.project)
    TrainingRun.objects.update(output=made)
    lineage = client.get(f"/checkpoints/{made.pk}/").content.decode()
    assert f"/snapshots/{iteration.snapshot_id}/" in lineage
    assert f"/snapshots/{imported.pk}/" in lineage


def test_a_filter_that_means_nothing_is_said_in_the_form(
    client: Client, cast: Cast, iteration: Iteration
) -> None:
    client.force_login(cast.researcher)
    page = client.post(FORM, {**drawn(client.get(FORM)), "since": "31.1.2026"})
    assert page.status_code == 400
    assert "A day is written as 2026-01-31" in page.content.decode()
    assert not TrainingRun.objects.exists()


def test_an_imported_sets_page_says_that_nobody_here_gave_its_labels(
    client: Client, cast: Cast, imported: Snapshot
) -> None:
    client.force_login(cast.researcher)
    body = client.get(f"/snapshots/{imported.pk}/").content.decode()
    assert "Imported from hh.jsonl: none of these preferences was given here" in body
    assert "labels.jsonl" not in body


def test_what_was_filtered_repeated_and_drawn_is_told() -> None:
    drawn = [{"snapshot": 3, "weight": 0.5, "rows": 1200, "drawn": 400}]
    result = {"dropped": {"too little agreement": 7}, "repeated": 1, "mixture": drawn}
    assert omissions.of(result) == [
        "7 left out (too few labels agree).",
        "1 row repeats the prompt and the answers of another and was kept.",
        "Of snapshot 3, 400 of 1,200 rows drawn (weight 0.5).",
    ]
