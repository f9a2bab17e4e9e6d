"""Training runs and evaluations: the rows, the jobs behind them, what comes of the jobs.

Nothing here waits: a run is started by writing rows, and its outcome is taken up by a later
``settle_*`` call, which any number of workers may repeat.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from pathlib import Path
from typing import Any

from django.db import transaction

from labeling.iterations import plan_of
from labeling.models import Iteration, Prompt, Snapshot, User
from models_runtime import audit, jobs, registry
from models_runtime.models import Checkpoint, Job
from models_runtime.records import PromptRecord, jsonl_line, under_system
from training import configs
from training.models import Evaluation, TrainingRun

NEEDS_REWARD_MODEL = {"raft"}
BEST = "best.jsonl"  # beside a best-of-K policy: the answers it was tuned on, to compete again
FINISHED = ("succeeded", "failed", "cancelled")


def start_run(
    *,
    iteration: Iteration,
    role: str,
    method: str,
    options: dict[str, Any] | None = None,
    actor: User | None = None,
) -> TrainingRun:
    """Write a run and its queued job. role: policy, reward_model or judge.

    Raises configs.BadOption for an unknown method or option, ValueError when the iteration has
    no snapshot yet or the method needs a reward model that is not trained.
    """
    snapshot = _snapshot(iteration)
    merged = {**_defaults(iteration, method), **(options or {})}
    config = configs.parse(method, merged)
    fold = {"reward_model": "policy", "judge": "judge", "policy": "policy"}[role]
    select = configs.Selection(split="train", fold=fold, iteration=iteration.number)
    inputs, parents = _inputs(iteration, method)
    with transaction.atomic():
        job = jobs.submit(
            project=iteration.campaign.project,
            kind="train",
            config={
                "method": method,
                "options": dataclasses.asdict(config),
                "select": dataclasses.asdict(select),
            },
            inputs=inputs,
            seed=seed_for(iteration, role),
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
            snapshot=snapshot,
            job=job,
            created_by=actor,
        )
        run.parents.set(parents)
        audit.record(verb="run started", obj=run, actor=actor, data={"method": method})
    return run


def settle_run(run: TrainingRun) -> None:
    """Register what a succeeded run made; once, however often it is called."""
    if run.output_id or run.job.state != "succeeded":
        return
    kind = "policy" if run.role == "policy" else "reward_model"
    checkpoint = registry.register(
        project=run.project,
        kind=kind,
        folder=jobs.output_folder(run.job),
        name=f"{run.campaign.slug}-{run.role.replace('_', '-')}-{run.pk}",
        parent=run.iteration.policy if run.iteration else None,
        job=run.job,
        facts=_facts(run),
    )
    TrainingRun.objects.filter(pk=run.pk, output__isnull=True).update(output=checkpoint)
    run.output = checkpoint


def reward_model_of(iteration: Iteration, role: str = "reward_model") -> Checkpoint | None:
    """The newest reward model this iteration trained for the policy, or to judge."""
    done = iteration.runs.filter(role=role, output__isnull=False).select_related("output")
    newest = done.order_by("-id").first()
    return newest.output if newest else None


def start_evaluation(run: TrainingRun) -> Evaluation:
    """Judge a run's candidate against the first policy and its parent, on held-out prompts.

    At most one evaluation a run: of two callers one writes, both get it.
    """
    iteration = run.iteration
    if iteration is None or run.output is None:
        raise ValueError("Only a finished run of an iteration can be evaluated.")
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
    return [guard["sentence"] for guard in guards if not guard["ok"]]


def prompts_input(
    iteration: Iteration, split: str | None = None, *, limit: int = 0, system_prompt: str = ""
) -> dict[str, Any]:
    """The campaign's prompts (of one split) as a job input named ``prompts``; with a limit, that
    many of them, drawn by the plan's seed and the iteration's number. ``system_prompt`` goes
    before each, for a job whose samplers have none of their own."""
    rows = prompts_of(iteration)
    rows = rows.filter(split=split) if split else rows
    wanted = list(rows.order_by("id").values_list("pk", flat=True))
    if not wanted:
        kind = {"heldout": "held-out ", "train": "training "}.get(split or "", "")
        raise ValueError(f"The campaign has no {kind}prompts: import some first.")
    if limit and limit < len(wanted):
        wanted = random.Random(seed_for(iteration, "sample")).sample(wanted, limit)
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
    return Prompt.objects.filter(prompt_set__campaign=iteration.campaign)


def seed_for(iteration: Iteration, purpose: str) -> int:
    """A seed that differs by iteration and purpose and follows the plan's."""
    offset = {"sample": 0, "reward_model": 1, "judge": 2, "policy": 3, "evaluate": 4}[purpose]
    return plan_of(iteration).seed * 100_003 + iteration.number * 17 + offset


def _snapshot(iteration: Iteration) -> Snapshot:
    if iteration.snapshot is None:
        raise ValueError("There is no snapshot of labels to train on yet.")
    return iteration.snapshot


def _facts(run: TrainingRun) -> dict[str, Any]:
    """What training does not change about a checkpoint: architecture, tokenizer, template."""
    base = run.iteration.policy if run.iteration else None
    return {**(base.facts if base else {}), "method": run.method}


def _parameters(checkpoint: Checkpoint) -> int:
    """Of a checkpoint that does not say, enough that nothing special is suggested for it."""
    return int(checkpoint.facts.get("parameters") or configs.SMALL_MODEL)


def _defaults(iteration: Iteration, method: str) -> dict[str, Any]:
    """What fits a model of this size; a method that samples answers as long as people rate."""
    options = configs.suggested(method, _parameters(iteration.policy))
    if method in NEEDS_REWARD_MODEL:
        options["max_new_tokens"] = plan_of(iteration).max_new_tokens
    return options


def _inputs(iteration: Iteration, method: str) -> tuple[list[dict[str, Any]], list[Checkpoint]]:
    inputs = [
        jobs.input_of_checkpoint("policy", iteration.policy),
        jobs.input_of_snapshot("snapshot", _snapshot(iteration)),
    ]
    parents = [iteration.policy]
    if method == "dpo":
        inputs.append(jobs.input_of_checkpoint("reference", iteration.policy))
    if method in NEEDS_REWARD_MODEL:
        reward_model = reward_model_of(iteration)
        if reward_model is None:
            raise ValueError(f"{method} needs a reward model, and none is trained yet.")
        inputs.append(jobs.input_of_checkpoint("reward_model", reward_model))
        asked = plan_of(iteration).system_prompt
        inputs.append(prompts_input(iteration, "train", system_prompt=asked))
        parents.append(reward_model)
    if method == "raft" and BEST in iteration.policy.manifest:
        inputs.append(jobs.input_of_checkpoint("earlier", iteration.policy))
    return inputs, parents


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
    first = iteration.campaign.first_policy or iteration.policy
    inputs = [
        jobs.input_of_checkpoint("candidate", candidate),
        jobs.input_of_checkpoint("first", first),
        jobs.input_of_checkpoint("parent", iteration.policy),
        prompts_input(iteration, "heldout", system_prompt=plan_of(iteration).system_prompt),
    ]
    if judge := reward_model_of(iteration, "judge"):
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
