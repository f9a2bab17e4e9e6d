"""The row job that counts how good a campaign's labels are, and where its newest result lies.

Its memory grows with what the labels say in numbers, and never with their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Length

from labeling import (
    accepted,
    checks,
    consistency,
    groups,
    quality,
    seats,
    similarity,
    snapshots,
    written,
)
from labeling.agreement import wilson
from labeling.judgements import SOURCES
from labeling.measures import Said
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    ComparisonCompletion,
    Label,
    RaterText,
    User,
)
from labeling.questions import Parts
from labeling.statistics.biases import binomial
from labeling.statistics.estimates import Estimate, undefined
from models_runtime import jobs
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.models import Job
from models_runtime.phrases import phrase
from models_runtime.records import Progress

CALL = "quality"
CHUNK = 5_000
LENGTHS = 200_000  # completions whose lengths are looked at, the newest
FIRST, AGAIN = 100, 1.25  # answers before accuracies are first counted, and how many times more
NO_GOLD = phrase("No gold was answered.")
UNDER_WAY = ("queued", "running")


def run(job: JobDir) -> None:
    """The row job "quality": config {"campaign": id}."""
    config = job.spec()["config"]
    campaign = Campaign.objects.filter(pk=config["campaign"]).select_related("question").first()
    if campaign is None:
        raise BadInput(phrase("There is no campaign %(pk)s.", pk=str(config["campaign"])))
    with snapshots.consistent_read():
        found = reports(campaign, lambda done: _tell(job, done))
    learn(campaign, found)
    job.finish(found)


def learn(campaign: Campaign, found: dict[str, Any]) -> None:
    """Tell each seat how often its rater is right: what adaptive overlap weighs votes by."""
    known = {
        row["rater"]: row["accuracy"]["value"] for one in found.values() for row in one["raters"]
    }
    seats.learn(campaign, known)


def start_due() -> int:
    """Count anew where beliefs decide who is asked and a quarter more answers came since the last
    count. Returns how many counts were begun."""
    rows = Campaign.objects.filter(state="open", more_rule="belief")
    return sum(start(campaign, None) is not None for campaign in rows if _is_due(campaign))


def _is_due(campaign: Campaign) -> bool:
    last = newest(campaign)
    if last is not None and last.state != "succeeded":
        return False  # under way, or failed, which a person looks at first
    before = sum(one["labels"] for one in last.result.values()) if last else 0
    answered = seats.answers(campaign)
    return answered >= FIRST and answered >= AGAIN * before


def reports(campaign: Campaign, told: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """quality.report of each kind of rater that has labelled, by its name."""
    lengths, alike = dict(_lengths(campaign)), similarity.of_cards(campaign)
    members = groups.raters_of(campaign.project)
    done = 0
    found: dict[str, Any] = {}

    def counted(rows: Iterator[Said]) -> Iterator[Said]:
        nonlocal done
        for said in rows:
            yield said
            done += 1
            if done % CHUNK == 0:
                told(done)

    for source in SOURCES:
        said = counted(_said(campaign, source))
        one = quality.report(said, _parts(campaign), lengths, members, alike)
        if one["labels"]:
            _check(campaign, source, one)
            found[source] = one
    return found


def _check(campaign: Campaign, source: str, one: dict[str, Any]) -> None:
    """Say of each rater in the report how they do on gold and on their own cards shown again."""
    scores = checks.gold_scores(campaign, source)
    pairs = checks.repeats(campaign, source)
    again = consistency.of_raters(pairs, _parts(campaign), one["judged_by"])
    skipped = _skipped(campaign, source)
    for row in one["raters"]:
        skips = skipped.get(row["rater"], 0)
        row["skipped"] = asdict(binomial(skips, skips + row["labels"]).share)
        score = scores.get(row["rater"])
        row["gold"] = asdict(_share(score) if score else undefined(NO_GOLD))
        row["again"] = asdict(again.get(row["rater"], consistency.NEVER))


def _skipped(campaign: Campaign, source: str) -> dict[int, int]:
    """How many cards of the campaign's work each rater of this kind has passed over."""
    rows = Assignment.objects.filter(
        campaign=campaign,
        state="skipped",
        occasion=0,
        rater__kind=source,
        comparison__purpose="work",
    )
    return dict(rows.order_by().values_list("rater").annotate(n=Count("pk")))


def _share(score: checks.Score) -> Estimate:
    low, high = wilson(score.right, score.n)
    return Estimate(score.right / score.n, low, high, score.n)


def report(campaign: Campaign, source: str, only: int | None = None) -> dict[str, Any]:
    """quality.report of one kind of rater, of all iterations or of the one numbered ``only``."""
    lengths, alike = dict(_lengths(campaign)), similarity.of_cards(campaign)
    said = _said(campaign, source, only)
    one = quality.report(said, _parts(campaign), lengths, similarity=alike)
    if only is None and one["labels"]:
        _check(campaign, source, one)
    return one


def _parts(campaign: Campaign) -> Parts:
    return campaign.question.parts if campaign.question else {}


def start(campaign: Campaign, actor: User | None) -> Job | None:
    """A job that counts anew; None while one is under way."""
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        if _rows(campaign).filter(state__in=UNDER_WAY).exists():
            return None
        return jobs.submit(
            project=campaign.project,
            kind="row",
            queue="default",
            config={"call": CALL, "campaign": campaign.pk},
            actor=actor,
        )


def newest(campaign: Campaign) -> Job | None:
    """The last job of the campaign's, whatever became of it."""
    return _rows(campaign).order_by("-id").first()


def counted(campaign: Campaign) -> Job | None:
    """The last that was finished: its result holds the reports."""
    return _rows(campaign).filter(state="succeeded").order_by("-id").first()


def _rows(campaign: Campaign) -> QuerySet[Job]:
    return Job.objects.filter(
        project=campaign.project_id, kind="row", config__call=CALL, config__campaign=campaign.pk
    )


def _tell(job: JobDir, done: int) -> None:
    job.check_stop()
    job.progress(Progress(done, 0, "labels"))


def _said(campaign: Campaign, source: str, only: int | None = None) -> Iterator[Said]:
    """Accepted labels of one kind of rater, but of cards of which a text was erased: what was
    seen there is not to be seen any more."""
    gone = _with_erased_text(campaign)
    scope = {} if only is None else {"comparison__iteration__number": only}
    rows = Label.objects.filter(
        accepted.rule(), **scope, comparison__campaign=campaign, source=source
    ).exclude(comparison__state="discarded")
    said = rows.values_list(
        "comparison_id",
        "comparison__prompt_id",
        "rater_id",
        "answer",
        "order",
        "active_ms",
        "created_at",
        "question_version__trains_on",
        "guideline_version__number",
    )
    for comparison, prompt, rater, answer, order, active_ms, at, asks, told in said.iterator(
        CHUNK
    ):
        if comparison in gone:
            continue
        parts, turned = answer.get("parts", {}), asks == "rejected"
        yield Said(comparison, prompt, rater, parts, order, active_ms, at, turned, told or 0)


def _with_erased_text(campaign: Campaign) -> set[int]:
    """Comparisons of which a completion, or the prompt, was a person's who had it erased."""
    cards = Comparison.objects.filter(campaign=campaign)
    written_by = cards.filter(completions__source=written.SOURCE, completions__text="")
    erased = RaterText.objects.filter(erased_at__isnull=False, prompt__isnull=False)
    asked = cards.filter(prompt__in=erased.values("prompt"))
    return {*written_by.values_list("pk", flat=True), *asked.values_list("pk", flat=True)}


def _lengths(campaign: Campaign) -> Iterator[tuple[int, int]]:
    rows = ComparisonCompletion.objects.filter(comparison__campaign=campaign)
    newest_first = rows.order_by("-completion_id").annotate(length=Length("completion__text"))
    yield from newest_first.values_list("completion_id", "length")[:LENGTHS].iterator(CHUNK)
