"""The loop itself: one step function per state of an iteration, each safe to repeat.

``tick`` is rung every second. A step looks at the rows, does what is due and returns; what it
waits for (people, jobs) it finds done at a later tick. Lost broker, killed worker or double
delivery: the next tick goes on from the rows.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from labeling import comparisons, conversations, iterations, pilots, questions, snapshots
from labeling.iterations import Plan, plan_of
from labeling.models import Campaign, Iteration, SamplingBatch, User
from labeling.questions import Parts
from models_runtime import jobs, pairing
from models_runtime.models import Checkpoint, Job
from models_runtime.phrases import phrase, together
from models_runtime.states import StaleState
from training import checkpoint_batches, configs, lessons, pair_graphs, runs, scorers
from training.models import Evaluation, TrainingRun

log = logging.getLogger(__name__)
HELD_BY_JOBS = ("sampling", "training", "evaluating")
NO_PAIRS = phrase("the answers are no comparisons")  # why there is no judge
UNFINISHED = ("queued", "running", "stopped")


def tick() -> None:
    """Move every iteration that can move."""
    for campaign in _due_campaigns():
        _start_next(campaign)
    active = Iteration.objects.filter(
        state__in=STEPS, paused_at__isnull=True, campaign__state="open"
    )
    for iteration in active.select_related("campaign__project", "policy", "snapshot"):
        step(iteration)
    checkpoint_batches.tick()
    pair_graphs.tick()


def step(iteration: Iteration) -> None:
    """Take one iteration's next step, unless somebody else is taking it."""
    with iterations.alone(iteration, state=iteration.state) as is_ours:
        if is_ours:
            _step(iteration)


def _step(iteration: Iteration) -> None:
    try:
        STEPS[iteration.state](iteration)
    except StaleState:
        log.info("iteration %s moved meanwhile", iteration.pk)
    except (OperationalError, InterfaceError):
        log.exception("iteration %s: the database was away; the next tick goes on", iteration.pk)
    except (ValueError, OSError) as error:
        iterations.fail(iteration, runs.told(error))
    except Exception as error:
        log.exception("iteration %s failed", iteration.pk)
        iterations.fail(iteration, runs.told(error))


def start_iteration(campaign: Campaign, actor: User | None = None, **overrides: Any) -> Iteration:
    """Create the campaign's next iteration and set it going. Raises ValueError, one sentence,
    for whatever in its plan could not be carried out later."""
    plan = iterations.parse_plan({**campaign.plan, **overrides})
    check_plan(plan, iterations.current_policy(campaign))
    with transaction.atomic():
        iteration = iterations.create(campaign=campaign, actor=actor, **overrides)
        iterations.advance(iteration, "sampling", actor=actor)
    return iteration


def check_plan(plan: Plan, policy: Checkpoint | None) -> None:
    """Refuse now what a step would trip over after people have labelled: with what a run of this
    policy starts with, which an option of the plan may contradict. Raises ValueError."""
    given = {plan.method: plan.options, "reward": {"margin": plan.margin, **plan.reward}}
    for method, options in given.items():
        start = runs.defaults_for(policy, plan, method) if policy else {}
        configs.parse(method, {**start, **options})
    configs.parse_evaluation({**plan.evaluation, "guards": plan.guards})
    if plan.strategy not in pairing.STRATEGIES:
        raise ValueError(
            phrase(
                "There is no way of selecting pairs named %(strategy)s.", strategy=plan.strategy
            )
        )
    if plan.start_training not in ("auto", "person"):
        raise ValueError(phrase("Training starts by auto or by a person."))
    if plan.k < 1 or plan.comparisons < 1 or plan.target_labels < 1:
        raise ValueError(phrase("An iteration needs at least one sample, comparison and label."))


def _start_next(campaign: Campaign) -> None:
    """Two ticks may both find the campaign due; the second is told so by create()."""
    try:
        start_iteration(campaign)
    except ValueError as error:
        log.info("campaign %s: no next iteration: %s", campaign.slug, error)


def retry_iteration(iteration: Iteration, actor: User | None = None) -> None:
    """Send a failed iteration back to where it failed, its failed jobs queued again. A cancelled
    one runs again where nothing else does its work: without it the iteration would only fail
    once more. A run that was cancelled beside others stays so."""
    with transaction.atomic():
        iterations.retry(iteration, actor=actor)
        for job in _jobs_of(iteration).filter(state="failed"):
            jobs.requeue(job, actor=actor)
        for job in _missed(iteration):
            runs.run_again(job, actor=actor)


def _missed(iteration: Iteration) -> list[Job]:
    """Of each use the first of the cancelled jobs, where all of that use were cancelled."""
    by_use: dict[str, list[Job]] = {}
    for job in _jobs_of(iteration).order_by("id"):
        by_use.setdefault(runs.use_of(job), []).append(job)
    return [
        found[0]
        for use, found in by_use.items()
        if runs.is_taken_up(iteration, use) and all(job.state == "cancelled" for job in found)
    ]


def stopped_jobs(iteration: Iteration) -> list[Job]:
    """What somebody stopped and the iteration therefore waits for: nothing else moves it."""
    if iteration.state not in HELD_BY_JOBS:
        return []
    return list(_jobs_of(iteration).filter(state="stopped").order_by("id"))


def give_up(iteration: Iteration, actor: User | None = None) -> None:
    """Close an iteration for good: one in review, one that failed, or one that waits for a job
    that was stopped, whose other jobs then end with it. Raises StaleState for any other."""
    with transaction.atomic():
        if stopped_jobs(iteration):
            iterations.fail(iteration, phrase("A job of it was stopped, and it was given up."))
            for job in _jobs_of(iteration).filter(state__in=UNFINISHED):
                jobs.cancel(job, actor=actor)
        iterations.reject(iteration=iteration, actor=actor)


def promote(iteration: Iteration, checkpoint: Checkpoint, actor: User | None = None) -> None:
    """A person's decision: refuses a checkpoint that this iteration did not evaluate."""
    evaluation = iteration.evaluations.filter(checkpoint=checkpoint).first()
    if evaluation is None or not evaluation.result:
        raise ValueError(
            phrase("Only a candidate that this iteration has evaluated can be promoted.")
        )
    if failed := runs.failed_guards(evaluation):
        raise ValueError(together(" ", failed))
    iterations.promote(iteration=iteration, checkpoint=checkpoint, actor=actor)


def candidates(iteration: Iteration) -> list[Evaluation]:
    """Finished evaluations of the iteration whose guards all hold, the best first."""
    done = [e for e in iteration.evaluations.select_related("checkpoint") if e.result]
    passed = [e for e in done if not runs.failed_guards(e)]
    return sorted(passed, key=_score, reverse=True)


def _sample(iteration: Iteration) -> None:
    if conversations.live_of(iteration.campaign):  # raters ask the models themselves
        why = phrase("raters talk with the models")
        return iterations.advance(iteration, "collecting", reason=why)
    if plan_of(iteration).completions_per_comparison == 0:  # cards of the prompt alone
        opened = comparisons.build(iteration, None)
    else:
        batch = iteration.batches.select_related("job").first() or _start_sampling(iteration)
        if not runs.succeeded(batch.job):
            return
        folder = jobs.output_folder(batch.job)
        comparisons.ingest(batch, folder)
        opened = comparisons.build(iteration, folder)
    if not opened:
        raise ValueError(
            phrase("No comparison could be opened: no prompt has enough different texts.")
        )
    iterations.advance(
        iteration, "collecting", reason=phrase("%(n)s comparisons opened", n=opened)
    )


def _start_sampling(iteration: Iteration) -> SamplingBatch:
    plan = plan_of(iteration)
    sources = _sources(iteration)
    places = list(product(sources, (plan.temperature, *plan.more_temperatures)))
    samplers = [
        {
            "checkpoint": f"policy-{checkpoint.pk}",
            "k": plan.k,
            "temperature": temperature,
            "top_p": plan.top_p,
            "max_new_tokens": plan.max_new_tokens,
            "seed": runs.seed_for(iteration, "sample") + index,
            "system_prompt": plan.system_prompt,
        }
        for index, (checkpoint, temperature) in enumerate(places)
    ]
    embed = plan.strategy != "random"
    inputs = [
        runs.prompts_input(iteration, limit=plan.prompts, fills=plan.fill_quotas),
        *[jobs.input_of_checkpoint(f"policy-{c.pk}", c) for c in sources],
    ]
    with _locked(iteration):
        if batch := iteration.batches.first():
            return batch
        job = jobs.submit(
            project=iteration.campaign.project,
            kind="sample",
            config={
                "samplers": samplers,
                "embed_with": samplers[0]["checkpoint"] if embed else "",
            },
            inputs=inputs,
            seed=runs.seed_for(iteration, "sample"),
        )
        stored = [
            {**row, "checkpoint": checkpoint.pk}
            for row, (checkpoint, _) in zip(samplers, places, strict=True)
        ]
        return SamplingBatch.objects.create(iteration=iteration, job=job, samplers=stored)


def _sources(iteration: Iteration) -> list[Checkpoint]:
    """The policy, and the one it replaced where the plan asks for that free comparison."""
    rows = iteration.campaign.promotions.filter(role="policy").order_by("-id")
    earlier = [row.checkpoint for row in rows.select_related("checkpoint")]
    replaced = [*earlier[1:], iteration.campaign.first_policy]
    previous = replaced[0] if earlier else None
    if previous is None or previous == iteration.policy:
        return [iteration.policy]
    return (
        [iteration.policy, previous] if plan_of(iteration).sample_previous else [iteration.policy]
    )


def _collect(iteration: Iteration) -> None:
    if not _collected(iteration):
        return
    if why := untrainable(iteration):
        return iterations.keep_collecting(iteration, why)
    plan, taught = plan_of(iteration), questions.teaches(_parts(iteration))
    iteration.snapshot = snapshots.freeze(
        campaign=iteration.campaign, iteration=iteration, tagged=plan.with_tagged
    )
    with _locked(iteration):
        iterations.advance(iteration, "training", snapshot=iteration.snapshot, error="")
        for role in ("reward_model", "judge") if "preferences" in taught else ():
            runs.start_run(
                iteration=iteration,
                role=role,
                method="reward",
                options={"margin": plan.margin, **_as_sampled(plan), **plan.reward},
            )


def untrainable(iteration: Iteration) -> str:
    """Why nothing can be trained from the answers to the campaign's question by the iteration's
    plan, in one sentence; empty where it can."""
    return lessons.refusal(plan_of(iteration), _parts(iteration))


def _parts(iteration: Iteration) -> Parts:
    question = iteration.campaign.question
    return question.parts if question else {}


def _collected(iteration: Iteration) -> bool:
    if iteration.freeze_requested_at is not None:
        return True
    plan = plan_of(iteration)
    labels = iteration.labels_people
    if plan.count_simulated:
        labels += iteration.labels_others
    if plan.start_training != "auto" or pilots.withholds(iteration.campaign):
        return False
    # Fewer pairs than labels wanted: all of them answered is all there will be.
    # What a filled quota withholds wants no label (overlap 0).
    wanted = iteration.comparisons.filter(state="open", overlap__gt=0)
    return labels >= plan.target_labels or not wanted.exists()


def _train(iteration: Iteration) -> None:
    related = ("job", "iteration__policy", "campaign", "output")
    rows = list(iteration.runs.exclude(role="round").select_related(*related))
    for run in rows:
        runs.settle_run(run)
    policies = [run for run in rows if run.role == "policy"]
    if not policies:
        _start_policy(iteration, rows)
        return
    if any(run.job.state not in runs.FINISHED for run in rows):
        return
    if not any(run.output_id for run in policies):
        raise ValueError(_why(policies) or phrase("No policy run finished."))
    judges = [run for run in rows if run.role == "judge"]
    judged = any(run.output_id for run in judges)
    unjudged = phrase("no judge: %(why)s", why=_why(judges) if judges else NO_PAIRS)
    iterations.advance(iteration, "evaluating", reason="" if judged else unjudged)


def _start_policy(iteration: Iteration, rows: list[TrainingRun]) -> None:
    """The policy's run, as soon as what it needs is there."""
    plan = plan_of(iteration)
    reward = [run for run in rows if run.role == "reward_model"]
    trained = any(run.output_id for run in reward)
    start = runs.defaults(iteration, plan.method)
    config = configs.parse(plan.method, {**start, **plan.options})
    if scorers.needs_reward_model(plan.method, config) and not trained:
        if all(run.job.state in runs.FINISHED for run in reward):
            raise ValueError(_why(reward) or phrase("The reward model was not trained."))
        return
    options = {**_as_sampled(plan), **plan.options}
    runs.start_run(iteration=iteration, role="policy", method=plan.method, options=options)


def _as_sampled(plan: Plan) -> dict[str, Any]:
    """The option long_prompts of the loop's own runs where the plan does not say it: its answers
    were sampled from prompts that the sampler cut and counted, and learned from as they were."""
    return {"long_prompts": str(plan.options.get("long_prompts", "cut"))}


def _evaluate(iteration: Iteration) -> None:
    evaluations = _settle_candidates(iteration)
    if any(e.job.state not in runs.FINISHED for e in evaluations):
        return
    if not any(e.result for e in evaluations):
        raise ValueError(_errors(e.job for e in evaluations) or phrase("No evaluation finished."))
    if not candidates(iteration):
        sentences = [s for e in evaluations if e.result for s in runs.failed_guards(e)]
        raise ValueError(together(" ", sentences))
    iterations.advance(iteration, "review")


def _review(iteration: Iteration) -> None:
    """Promotion is a person's act unless the campaign states a gate. Runs that a researcher
    starts meanwhile become candidates too."""
    evaluations = _settle_candidates(iteration)
    gate = iteration.campaign.gate
    if not gate or any(e.job.state not in runs.FINISHED for e in evaluations):
        return
    best = next((e for e in candidates(iteration) if _passes(e, gate)), None)
    if best is None:
        refused = phrase("no candidate passed the gate %(gate)s", gate=str(gate))
        iterations.reject(iteration=iteration, reason=refused)
        return
    passed = phrase("passed the gate %(gate)s", gate=str(gate))
    iterations.promote(iteration=iteration, checkpoint=best.checkpoint, reason=passed)


def _settle_candidates(iteration: Iteration) -> list[Evaluation]:
    """Register what finished runs made, evaluate the policies among it, keep the figures of what
    is evaluated. Reward models that were started beside them are for later runs."""
    rows = iteration.runs.filter(role__in=("policy", "reward_model"))
    found = list(rows.select_related("job", "iteration__policy", "campaign", "output"))
    for run in found:
        runs.settle_run(run)
    policies = [run for run in found if run.role == "policy"]
    evaluations = [runs.start_evaluation(run) for run in policies if run.output]
    for evaluation in evaluations:
        runs.settle_evaluation(evaluation)
    return evaluations


STEPS: dict[str, Callable[[Iteration], None]] = {
    "sampling": _sample,
    "collecting": _collect,
    "training": _train,
    "evaluating": _evaluate,
    "review": _review,
}


def _passes(evaluation: Evaluation, gate: dict[str, float]) -> bool:
    """Every figure the gate names is at least its limit; an absent one does not pass."""
    figures = evaluation.result.get("metrics", {})
    found = {name: figures.get(name) for name in gate}
    return all(found[n] is not None and found[n] >= limit for n, limit in gate.items())


def _score(evaluation: Evaluation) -> float:
    """What candidates are ranked by: the true utility's verdict where there is one."""
    figures = evaluation.result.get("metrics", {})
    return float(figures.get("win_rate") or figures.get("proxy_win_rate") or 0.0)


def _due_campaigns() -> list[Campaign]:
    """Open campaigns whose newest iteration was promoted and whose plan repeats."""
    open_ones = Campaign.objects.filter(state="open", plan__repeat=True)
    due = []
    for campaign in open_ones:
        newest = campaign.iterations.order_by("-number").first()
        if newest and newest.state == "promoted":
            due.append(campaign)
    return due


@contextlib.contextmanager
def _locked(iteration: Iteration) -> Iterator[None]:
    """A transaction that holds the iteration where the step found it: a step that outlasted its
    lease and the one that followed it must not both start the same work."""
    with transaction.atomic():
        rows = Iteration.objects.select_for_update().filter(pk=iteration.pk, state=iteration.state)
        if rows.first() is None:
            raise StaleState(phrase("Iteration %(pk)s moved on.", pk=str(iteration.pk)))
        yield


def _why(failed: list[TrainingRun]) -> str:
    return _errors(run.job for run in failed)


def _errors(failed: Iterable[Job]) -> str:
    """Their sentences one after the other; empty when none of them says anything."""
    said = [job.error for job in failed if job.error]
    return together(" ", said) if said else ""


def _jobs_of(iteration: Iteration) -> Any:
    return Job.objects.filter(
        Q(sampling_batch__iteration=iteration)
        | Q(training_run__iteration=iteration) & ~Q(training_run__role="round")
        | Q(evaluation__iteration=iteration)
    )
