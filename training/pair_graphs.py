"""Recipes carried out: rounds of jobs in which models make the pairs that DPO learns from.

    start    check everything that can be known now, and write the first round
    tick     take up what jobs have made: sample > reward > pairs, frozen > train > the next round
    stop, go_on, cancel    of the graph as one thing

Each step is a job of its own: any worker may take it, it happens once whatever is lost or doubled,
and every checkpoint says which pairs taught it. A step looks at the rows and is safe to repeat.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from labeling import iterations, model_preferences
from labeling.iterations import plan_of
from labeling.model_preferences import Chosen
from labeling.models import Iteration, Snapshot, User
from models_runtime import audit, jobs, states
from models_runtime.models import Checkpoint, Job
from models_runtime.phrases import phrase
from models_runtime.records import AnswerReward, CompletionRecord, read_jsonl
from models_runtime.states import StaleState
from training import judge_budget, runs, scorers
from training.configs.recipes import (
    RECIPES,
    TRAINS_BY,
    ContrastConfig,
    MadePairs,
    OnlineDPOConfig,
    dpo_options,
    parse_recipe,
)
from training.models import PairGraph, PairRound

log = logging.getLogger(__name__)
COMPLETIONS, REWARDS = "completions.jsonl", "rewards.jsonl"
ALIKE = "rewards alike"  # why the best and the worst of a prompt are no pair
SEED_STRIDE = 1009  # between rounds: every sample of every round is drawn anew
ENDED = ("succeeded", "failed", "cancelled")
STRONG, WEAK = 0, 1  # samplers of a contrast


def defaults(iteration: Iteration, recipe: str) -> dict[str, Any]:
    """What a graph of the iteration starts with: the recipe's options, and DPO's that fit a model
    of this size."""
    known = {one.name for one in dataclasses.fields(RECIPES[recipe])}
    fitting = runs.defaults(iteration, TRAINS_BY)
    return {name: value for name, value in fitting.items() if name in known}


def start(
    *,
    iteration: Iteration,
    recipe: str,
    options: dict[str, Any] | None = None,
    actor: User | None = None,
) -> PairGraph:
    """Write a graph with its first round. Raises configs.BadOption for what its options are not,
    ValueError, one sentence, where a model or prompts that it needs are not there."""
    if recipe not in RECIPES:
        parse_recipe(recipe, {})
    config = parse_recipe(recipe, {**defaults(iteration, recipe), **(options or {})})
    _refuse_late(iteration)
    scorers.scorers_of(iteration, recipe, config)
    scorers.relay_of(iteration, config)
    samplers = _sampled(iteration, iteration.policy, config)
    _refuse_other_tokens(iteration.policy, [one for one, _ in samplers])
    with transaction.atomic():
        graph = PairGraph.objects.create(
            iteration=iteration,
            recipe=recipe,
            options=dataclasses.asdict(config),
            created_by=actor,
        )
        _begin_round(graph, 1, iteration.policy)
        audit.record(verb="pair graph started", obj=graph, actor=actor, project=_project(graph))
    return graph


def config_of(graph: PairGraph) -> Any:
    """The recipe's checked options."""
    return parse_recipe(graph.recipe, graph.options)


def current_job(graph: PairGraph) -> Job | None:
    """What it waits for: the newest job of its newest round."""
    newest = graph.rounds.order_by("-number").first()
    return _newest_job(newest) if newest else None


def stop(graph: PairGraph, actor: User | None = None) -> None:
    """End the job under way, to go on from there later. Raises StaleState where none is."""
    states.advance(graph, "stopped")
    if job := current_job(graph):
        jobs.request_stop(job, actor=actor)
    audit.record(verb="pair graph stopped", obj=graph, actor=actor, project=_project(graph))


def go_on(graph: PairGraph, actor: User | None = None) -> None:
    """Take up one that was stopped, or that failed: its job is queued again, or another one runs
    in the place of one that was cancelled. Raises StaleState."""
    with transaction.atomic():
        states.advance(graph, "running", error="")
        job = current_job(graph)
        if job and job.state == "running" and job.stop_requested_at:
            raise StaleState(phrase("Its job is still stopping: wait a moment."))
        if job and job.state == "cancelled":
            _run_again(graph, job, actor)
        elif job and job.state in ("stopped", "failed"):
            jobs.requeue(job, actor=actor)
        audit.record(verb="pair graph resumed", obj=graph, actor=actor, project=_project(graph))


def cancel(graph: PairGraph, actor: User | None = None) -> None:
    """End it for good; what it has made stays. Raises StaleState where it has ended."""
    with transaction.atomic():
        states.advance(graph, "cancelled")
        job = current_job(graph)
        if job and job.state not in ENDED:
            jobs.cancel(job, actor=actor)
        audit.record(verb="pair graph cancelled", obj=graph, actor=actor, project=_project(graph))


ACTS: dict[str, Callable[..., None]] = {"stop": stop, "go-on": go_on, "cancel": cancel}


def tick() -> None:
    """Move every graph that can move."""
    for graph in _running().order_by("id"):
        step(graph)


def step(graph: PairGraph) -> None:
    """Take one graph's next step, unless somebody else takes one beside its iteration. What ends
    it is said on its row, in one sentence, and never keeps another one waiting."""
    try:
        with iterations.alone(graph.iteration) as is_ours:
            found = _running().filter(pk=graph.pk).first() if is_ours else None
            if found:
                _step(found)
    except StaleState:
        return  # somebody else took it, or stopped the graph
    except (OperationalError, InterfaceError):
        log.exception("pair graph %s: the database was away; the next tick goes on", graph.pk)
    except (ValueError, OSError) as error:
        _fail(graph, error)
    except Exception as error:
        log.exception("pair graph %s failed", graph.pk)
        _fail(graph, error)


def _fail(graph: PairGraph, error: Exception) -> None:
    rows = PairGraph.objects.filter(pk=graph.pk, state="running")
    rows.update(state="failed", error=runs.told(error))


def _running() -> QuerySet[PairGraph]:
    rows = PairGraph.objects.filter(state="running")
    return rows.select_related("iteration__campaign__project", "iteration__policy")


def _step(graph: PairGraph) -> None:
    related = ("sampling", "rewarding", "pairs", "policy", "run__job", "run__output")
    row = graph.rounds.select_related(*related).order_by("-number")[0]
    config = config_of(graph)
    if not runs.succeeded(row.sampling) or not _rewarded(graph, row, config):
        return
    if row.pairs is None:
        made = _freeze(graph, row, config)
        PairRound.objects.filter(pk=row.pk, pairs=None).update(pairs=made)
        row.refresh_from_db(fields=["pairs"])  # of two steps' pairs, those that stay
    if row.run is None:
        return _train(graph, row, config)
    if runs.succeeded(row.run.job):
        _end_round(graph, row, config)


def _rewarded(graph: PairGraph, row: PairRound, config: MadePairs) -> bool:
    """Whether a round's answers have what its recipe chooses by; what is not asked for yet, is."""
    if isinstance(config, ContrastConfig):
        return True
    if row.rewarding is None:
        _reward(graph, row, config)
        return False
    return runs.succeeded(row.rewarding)


def _end_round(graph: PairGraph, row: PairRound, config: Any) -> None:
    assert row.run is not None
    runs.settle_run(row.run)
    if row.number == config.rounds:
        states.advance(graph, "done")
        return
    assert row.run.output is not None
    with _held(graph):
        _refuse_late(graph.iteration)
        _begin_round(graph, row.number + 1, row.run.output)


def _begin_round(graph: PairGraph, number: int, policy: Checkpoint) -> None:
    """Write the next round with its sample job, unless it is there."""
    if graph.rounds.filter(number=number).exists():
        return
    iteration, config = graph.iteration, config_of(graph)
    seed = _seed(graph, number)
    sampled = _sampled(iteration, policy, config)
    samplers = [
        {
            "checkpoint": f"policy-{checkpoint.pk}",
            "k": config.k,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "max_new_tokens": config.max_new_tokens,
            "seed": seed + place,
            "system_prompt": system_prompt,
        }
        for place, (checkpoint, system_prompt) in enumerate(sampled)
    ]
    inputs = [runs.prompts_input(iteration, "train", limit=config.prompts, draw=number)]
    inputs += [
        jobs.input_of_checkpoint(f"policy-{pk}", one)
        for pk, one in {checkpoint.pk: checkpoint for checkpoint, _ in sampled}.items()
    ]
    job = jobs.submit(
        project=_project(graph), kind="sample", config={"samplers": samplers, "embed_with": ""},
        inputs=inputs, seed=seed, actor=graph.created_by,
    )  # fmt: skip
    PairRound.objects.create(graph=graph, number=number, policy=policy, sampling=job)


def _sampled(
    iteration: Iteration, policy: Checkpoint, config: MadePairs
) -> list[tuple[Checkpoint, str]]:
    """Who answers, each under its system prompt. Raises ValueError where one is not there."""
    asked = plan_of(iteration).system_prompt
    if not isinstance(config, ContrastConfig):
        return [(policy, asked)]
    return [
        (scorers.policy_named(iteration, name) if name else policy, prompt or asked)
        for name, prompt in (
            (config.strong, config.strong_prompt),
            (config.weak, config.weak_prompt),
        )
    ]


def _reward(graph: PairGraph, row: PairRound, config: MadePairs) -> None:
    iteration = graph.iteration
    found = scorers.scorers_of(iteration, graph.recipe, config)
    inputs = [jobs.input_of_output("completions", row.sampling)]
    inputs.append(
        runs.prompts_input(
            iteration, "train", limit=config.prompts, draw=row.number,
            system_prompt=plan_of(iteration).system_prompt,
        )
    )  # fmt: skip
    inputs += [jobs.input_of_checkpoint(name, one) for name, one in found.items()]
    relay = judge_budget.relay(graph, config)
    with _held(graph):
        if PairRound.objects.get(pk=row.pk).rewarding_id is not None:
            return
        job = jobs.submit(
            project=_project(graph), kind="reward",
            config={
                "recipe": graph.recipe,
                "options": graph.options,
                **relay,
            },
            inputs=inputs, seed=_seed(graph, row.number), actor=graph.created_by,
        )  # fmt: skip
        PairRound.objects.filter(pk=row.pk).update(rewarding=job)


def _freeze(graph: PairGraph, row: PairRound, config: MadePairs) -> Snapshot:
    """The round's pairs, stored once however often it is done."""
    dropped: Counter[str] = Counter()
    folder = jobs.output_folder(row.sampling) / COMPLETIONS
    iteration = graph.iteration
    sampled = _sampled(iteration, row.policy, config)
    by = sampled[0][0].name, sampled[-1][0].name
    if isinstance(config, ContrastConfig):
        pairs = contrasted(folder, by)
    else:
        assert row.rewarding is not None
        assert isinstance(config, OnlineDPOConfig)
        rewards = jobs.output_folder(row.rewarding) / REWARDS
        pairs = best_over_worst(folder, rewards, config.least_gap, by, dropped)
    made = {"recipe": graph.recipe, "graph": graph.pk, "round": row.number}
    return model_preferences.freeze(
        campaign=iteration.campaign, pairs=pairs, system_prompt=plan_of(iteration).system_prompt,
        made=made, dropped=dropped, actor=graph.created_by,
    )  # fmt: skip


def best_over_worst(
    completions: Path, rewards: Path, least_gap: float, by: tuple[str, str], dropped: Counter[str]
) -> Iterator[Chosen]:
    """Of each prompt's answers the best rewarded over the worst; the first of equals. Prompts
    whose answers are rewarded alike are counted in ``dropped``. Both files are in one order."""
    rows = zip(
        read_jsonl(completions, CompletionRecord), read_jsonl(rewards, AnswerReward), strict=True
    )
    for _, found in groupby(rows, key=lambda pair: pair[0].prompt_id):
        answers = list(found)
        best = max(answers, key=lambda pair: pair[1].reward)
        worst = min(answers, key=lambda pair: pair[1].reward)
        if best[1].reward - worst[1].reward > least_gap:
            yield Chosen(best[0], worst[0], by)
        else:
            dropped[ALIKE] += 1


def contrasted(completions: Path, by: tuple[str, str]) -> Iterator[Chosen]:
    """The strong side's answer over the weak side's, sample by sample."""
    rows = read_jsonl(completions, CompletionRecord)
    for _, found in groupby(rows, key=lambda row: row.prompt_id):
        answers = list(found)
        strong = [row for row in answers if row.sampler == STRONG]
        weak = [row for row in answers if row.sampler == WEAK]
        for one, other in zip(strong, weak, strict=True):
            yield Chosen(one, other, by)


def _train(graph: PairGraph, row: PairRound, config: MadePairs) -> None:
    """The run that learns from the round's pairs; the last one's policy is a candidate."""
    assert row.pairs is not None
    with _held(graph):
        if PairRound.objects.get(pk=row.pk).run_id is not None:
            return
        _refuse_late(graph.iteration)
        run = runs.start_on_made_pairs(
            iteration=graph.iteration,
            policy=row.policy,
            role="policy" if row.number == getattr(config, "rounds", 1) else "round",
            method=TRAINS_BY,
            options=dpo_options(config),
            snapshot=row.pairs,
            actor=graph.created_by,
        )
        PairRound.objects.filter(pk=row.pk).update(run=run)


@contextmanager
def _held(graph: PairGraph) -> Iterator[None]:
    """A transaction that holds a running graph: two steps must not both start the same work."""
    with transaction.atomic():
        rows = PairGraph.objects.select_for_update().filter(pk=graph.pk, state="running")
        if rows.first() is None:
            raise StaleState(phrase("The rounds were stopped meanwhile."))
        graph.iteration.refresh_from_db(fields=["state"])
        yield


def _newest_job(row: PairRound) -> Job:
    run = row.run
    return run.job if run else row.rewarding or row.sampling


def _run_again(graph: PairGraph, job: Job, actor: User | None) -> None:
    """Another job in the place of a cancelled one, with what that left of the judge's budget.
    Raises ValueError where nothing is left."""
    relay = judge_budget.relay(graph, config_of(graph)) if job.kind == "reward" else {}
    made = jobs.run_again(job, actor=actor)
    if relay:
        made.config = {**made.config, **relay}
        made.save(update_fields=["config"])
    _replace(graph, job, made)


def _replace(graph: PairGraph, old: Job, new: Job) -> None:
    for row in graph.rounds.all():
        PairRound.objects.filter(pk=row.pk, sampling=old).update(sampling=new)
        PairRound.objects.filter(pk=row.pk, rewarding=old).update(rewarding=new)
        if row.run is not None and row.run.job_id == old.pk:
            row.run.job = new
            row.run.save(update_fields=["job"])


def _refuse_late(iteration: Iteration) -> None:
    if not runs.is_taken_up(iteration, "policy"):
        raise ValueError(
            phrase("Runs start once the labels are frozen, until the iteration is decided.")
        )


def _refuse_other_tokens(policy: Checkpoint, sampled: list[Checkpoint]) -> None:
    """Raise ValueError: what another tokenizer wrote, the policy could not have said."""
    own = policy.facts.get("tokenizer_sha256")
    for one in sampled:
        other = one.facts.get("tokenizer_sha256")
        if own and other and own != other:
            raise ValueError(
                phrase(
                    "%(name)s has another tokenizer than the policy that would learn from it.",
                    name=one.name,
                )
            )


def _seed(graph: PairGraph, number: int) -> int:
    return runs.seed_for(graph.iteration, "round") + SEED_STRIDE * (number + 100 * graph.pk)


def _project(graph: PairGraph) -> Any:
    return graph.iteration.campaign.project
