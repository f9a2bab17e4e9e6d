"""A campaign of any size by bulk inserts, counters and all: what the benchmarks and the
durability tests rate. Through the services, 50,000 comparisons would take minutes.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.utils import timezone

from annotate.bench import growth
from labeling import presets, rendering
from labeling.iterations import Plan
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    GuidelineVersion,
    Iteration,
    Label,
    Membership,
    Prompt,
    PromptSet,
    QuestionVersion,
    Seat,
    User,
)
from models_runtime.models import Checkpoint, Project
from models_runtime.records import STRENGTHS

SLUG = "measured"
PASSWORD = "correct horse battery"  # of accounts that exist in a temporary database alone
CAREFUL = 0.4  # share of answers that say which text is better; the others are drawn
PAIRS_A_PROMPT = 6  # all pairs of four completions
SENTENCES = (
    "The answer is short because a longer one would not help. ",
    "First **measure** it, then decide what matters. ",
    "Water boils at `100 C` at sea level, and lower down the pot salt dissolves in small steps. ",
    "Nobody has to know that by heart; a table will do. ",
)


@dataclass(frozen=True)
class Shape:
    """``answered``: share of the comparisons that have all their labels, by the first
    ``answering`` raters in turn (0: all of them). ``half_answered``: how many of the rest the
    first rater alone has answered (overlap 2). ``times``: how often all that is there, besides
    prompts and completions (see growth); ``days``: over how many its labels were given."""

    comparisons: int
    raters: int = 16
    overlap: int = 1
    answered: float = 0.0
    answering: int = 0
    half_answered: int = 0
    times: int = 1
    days: int = 0
    lease_seconds: int = 1800


def build(shape: Shape) -> Campaign:
    """The campaign SLUG, open and collecting, with raters ``rater0``, ``rater1``, ..."""
    with transaction.atomic():
        campaign = _campaign(shape.lease_seconds)
        raters = _raters(campaign.project, shape.raters)
        iteration = _iteration(campaign, shape)
        comparisons = _comparisons(iteration, shape)
        by = _answer(comparisons, raters[: shape.answering or None], shape)
        _seats(campaign, by)
        Iteration.objects.filter(pk=iteration.pk).update(labels_people=len(by))
    if shape.times > 1:
        growth.grow(campaign, shape.times, shape.days)
    return campaign


def store(model: type[models.Model], rows: Iterable[Any]) -> list[Any]:
    """Bulk insert in the order given; the rows with their ids."""
    return list(model._default_manager.bulk_create(list(rows), batch_size=400))


def _campaign(lease_seconds: int) -> Campaign:
    project = Project.objects.create(slug=SLUG, name="Measured")
    campaign = Campaign.objects.create(
        project=project,
        slug=SLUG,
        name="Measured",
        state="open",
        lease_seconds=lease_seconds,
        first_policy=Checkpoint.objects.create(
            project=project, name="none", kind="policy", uri="file:///nowhere", sha256="0" * 64
        ),
    )
    preset = presets.PRESETS["llama2"]
    campaign.question = QuestionVersion.objects.create(
        campaign=campaign, number=1, text=preset.question, parts=preset.parts
    )
    campaign.guideline = GuidelineVersion.objects.create(
        campaign=campaign, number=1, markdown="Prefer what is **right** and kind."
    )
    campaign.save(update_fields=["question", "guideline"])
    return campaign


def _raters(project: Project, number: int) -> list[User]:
    password = make_password(PASSWORD)
    users = store(User, (User(username=f"rater{n}", password=password) for n in range(number)))
    store(Membership, (Membership(user=user, project=project, role="rater") for user in users))
    return users


def _iteration(campaign: Campaign, shape: Shape) -> Iteration:
    target = shape.comparisons * shape.overlap
    plan = asdict(Plan(comparisons=shape.comparisons, target_labels=target))
    return Iteration.objects.create(
        campaign=campaign,
        number=1,
        state="collecting",
        plan=plan,
        policy=campaign.first_policy,  # type: ignore[misc]  # every scene's has one
    )


def texts_with_html(draw: random.Random, number: int) -> list[tuple[str, str]]:
    """Texts of 2 to 12 sentences with their HTML."""
    drawn = ("".join(draw.choices(SENTENCES, k=draw.randint(2, 12))) for _ in range(number))
    return [(text, rendering.render(text)) for text in drawn]


def _comparisons(iteration: Iteration, shape: Shape) -> list[Comparison]:
    draw = random.Random(0)
    completions = _completions(iteration.campaign, -(-shape.comparisons // PAIRS_A_PROMPT))
    pairs = list(islice(_pairs(completions), shape.comparisons))
    comparisons = store(
        Comparison,
        (
            Comparison(
                campaign=iteration.campaign,
                iteration=iteration,
                prompt_id=left.prompt_id,
                overlap=shape.overlap,
                slots_left=shape.overlap,
                shuffle=draw.randrange(2**31),
                fold="policy",
                strategy="random",
            )
            for left, _ in pairs
        ),
    )
    store(
        ComparisonCompletion,
        (
            ComparisonCompletion(comparison=comparison, completion=side, position=position)
            for comparison, pair in zip(comparisons, pairs, strict=True)
            for position, side in enumerate(pair)
        ),
    )
    for comparison, pair in zip(comparisons, pairs, strict=True):
        comparison.sides = [side.pk for side in pair]
    return comparisons


def _completions(campaign: Campaign, prompts: int) -> list[list[Completion]]:
    """Four for each of so many prompts."""
    texts = texts_with_html(random.Random(1), 60)
    prompt_set = PromptSet.objects.create(
        project=campaign.project, campaign=campaign, name="Measured"
    )
    asked = store(Prompt, (prompt_row(prompt_set, n) for n in range(prompts)))
    written = store(
        Completion,
        (
            completion_row(prompt, *texts[(4 * prompt.pk + n) % len(texts)])
            for prompt in asked
            for n in range(4)
        ),
    )
    return [written[start : start + 4] for start in range(0, len(written), 4)]


def prompt_row(prompt_set: PromptSet, number: int) -> Prompt:
    text = f"Question {number}: what happens to salt in water, and why?"
    return Prompt(
        prompt_set=prompt_set,
        messages=[{"role": "user", "content": text}],
        messages_sha256=sha256(text),
        item=f"item-{number}",
    )


def completion_row(prompt: Prompt, text: str, html: str) -> Completion:
    return Completion(
        prompt=prompt,
        text=text,
        text_sha256=sha256(text),
        html=html,
        renderer=rendering.RENDERER,
        finish_reason="eos",
    )


def _pairs(by_prompt: list[list[Completion]]) -> Iterator[tuple[Completion, Completion]]:
    for four in by_prompt:
        for place, left in enumerate(four):
            yield from ((left, right) for right in four[place + 1 :])


def _answer(
    comparisons: list[Comparison], raters: list[User], shape: Shape
) -> list[tuple[Comparison, User]]:
    """Labels for the shape's share of the comparisons, and counters to go with them."""
    whole = int(len(comparisons) * shape.answered)
    full, rest = comparisons[:whole], comparisons[whole:]
    half = sorted(rest, key=lambda row: (row.shuffle, row.pk))[: shape.half_answered]
    by = [
        (comparison, raters[(number + occasion) % len(raters)])
        for number, comparison in enumerate(full)
        for occasion in range(shape.overlap)
    ]
    by += [(comparison, raters[0]) for comparison in half]
    _label(by, shape.days, shape.days / shape.times)
    state = {"state": "complete", "slots_left": 0, "counted": shape.overlap}
    _set([row.pk for row in full], **state)
    _set([row.pk for row in half], slots_left=shape.overlap - 1, counted=1)
    return by


def _seats(campaign: Campaign, by: list[tuple[Comparison, User]]) -> None:
    answers = Counter(rater.pk for _, rater in by)
    store(
        Seat,
        (
            Seat(rater_id=rater, campaign=campaign, answered=answered)
            for rater, answered in answers.items()
        ),
    )


def _set(ids: list[int], **values: Any) -> None:
    for start in range(0, len(ids), 500):
        Comparison.objects.filter(pk__in=ids[start : start + 500]).update(**values)


def _label(by: list[tuple[Comparison, User]], since: float, during: float) -> None:
    """One after the other: the first so many days ago, all within ``during`` days of it."""
    begun = timezone.now() - timedelta(days=since)
    step = timedelta(days=during) / max(len(by), 1)
    moments = [begun + step * place for place in range(len(by))]
    assignments = store(
        Assignment,
        (
            Assignment(
                comparison=comparison,
                rater=rater,
                campaign_id=comparison.campaign_id,
                state="submitted",
                order=comparison.sides,  # type: ignore[attr-defined]
                leased_until=at + timedelta(hours=1),
                submitted_at=at,
            )
            for (comparison, rater), at in zip(by, moments, strict=True)
        ),
    )
    question = by[0][0].campaign.question if by else None
    store(Label, (_label_of(assignment, question) for assignment in assignments))


def _label_of(assignment: Assignment, question: Any) -> Label:
    """Of steps and sides as raters take them, by the card's place."""
    draw = random.Random(assignment.pk)
    order = draw.sample(assignment.order, 2)
    part = {"type": "pairwise", "outcome": "prefer", "chosen": order[0], "rejected": order[1]}
    if draw.random() < CAREFUL:  # the first text is the better one to whoever looks closely
        part = {**part, "chosen": min(order), "rejected": max(order)}
    assert assignment.submitted_at is not None
    return Label(
        assignment=assignment,
        comparison=assignment.comparison,
        rater=assignment.rater,
        question_version=question,
        source="person",
        order=order,
        active_ms=draw.randrange(4_000, 90_000),
        idempotency_key=uuid.uuid4(),
        body_sha256="0" * 64,
        answer={"v": 1, "parts": {"preference": {**part, "strength": draw.choice(STRENGTHS)}}},
        created_at=assignment.submitted_at,
    )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
