"""Training runs and evaluations: the rows, the jobs behind them, what comes of the jobs.

Nothing here waits: a run is started by writing rows, and its outcome is taken up by a later
``settle_*`` call, which any number of workers may repeat.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from labeling import quotas
from labeling.iterations import Plan, plan_of
from labeling.models import Iteration, Prompt, SamplingBatch, Snapshot, User
from models_runtime import audit, jobs, phrases, registry
from models_runtime.jobdir import is_full
from models_runtime.models import Checkpoint, Job
from models_runtime.phrases import phrase
from models_runtime.records import PromptRecord, jsonl_line, under_system
from models_runtime.sentences import without_paths
from models_runtime.states import StaleState
from training import configs, scorers
from training.frozen_sets import Mixture
from training.models import Evaluation, TrainingRun

# Beside a policy of such a method: what it was tuned on, for the next one to take up.
EARLIER = {"raft": "best.jsonl", "spin": "own.jsonl"}
OF_A_STEP = ("run", "step")  # facts of a checkpoint that was published before its run's end
ON_PROMPTS = ("raft", "distil")  # methods that sample; those with the option ``reward`` do too
NO_PROMPTS = {
    None: phrase("The campaign has no prompts: import some first."),
    "heldout": phrase("The campaign has no held-out prompts: import some first."),
    "train": phrase("The campaign has no training prompts: import some first."),
}
FINISHED = ("succeeded", "failed", "cancelled")
# What a guard says that does not hold, and which of them are shares.
GUARDS = {
    "valid_text": phrase("%(value)s of the samples are valid text; at least %(limit)s must be."),
    "kl": phrase(
        "The policy is %(value)s nats from the first one; at most %(limit)s are allowed."
    ),
    "length_growth": phrase(
        "Answers are %(value)s times as long as at first; at most %(limit)s is allowed."
    ),
    "duplicates": phrase("%(value)s of the samples repeat another; at most %(limit)s may."),
}
SHARES = ("valid_text", "duplicates")
MOST_SEED = 2**31 - 1  # what every generator takes
# By what a job is for: the states in which an iteration takes up what it makes. A failed iteration
# takes up nothing until it is retried.
TAKEN_UP_IN = {
    "sample": ("sampling",),
    "reward_model": ("training", "evaluating", "review"),
    "judge": ("training",),
    "policy": ("training", "evaluating", "review"),
    "evaluate": ("evaluating", "review"),
}


def start_run(
    *,
    iteration: Iteration,
    role: str,
    method: str,
    options: dict[str, Any] | None = None,
    filters: dict[str, Any] | None = None,
    mixture: Sequence[tuple[Snapshot, float]] = (),
    seed: int | None = None,
    actor: User | None = None,
) -> TrainingRun:
    """Write a run and its queued job. role: policy, reward_model or judge.

    ``filters`` are the fields of configs.Filters that differ from their defaults. ``mixture``
    names the frozen sets to train on with their weights, the iteration's own among them; none:
    that alone. ``seed``: none for the iteration's own.

    Raises configs.BadOption for an unknown method, option or filter, ValueError when the iteration
    has no snapshot yet, when the method needs a reward model that is not trained, and for sets
    that may not be mixed.
    """
    frozen = Mixture.of(iteration, role, mixture)
    merged = {**defaults(iteration, method), **(options or {})}
    config = configs.parse(method, merged)
    fold = {"reward_model": "policy", "judge": "judge", "policy": "policy"}[role]
    select = configs.Selection(
        split="train",
        fold=fold,
        iteration=iteration.number,
        filters=configs.Filters.parse(filters or {}),
    )
    inputs, parents = _inputs(iteration, iteration.policy, method, config)
    inputs += frozen.inputs()
    seed = _seed(iteration, role, seed)
    return _write(iteration, role, method, config, select, frozen, inputs, parents, seed, actor)


def _seed(iteration: Iteration, role: str, asked: int | None) -> int:
    if asked is None:
        return seed_for(iteration, role)
    if not 0 <= asked <= MOST_SEED:
        raise configs.BadOption(
            phrase("A seed is a whole number from 0 to %(most)s.", most=str(MOST_SEED))
        )
    return asked


def start_on_made_pairs(
    *,
    iteration: Iteration,
    policy: Checkpoint,
    role: str,
    method: str,
    options: dict[str, Any],
    snapshot: Snapshot,
    actor: User | None = None,
) -> TrainingRun:
    """Write a run of this policy on a set that models made, and its queued job. role: policy, or
    round for one that another round follows. Raises as start_run does."""
    frozen = Mixture.made_by_models(snapshot)
    config = configs.parse(method, options)
    select = configs.Selection(split="train", fold="policy", iteration=iteration.number)
    inputs, parents = _inputs(iteration, policy, method, config)
    inputs += frozen.inputs()
    seed = seed_for(iteration, role)
    return _write(iteration, role, method, config, select, frozen, inputs, parents, seed, actor)


def _write(
    iteration: Iteration,
    role: str,
    method: str,
    config: configs.Config,
    select: configs.Selection,
    frozen: Mixture,
    inputs: list[dict[str, Any]],
    parents: list[Checkpoint],
    seed: int,
    actor: User | None,
) -> TrainingRun:
    """The rows of a run and of its job."""
    with transaction.atomic():
        job = jobs.submit(
            project=iteration.campaign.project,
            kind="train",
            config={
                "method": method,
                "options": dataclasses.asdict(config),
                "select": dataclasses.asdict(select),
                "mixture": frozen.config(),
                **scorers.relay_of(iteration, config),
            },
            inputs=inputs,
            seed=seed,
            actor=actor,
        )
        run = TrainingRun.objects.create(
            project=iteration.campaign.project,
            campaign=iteration.campaign,
            iteration=iteration,
            role=role,
            method=method,
            options=dataclasses.asdict(config),
            select=dataclasses.asdict(select),
            snapshot=frozen.snapshots[0],
            job=job,
            created_by=actor,
        )
        run.parents.set(parents)
        frozen.write(run)
        audit.record(verb="run started", obj=run, actor=actor, data={"method": method})
    return run


def use_of(job: Job) -> str:
    """What a job is for, as TAKEN_UP_IN has it."""
    run = TrainingRun.objects.filter(job=job).only("role").first()
    return run.role if run else job.kind


def can_run_again(job: Job) -> bool:
    """Whether it was cancelled, and the iteration that it is of would still use what it makes."""
    iteration = _iteration_of(job) if job.state == "cancelled" else None
    return iteration is not None and is_taken_up(iteration, use_of(job))


def is_taken_up(iteration: Iteration, use: str) -> bool:
    """Whether the iteration, as it stands, still uses what jobs of this use make."""
    open_still = iteration.campaign.state != "closed"
    return open_still and iteration.state in TAKEN_UP_IN.get(use, ())


def run_again(job: Job, actor: User | None = None) -> Job:
    """Put a new job in the place of a cancelled one. Of two callers one does, and the other gets
    StaleState, as does whoever asks when the iteration has no more use for it."""
    with transaction.atomic():
        found = _iteration_of(job)
        if found is not None:  # held, so that it is not given up meanwhile
            found = Iteration.objects.select_for_update().get(pk=found.pk)
        if found is None or not is_taken_up(found, use_of(job)):
            raise StaleState(phrase("Nothing waits any more for what this job would make."))
        made = jobs.run_again(job, actor=actor)
        for waiting in (SamplingBatch, TrainingRun, Evaluation):
            waiting._default_manager.filter(job=job).update(job=made)
    return made


def settle_run(run: TrainingRun) -> None:
    """Register what a succeeded run made; once, however often it is called."""
    if run.output_id or run.job.state != "succeeded":
        return
    kind = "policy" if run.role in ("policy", "round") else "reward_model"
    checkpoint = registry.register(
        project=run.project,
        kind=kind,
        folder=jobs.output_folder(run.job),
        name=f"{run.campaign.slug}-{run.role.replace('_', '-')}-{run.pk}",
        parent=base_of(run) if run.iteration else None,
        job=run.job,
        facts=_facts(run),
    )
    TrainingRun.objects.filter(pk=run.pk, output__isnull=True).update(output=checkpoint)
    run.output = checkpoint


def base_of(run: TrainingRun) -> Checkpoint:
    """The policy that a run began with: its iteration's, or that of its round."""
    round_of = getattr(run, "pair_round", None)
    if round_of is not None:
        return round_of.policy
    if run.iteration is None:
        raise ValueError(phrase("The run belongs to no iteration, so what it began with is lost."))
    return run.iteration.policy


def succeeded(job: Job) -> bool:
    """Whether the job did. Raises ValueError with its sentence when it cannot any more."""
    if job.state in ("failed", "cancelled"):
        ended = phrase("The job %(pk)s is %(state)s.", pk=str(job.pk), state=phrase(job.state))
        raise ValueError(job.error or ended)
    return job.state == "succeeded"


def told(error: Exception) -> str:
    """What ended a step of the loop, in one sentence for a person."""
    if isinstance(error, OSError):
        return _of_files(error)
    if isinstance(error, ValueError):
        return without_paths(phrases.of(error))
    return phrase(
        "The loop met an error of its own (%(kind)s); see its log.",
        kind=type(error).__name__,
    )


def _of_files(error: OSError) -> str:
    """What went wrong with files, for a person; retry goes on from here."""
    if is_full(error):
        return phrase("The disk is full: free some space, then retry.")
    why = error.strerror or str(error)
    if not error.filename:
        return phrase("The loop could not use a file: %(why)s.", why=why)
    name = Path(error.filename).name
    return phrase("The loop could not use a file %(name)s: %(why)s.", name=name, why=why)


def start_evaluation(run: TrainingRun) -> Evaluation:
    """Judge a run's candidate against the first policy and its parent, on held-out prompts.

    At most one evaluation a run: of two callers one writes, both get it.
    """
    iteration = run.iteration
    if iteration is None or run.output is None:
        raise ValueError(phrase("Only a finished run of an iteration can be evaluated."))
    with transaction.atomic():
        TrainingRun.objects.select_for_update().get(pk=run.pk)
        if existing := run.evaluations.first():
            return existing
        job = jobs.submit(
            project=run.project,
            kind="evaluate",
            config=_evaluation_options(iteration),
            inputs=_evaluation_inputs(iteration, run.output),
            seed=seed_for(iteration, "evaluate"),
        )
        return Evaluation.objects.create(
            project=run.project,
            iteration=iteration,
            run=run,
            checkpoint=run.output,
            job=job,
        )


def settle_evaluation(evaluation: Evaluation) -> None:
    """Keep the figures of a finished evaluate job on the evaluation's row."""
    if evaluation.result or evaluation.job.state != "succeeded":
        return
    evaluation.result = evaluation.job.result
    Evaluation.objects.filter(pk=evaluation.pk).update(result=evaluation.result)


def failed_guards(evaluation: Evaluation) -> list[str]:
    """The sentences of the guards that a candidate did not pass; empty: it may be promoted."""
    guards = evaluation.result.get("guards", [])
    return [_guard_sentence(guard) for guard in guards if not guard["ok"]]


def _guard_sentence(guard: dict[str, Any]) -> str:
    """As the evaluation said it, in a form that other languages can say too."""
    name, value = guard.get("name"), guard.get("value")
    if name not in GUARDS or value is None:
        return str(guard["sentence"])
    limit = guard["limit"]
    form = "{:.1%}" if name in SHARES else "{:.2f}"
    return phrase(GUARDS[name], value=form.format(value), limit=form.format(limit))


def prompts_input(
    iteration: Iteration,
    split: str | None = None,
    *,
    limit: int = 0,
    system_prompt: str = "",
    prompt_set: int = 0,
    draw: int = 0,
    fills: bool = False,
) -> dict[str, Any]:
    """The campaign's prompts (of one split, of one set) as a job input named ``prompts``; with a
    limit, that many of them, drawn by the plan's seed, the iteration's number and ``draw``.
    With ``fills`` they are drawn to fill the campaign's quotas, without a limit as many as there
    are to be comparisons. ``system_prompt`` goes before each, for a job whose samplers have none
    of their own."""
    rows = prompts_of(iteration)
    rows = rows.filter(split=split) if split else rows
    rows = rows.filter(prompt_set=prompt_set) if prompt_set else rows
    wanted = list(rows.order_by("id").values_list("pk", flat=True))
    if not wanted:
        raise ValueError(NO_PROMPTS[split])
    by_chance = random.Random(seed_for(iteration, "sample") + draw)
    if fills:
        asked = rows.order_by("id").values_list("pk", "category", "language")
        most = limit or plan_of(iteration).comparisons
        wanted = quotas.fill(iteration.campaign, asked, most, by_chance)
    elif limit and limit < len(wanted):
        wanted = by_chance.sample(wanted, limit)
    found = rows.in_bulk(wanted)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "prompts.jsonl"
        with path.open("w", encoding="utf-8") as handle:
            handle.writelines(
                jsonl_line(_record(found[pk], system_prompt)) for pk in sorted(wanted)
            )
        return jobs.input_of_file("prompts", path)


def _record(prompt: Prompt, system_prompt: str) -> PromptRecord:
    messages = under_system(prompt.messages, system_prompt)
    return PromptRecord(id=prompt.pk, messages=messages, item=prompt.item, tags=prompt.tags)


def prompts_of(iteration: Iteration) -> Any:
    """What the campaign asks its models: all but what its author took back."""
    return Prompt.objects.filter(prompt_set__campaign=iteration.campaign, withdrawn_at=None)


def seed_for(iteration: Iteration, purpose: str) -> int:
    """A seed that differs by iteration and purpose and follows the plan's."""
    places = ("sample", "reward_model", "judge", "policy", "evaluate", "round")
    offset = places.index(purpose)
    return plan_of(iteration).seed * 100_003 + iteration.number * 17 + offset


def _iteration_of(job: Job) -> Iteration | None:
    """The iteration whose samples, run or evaluation the job is."""
    its_own = Q(batches__job=job) | Q(runs__job=job) | Q(evaluations__job=job)
    return Iteration.objects.filter(its_own).select_related("campaign").first()


def _facts(run: TrainingRun) -> dict[str, Any]:
    """The policy's that training began with (architecture, tokenizer, template), but for what the
    job says that it changed."""
    base = base_of(run) if run.iteration else None
    changed = run.job.result.get("facts", {})
    known = {n: v for n, v in (base.facts if base else {}).items() if n not in OF_A_STEP}
    return {**known, **changed, "method": run.method}


def _parameters(checkpoint: Checkpoint) -> int:
    """Of a checkpoint that does not say, enough that nothing special is suggested for it."""
    return int(checkpoint.facts.get("parameters") or configs.SMALL_MODEL)


def defaults(iteration: Iteration, method: str) -> dict[str, Any]:
    """What a run of the iteration starts with."""
    return defaults_for(iteration.policy, plan_of(iteration), method)


def defaults_for(policy: Checkpoint, plan: Plan, method: str) -> dict[str, Any]:
    """What fits a model of this size, and answers as long as people rate."""
    suggested = configs.suggested(method, _parameters(policy))
    return {**suggested, "max_new_tokens": plan.max_new_tokens}


def _inputs(
    iteration: Iteration, policy: Checkpoint, method: str, config: configs.Config
) -> tuple[list[dict[str, Any]], list[Checkpoint]]:
    """What the job is given, and the checkpoints among it that its output descends from."""
    found = {"policy": policy, **_reference(iteration, policy, config)}
    found |= scorers.scorers_of(iteration, method, config)
    parents = list(dict.fromkeys(found.values()))
    name = EARLIER.get(method)
    if name in policy.manifest:
        found["earlier"] = policy
    inputs = [jobs.input_of_checkpoint(name, checkpoint) for name, checkpoint in found.items()]
    if method in ON_PROMPTS or hasattr(config, "reward"):
        asked = plan_of(iteration).system_prompt
        inputs.append(prompts_input(iteration, "train", system_prompt=asked))
    return inputs, parents


def _reference(
    iteration: Iteration, policy: Checkpoint, config: configs.Config
) -> dict[str, Checkpoint]:
    """What the policy is pulled towards, by methods that have the option of that name."""
    if not hasattr(config, "reference"):
        return {}
    parent = config.reference == "parent"
    return {"reference": policy if parent else _first_policy(iteration)}


def _first_policy(iteration: Iteration) -> Checkpoint:
    """What the campaign began with: it stays the same whatever is promoted."""
    return iteration.campaign.first_policy or iteration.policy


def _evaluation_options(iteration: Iteration) -> dict[str, Any]:
    plan = plan_of(iteration)
    options = {
        "temperature": plan.temperature,
        "top_p": plan.top_p,
        "max_new_tokens": plan.max_new_tokens,
        "world": iteration.campaign.demo_world,
        **plan.evaluation,
    }
    return {**options, "guards": plan.guards} if plan.guards else options


def _evaluation_inputs(iteration: Iteration, candidate: Checkpoint) -> list[dict[str, Any]]:
    inputs = [
        jobs.input_of_checkpoint("candidate", candidate),
        jobs.input_of_checkpoint("first", _first_policy(iteration)),
        jobs.input_of_checkpoint("parent", iteration.policy),
        prompts_input(iteration, "heldout", system_prompt=plan_of(iteration).system_prompt),
    ]
    if judge := scorers.reward_model_of(iteration, "judge"):
        inputs.append(jobs.input_of_checkpoint("reward_model", judge))
    if earlier := _first_samples(iteration):
        inputs.append({"name": "first_samples", **earlier.result["output"]})
    return inputs


def _first_samples(iteration: Iteration) -> Job | None:
    """A finished evaluation of this campaign: its samples of the first policy serve again."""
    done = Evaluation.objects.filter(
        iteration__campaign=iteration.campaign, job__state="succeeded"
    ).select_related("job")
    earlier = done.order_by("id").first()
    return earlier.job if earlier and "output" in earlier.job.result else None
