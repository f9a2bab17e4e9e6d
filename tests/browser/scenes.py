"""Rows for pages that are looked at: readable prompts and answers, an iteration in full."""

from __future__ import annotations

import math
import random
import uuid
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from labeling import iterations, labels, leases, rendering, snapshots
from labeling.models import Completion, Iteration, Prompt, SamplingBatch, User
from models_runtime.models import Job, MetricChunk
from tests.factories import (
    Cast,
    CheckpointFactory,
    IterationFactory,
    MembershipFactory,
    PromptFactory,
    PromptSetFactory,
    make_cast,
    open_comparisons,
)
from tests.rating import held_for
from training.models import Evaluation, TrainingRun

SKY = (
    "My 4-year-old asks why the sky is blue. How do I explain it so that it is true but not a "
    "lecture? One or two sentences I can really say at bedtime."
)
KIND = (
    "“Sunlight looks white, but it is secretly made of all the colours of the rainbow. When it "
    "comes through the air, the blue part bounces around the most, so wherever you look up, a "
    "little bit of blue is bouncing into your eyes.”\n\nIf she asks why sunsets are red: the "
    "light has to travel through so much air that nearly all the blue has bounced away."
)
LECTURE = (
    "The sky is blue because of a phenomenon called **Rayleigh scattering**, in which the "
    "intensity of scattered light is inversely proportional to the fourth power of the "
    "wavelength:\n\n```\nI ∝ 1 / λ⁴\n```\n\nSince blue light has a shorter wavelength than red "
    "light, it is scattered more strongly by the molecules of the atmosphere."
)
GUIDE = """## What makes an answer better

1. **True** before everything else.
2. **Useful** to the person who asked: can they act on it?
3. *Kind*, without flattery.

> When two answers are equally good, say so by a *negligible* preference.

- Length is no merit. A short answer that helps wins.
- Code must run; `sorted(x)[-1]` is not `max(x)` on an empty list.
"""
UNITS = {"row": "labels", "sample": "completions"}
STEPS = ("significantly", "better", "slightly", "negligibly")


def rating_scene(size: int = 90) -> Cast:
    """A campaign with one readable comparison first in the queue, and ``size`` others."""
    cast = make_cast()
    cast.campaign.name = "Helpfulness, round 3"
    cast.campaign.demo_world = True
    cast.campaign.save()
    cast.campaign.guideline.markdown = GUIDE
    cast.campaign.guideline.save()
    prompts = PromptSetFactory(campaign=cast.campaign)
    sky = PromptFactory(prompt_set=prompts, messages=[{"role": "user", "content": SKY}])
    first = open_comparisons(cast.campaign, 1, prompt=sky, priority=5, texts=(KIND, LECTURE))[0]
    for completion in first.completions.all():
        _render(completion)
    open_comparisons(cast.campaign, size, overlap=2)
    return cast


def labelled_scene(size: int = 90) -> Cast:
    """The same with labels by two people and a simulated rater, and two jobs."""
    cast = rating_scene(size)
    draw = random.Random(7)
    robot = MembershipFactory(
        user__username="simulated-1", user__kind="simulated", project=cast.project
    ).user
    for rater, share in ((cast.rater, 0.78), (cast.other_rater, 0.67), (robot, 0.28)):
        _label(cast, rater, round(share * size), draw)
    iteration = cast.campaign.iterations.get()
    _job(cast, "row", "running", config={"campaign": cast.campaign.pk}, done=25, total=500)
    sampling = _job(cast, "sample", "succeeded", done=160, total=160)
    rows = [{"checkpoint": iteration.policy_id, "k": 4, "temperature": 0.8}]
    batch = SamplingBatch.objects.create(
        iteration=iteration, job=sampling, samplers=rows, ingested_at=timezone.now()
    )
    Completion.objects.update(batch=batch, sampler_index=F("pk"))
    heldout = Prompt.objects.order_by("-pk")[: round(0.15 * size)]
    Prompt.objects.filter(pk__in=[prompt.pk for prompt in heldout]).update(split="heldout")
    return cast


def while_others_rate(cast: Cast, count: int) -> None:
    """The rater's first card stays open while the other rater answers."""
    leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    _label(cast, cast.other_rater, count, random.Random(7))


def review_scene(size: int = 90) -> Cast:
    """Two promoted iterations, and a third one with runs, figures and a candidate to decide on."""
    cast = labelled_scene(size)
    campaign = cast.campaign
    current = campaign.iterations.get()
    Iteration.objects.filter(pk=current.pk).update(number=3)
    for number, rate in ((1, 0.645), (2, 0.853)):
        policy = iterations.current_policy(campaign)
        past = IterationFactory(campaign=campaign, number=number, state="review", policy=policy)
        evaluated(cast, past, f"policy-{number}", rate)
        iterations.promote(
            iteration=past,
            checkpoint=past.evaluations.get().checkpoint,
            actor=cast.researcher,
            reason="wins clearly",
        )
    current.refresh_from_db()
    current.policy = campaign.promotions.order_by("-id").first().checkpoint
    current.snapshot = snapshots.freeze(campaign=campaign, iteration=current)
    current.save()
    for to in ("training", "evaluating", "review"):
        iterations.advance(current, to)
    reward = _run(cast, current, "reward_model", "reward", "succeeded")
    reward.job.result = {"metrics": {"accuracy": 0.718}}
    reward.job.save()
    _run(cast, current, "judge", "reward", "succeeded")
    evaluated(cast, current, "policy-3", 0.915)
    _run(cast, current, "policy", "dpo", "running")
    return cast


def _render(completion: Completion) -> None:
    completion.html = rendering.render(completion.text)
    completion.renderer = rendering.RENDERER
    completion.save()


def _label(cast: Cast, rater: User, count: int, draw: random.Random) -> None:
    """Answers that prefer the earlier completion six times in seven."""
    now = timezone.now()
    for number in range(count):
        assignment = leases.claim_next(rater=rater, campaign=cast.campaign)
        if assignment is None:
            return
        side = int((draw.random() < 0.86) == (assignment.order[0] > assignment.order[1]))
        labels.record_label(
            assignment=held_for(assignment, hours=4),
            parts={"preference": {"choice": f"{side}:{draw.choice(STEPS)}"}},
            idempotency_key=uuid.UUID(int=draw.getrandbits(128)),
            active_ms=draw.randint(8_000, 70_000),
            now=now - timedelta(seconds=20 * (count - number)),
        )


def _job(cast: Cast, kind: str, state: str, *, done: int = 0, total: int = 0, **row: Any) -> Job:
    now = timezone.now()
    finished = None if state in ("queued", "running") else now - timedelta(minutes=2)
    return Job.objects.create(
        project=cast.project,
        kind=kind,
        state=state,
        attempt=1,
        started_at=now - timedelta(minutes=9),
        finished_at=finished,
        cpu_seconds=18.4,
        progress={"done": done, "total": total, "unit": UNITS.get(kind, "steps")} if total else {},
        **row,
    )


def _run(cast: Cast, iteration: Iteration, role: str, method: str, state: str) -> TrainingRun:
    job = _job(cast, "train", state, done=41, total=100, config={"method": method})
    draw = random.Random(job.pk)
    rows = [
        {
            "step": step,
            "loss": 0.69 * math.exp(-step / 50) + draw.uniform(0.02, 0.06),
            "rewards/margins": 1.6 * (1 - math.exp(-step / 40)) + draw.uniform(-0.1, 0.1),
            "rewards/accuracies": 0.5 + 0.35 * (1 - math.exp(-step / 30)) + draw.uniform(0, 0.05),
            "kl": step / 18 + draw.uniform(0, 0.3),
            "learning_rate": 1e-3 * (1 - step / 100),
        }
        for step in range(1, 101)
    ]
    MetricChunk.objects.create(job=job, attempt=1, offset=0, from_step=1, to_step=100, rows=rows)
    return TrainingRun.objects.create(
        project=cast.project,
        campaign=cast.campaign,
        iteration=iteration,
        role=role,
        method=method,
        snapshot=iteration.snapshot or snapshots.freeze(campaign=cast.campaign),
        job=job,
    )


def evaluated(cast: Cast, iteration: Iteration, name: str, rate: float) -> None:
    run = _run(cast, iteration, "policy", "raft", "succeeded")
    run.output = CheckpointFactory(
        project=cast.project, name=name, parent=iteration.policy, job=run.job, bytes=1_040_000
    )
    run.save()
    Evaluation.objects.create(
        project=cast.project,
        iteration=iteration,
        run=run,
        checkpoint=run.output,
        job=_job(cast, "evaluate", "succeeded"),
        result=_result(rate),
    )


def _result(rate: float) -> dict[str, Any]:
    """An evaluate job's result with this win rate."""
    wins = {
        "win_rate": rate, "win_rate_low": rate - 0.045, "win_rate_high": min(1.0, rate + 0.04),
        "proxy_win_rate": min(0.99, rate + 0.04), "tie_rate": 0.02, "pairs": 1200,
    }  # fmt: skip
    first = {"valid_text": 0.981, "mean_length": 21.4, "facts_right": 0.52,
             "facts_right_low": 0.44, "kl": 0.0, "duplicates": 0.11}  # fmt: skip
    candidate = {**first, "kl": 6.1, "mean_length": 27.2, "facts_right": 0.57, "valid_text": 0.987}
    guards = [
        ("valid_text", 0.987, 0.95), ("kl", 6.1, 25.0), ("length_growth", 1.27, 2.0),
        ("duplicates", 0.14, 0.5),
    ]  # fmt: skip
    panel = [
        {
            "messages": [{"role": "user", "content": question}],
            "first": "Water boils at 100 degrees. Why do you even ask?",
            "candidate": "At sea level water boils at 100 °C. Higher up it boils a little cooler.",
        }
        for question in ("At what temperature does water boil?", "When does water boil, please?")
    ]
    return {
        "metrics": {**candidate, **wins},
        "policies": {"candidate": candidate, "first": first},
        "against": {"first": wins, "parent": {**wins, "win_rate": 0.61}},
        "self": {"win_rate": 0.497, "pairs": 1200},
        "guards": [
            {"name": name, "value": value, "limit": limit, "ok": True, "sentence": f"{name}."}
            for name, value, limit in guards
        ],
        "panel": panel,
    }
