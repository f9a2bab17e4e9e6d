"""Checkpoints of a run that is still under way, put to raters beside it.

    ask      hold the chosen checkpoints and write the job that keeps them
    step     take up what a job made: publish, register, sample, open the comparisons; each safe to
             repeat

The run knows nothing of it: its checkpoints are read, never touched, and no request waits for it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from labeling import comparisons, iterations, tagged_batches
from labeling.iterations import plan_of
from labeling.models import Iteration, SamplingBatch, User
from models_runtime import audit, jobs, registry, resumable
from models_runtime.models import Checkpoint, Job
from models_runtime.phrases import phrase
from models_runtime.states import StaleState
from training import configs, keeping, runs
from training.configs import CheckpointsConfig
from training.configs.checkpoints import EACH_OTHER
from training.models import CheckpointBatch, TrainingRun

log = logging.getLogger(__name__)
OWNER = "a batch of checkpoints"
MOST_STEPS = 8
OF_A_POLICY = ("policy", "round")  # roles of the runs that make one


def ask(
    run: TrainingRun,
    steps: Sequence[int],
    options: dict[str, Any] | None = None,
    actor: User | None = None,
) -> CheckpointBatch:
    """Have these checkpoints of a run published, sampled and compared. Asked for again, it is the
    same row. Raises ValueError, one sentence: for steps that are gone, options that mean nothing,
    and a run that makes no policy; StaleState where its job moved meanwhile."""
    config = configs.build(CheckpointsConfig, options or {}, OWNER)
    iteration = _iteration(run)
    chosen = sorted(set(steps))
    key = _key(chosen, config)
    if found := CheckpointBatch.objects.filter(run=run, key=key).first():
        return _again(found, actor)
    _refuse_steps(chosen, config)
    _refuse_prompts(iteration, config)  # now, not after the models were published
    resumable.hold(run.job, chosen, key)
    try:
        with transaction.atomic():
            made = CheckpointBatch.objects.create(
                run=run, key=key, created_by=actor,
                keeping=keeping.submit(run.project, run.job, chosen, key, actor),
                options={**dataclasses.asdict(config), "steps": chosen},
            )  # fmt: skip
            told = {"method": run.method, "steps": chosen}
            audit.record(verb="checkpoints asked about", obj=made, actor=actor, data=told)
    except IntegrityError:  # somebody asked for the same at this very moment
        return CheckpointBatch.objects.get(run=run, key=key)
    return made


def tick() -> None:
    """Take up what jobs have made meanwhile."""
    for row in _waiting().order_by("id"):
        step(row)


def step(row: CheckpointBatch) -> None:
    """Take the next step of one batch, unless somebody else takes one beside its iteration. What
    cannot be done any more is said on its row, and never keeps another one waiting."""
    try:
        with iterations.alone(_stored_iteration(row.run)) as is_ours:
            found = _waiting().filter(pk=row.pk).first() if is_ours else None
            if found:
                _step(found)
    except StaleState:
        return  # somebody else was first
    except (OperationalError, InterfaceError):
        log.exception("checkpoints %s: the database was away; the next tick goes on", row.pk)
    except (ValueError, OSError) as error:
        _fail(row, error)
    except Exception as error:
        log.exception("checkpoints %s failed", row.pk)
        _fail(row, error)


def _fail(row: CheckpointBatch, error: Exception) -> None:
    rows = CheckpointBatch.objects.filter(pk=row.pk, opened=None)  # else another was first
    rows.update(error=runs.told(error))


def _waiting() -> QuerySet[CheckpointBatch]:
    related = ("run__iteration__campaign", "run__job", "keeping", "publishing", "batch__job")
    rows = CheckpointBatch.objects.filter(opened=None, error="")
    return rows.select_related(*related)


def _stored_iteration(run: TrainingRun) -> Iteration:
    assert run.iteration is not None  # ask() refused every other run
    return run.iteration


def _step(row: CheckpointBatch) -> None:
    if row.publishing is None:
        assert row.keeping is not None
        if runs.succeeded(row.keeping):
            _publish(row, row.keeping.result["inputs"])
        return
    if row.batch is None:
        if runs.succeeded(row.publishing):
            _sample(row, _register(row))
        return
    if not runs.succeeded(row.batch.job):
        return
    comparisons.ingest(row.batch, jobs.output_folder(row.batch.job))
    wanted = row.options["comparisons"]
    opened = tagged_batches.build(row.batch, _duels(row), wanted, row.batch.job.seed)
    if not opened:
        raise ValueError(phrase("No comparison could be opened: the checkpoints say the same."))
    CheckpointBatch.objects.filter(pk=row.pk, opened=None).update(opened=opened, error="")


def _publish(row: CheckpointBatch, kept: list[dict[str, Any]]) -> None:
    """Write the job that makes policies of the checkpoints that were kept."""
    run, iteration = row.run, _iteration(row.run)
    told = {"method": run.method, "options": run.options, "steps": row.options["steps"]}
    asked = _prompts(iteration, _config(row))
    with transaction.atomic():
        held = CheckpointBatch.objects.select_for_update().get(pk=row.pk)
        if held.publishing_id is not None:
            return
        held.publishing = jobs.submit(
            project=run.project, kind="publish", config=told,
            inputs=[jobs.input_of_checkpoint("policy", runs.base_of(run)), *kept],
            seed=run.job.seed, priority=run.job.priority, actor=row.created_by,
        )  # fmt: skip
        held.options = {**held.options, "asked": asked}
        held.save(update_fields=["publishing", "options"])


def _register(row: CheckpointBatch) -> list[Checkpoint]:
    """The published checkpoints as rows of the project, by step."""
    assert row.publishing is not None
    folder, base = jobs.output_folder(row.publishing), runs.base_of(row.run)
    found = [
        registry.register(
            project=row.run.project,
            kind="policy",
            folder=folder / f"step-{step}",
            name=f"{row.run.campaign.slug}-run-{row.run.pk}-step-{step}",
            parent=base,
            job=_first_publisher(row.run, step) or row.publishing,
            facts={**base.facts, "method": row.run.method, "run": row.run.pk, "step": step},
        )
        for step in row.options["steps"]
    ]
    row.checkpoints.set(found)
    return found


def _first_publisher(run: TrainingRun, step: int) -> Job | None:
    """The job by which a checkpoint of this step was published before: it is the same row."""
    before = Checkpoint.objects.filter(
        project=run.project, name=f"{run.campaign.slug}-run-{run.pk}-step-{step}"
    )
    found = before.select_related("job").first()
    return found.job if found else None


def _sample(row: CheckpointBatch, found: list[Checkpoint]) -> None:
    """Write the job that samples them, and the policy that the run began with beside them."""
    run, iteration = row.run, _iteration(row.run)
    plan, config = plan_of(iteration), _config(row)
    sampled = found if config.against == EACH_OTHER else [*found, runs.base_of(run)]
    seed = run.job.seed + sum(row.options["steps"])
    samplers = [
        {
            "checkpoint": f"policy-{one.pk}",
            "k": config.k,
            "temperature": plan.temperature,
            "top_p": plan.top_p,
            "max_new_tokens": plan.max_new_tokens,
            "seed": seed + place,
            "system_prompt": plan.system_prompt,
        }
        for place, one in enumerate(sampled)
    ]
    inputs = [row.options["asked"]]
    inputs += [jobs.input_of_checkpoint(f"policy-{one.pk}", one) for one in sampled]
    with transaction.atomic():
        held = CheckpointBatch.objects.select_for_update().get(pk=row.pk)
        if held.batch_id is not None:
            return
        job = jobs.submit(
            project=run.project, kind="sample", config={"samplers": samplers, "embed_with": ""},
            inputs=inputs, seed=seed,
        )  # fmt: skip
        stored = [
            {**told, "checkpoint": one.pk} for told, one in zip(samplers, sampled, strict=True)
        ]
        batch = SamplingBatch.objects.create(
            campaign=run.campaign, job=job, samplers=stored,
            tags=[config.tag, *(f"{run.pk}/step-{step}" for step in row.options["steps"])],
        )  # fmt: skip
        CheckpointBatch.objects.filter(pk=row.pk).update(batch=batch)


def _again(row: CheckpointBatch, actor: User | None) -> CheckpointBatch:
    """The same row; where a job of it failed, that is tried again, and where one was cancelled,
    another does its work."""
    with transaction.atomic():
        held = CheckpointBatch.objects.select_for_update().get(pk=row.pk)
        if held.opened is not None:
            return held
        batch = held.batch
        if batch and (job := _retried(batch.job, actor)) != batch.job:
            batch.job = job
            batch.save(update_fields=["job"])
        before = held.keeping, held.publishing
        if held.publishing is not None:
            held.publishing = _retried(held.publishing, actor)
        elif held.keeping is not None:
            held.keeping = _held_again(held, held.keeping, actor)
        if held.error or before != (held.keeping, held.publishing):
            held.error = ""
            held.save(update_fields=["keeping", "publishing", "error"])
    return held


def _held_again(row: CheckpointBatch, job: Job, actor: User | None) -> Job:
    """The job that keeps its checkpoints now; where it did not succeed, it let go of them."""
    if job.state in ("failed", "cancelled"):
        resumable.hold(row.run.job, row.options["steps"], row.key)
    return _retried(job, actor)


def _retried(job: Job, actor: User | None) -> Job:
    """The job that does its work now."""
    if job.state == "cancelled":
        return jobs.run_again(job, actor=actor)
    if job.state == "failed":
        jobs.requeue(job, actor=actor)
    return job


def _duels(row: CheckpointBatch) -> list[tuple[int, int]]:
    made = list(row.checkpoints.order_by("pk").values_list("pk", flat=True))
    if _config(row).against == EACH_OTHER:
        return list(combinations(made, 2))
    return [(one, runs.base_of(row.run).pk) for one in made]


def _config(row: CheckpointBatch) -> CheckpointsConfig:
    known = {one.name for one in dataclasses.fields(CheckpointsConfig)}
    return CheckpointsConfig(**{n: value for n, value in row.options.items() if n in known})


def _refuse_steps(steps: Sequence[int], config: CheckpointsConfig) -> None:
    least = 2 if config.against == EACH_OTHER else 1
    if not least <= len(steps) <= MOST_STEPS:
        raise ValueError(
            phrase(
                "Choose %(least)s to %(most)s checkpoints, not %(n)s.",
                least=least,
                most=MOST_STEPS,
                n=len(steps),
            )
        )
    if not config.tag.strip():
        raise ValueError(phrase("A batch needs a tag, by which it is told from other labels."))


def _refuse_prompts(iteration: Iteration, config: CheckpointsConfig) -> None:
    """Raise ValueError where there is nothing to ask, or not that set."""
    sets = iteration.campaign.prompt_sets.order_by("pk")
    if config.prompt_set and not sets.filter(pk=config.prompt_set).exists():
        raise ValueError(
            phrase(
                "The campaign has no prompt set %(number)s; it has %(known)s.",
                number=str(config.prompt_set),
                known=", ".join(f"{one.pk} ({one.name})" for one in sets) or "–",
            )
        )
    asked = runs.prompts_of(iteration)
    asked = asked.filter(prompt_set=config.prompt_set) if config.prompt_set else asked
    if not asked.exists():
        raise ValueError(runs.NO_PROMPTS[None])


def _prompts(iteration: Iteration, config: CheckpointsConfig) -> dict[str, Any]:
    return runs.prompts_input(iteration, limit=config.prompts, prompt_set=config.prompt_set)


def _iteration(run: TrainingRun) -> Iteration:
    if run.role not in OF_A_POLICY or run.iteration is None:
        raise ValueError(phrase("Only checkpoints of a policy can be sampled."))
    if run.campaign.state == "closed":
        raise ValueError(phrase("The campaign is closed: nobody rates in it any more."))
    return run.iteration


def _key(steps: Sequence[int], config: CheckpointsConfig) -> str:
    text = json.dumps([list(steps), dataclasses.asdict(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
