"""Iterations of the loop: the frozen plan, every move with its event, promotion."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labeling.models import Campaign, Iteration, IterationEvent, Promotion, User
from models_runtime import audit, states
from models_runtime.models import Checkpoint
from models_runtime.phrases import phrase, within

MOST_COMPLETIONS = 9  # on one card
MOST_RESERVED = 0.5  # of a round's comparisons
STEP_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """What one iteration does; frozen on the Iteration when it starts."""

    prompts: int = field(default=0, metadata={"help": "Prompts to sample; 0 takes all."})
    fill_quotas: bool = field(
        default=False,
        metadata={"help": "Whether prompts are drawn to fill the campaign's quotas."},
    )
    k: int = field(default=4, metadata={"help": "Completions per prompt and checkpoint."})
    temperature: float = field(default=0.8, metadata={"help": "Sampling temperature."})
    more_temperatures: list[float] = field(
        default_factory=list, metadata={"help": "Temperatures to sample k at besides that one."}
    )
    top_p: float = field(default=1.0, metadata={"help": "Nucleus sampling mass."})
    max_new_tokens: int = field(default=64, metadata={"help": "Longest completion, in tokens."})
    system_prompt: str = field(default="", metadata={"help": "Put before every prompt."})
    sample_previous: bool = field(
        default=True, metadata={"help": "Also sample the policy's parent: a free comparison."}
    )
    comparisons: int = field(default=700, metadata={"help": "Comparisons to open."})
    completions_per_comparison: int = field(
        default=2,
        metadata={"help": "Completions on a card: 2 to 9; 1: single ones; 0: the prompt alone."},
    )
    strategy: str = field(default="random", metadata={"help": "How pairs are selected."})
    random_share: float = field(
        default=0.1, metadata={"help": "Share of pairs no strategy touches, so estimates hold."}
    )
    reserve_share: float = field(
        default=0.0,
        metadata={"help": "Share of comparisons drawn by chance alone, kept for evaluation."},
    )
    double_share: float = field(
        default=0.1, metadata={"help": "Share of comparisons labelled twice, for agreement."}
    )
    target_labels: int = field(default=700, metadata={"help": "Counted labels to collect."})
    people_only: int = field(
        default=0, metadata={"help": "Comparisons kept for people, out of simulated hands."}
    )
    count_simulated: bool = field(
        default=False, metadata={"help": "Whether simulated labels count towards the target."}
    )
    start_training: str = field(
        default="auto",
        metadata={"help": "auto: at the target; person: when somebody presses the button."},
    )
    with_tagged: bool = field(
        default=True,
        metadata={"help": "Learn from labels of tagged batches (checkpoints of a run) too."},
    )
    margin: str = field(default="none", metadata={"help": "Margin schedule: none, small, large."})
    reward: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Options of the reward model's config."}
    )
    method: str = field(default="raft", metadata={"help": "Training method of the policy."})
    options: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Options of that method's config."}
    )
    evaluation: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Options of the evaluation."}
    )
    guards: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Limits that stop an iteration."}
    )
    repeat: bool = field(
        default=True, metadata={"help": "Start the next iteration when one is promoted."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of everything random in it."})


def plan_of(iteration: Iteration) -> Plan:
    return Plan(**iteration.plan)


def parse_plan(data: dict[str, Any]) -> Plan:
    """A Plan from stored or typed data. Raises ValueError, one sentence, for an unknown setting
    or a size of cards that cannot be followed."""
    known = {f.name for f in dataclasses.fields(Plan)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise ValueError(
            phrase("A plan has no setting named %(unknown)s.", unknown=", ".join(unknown))
        )
    plan = Plan(**data)
    if not 0 <= plan.reserve_share <= MOST_RESERVED:
        raise ValueError(phrase("At most half of the comparisons are kept for evaluation."))
    _check_size(plan)
    return plan


def _check_size(plan: Plan) -> None:
    size = plan.completions_per_comparison
    if not 0 <= size <= MOST_COMPLETIONS:
        raise ValueError(
            phrase(
                "A card shows 0 to %(most_completions)s completions, not %(size)s.",
                most_completions=MOST_COMPLETIONS,
                size=size,
            )
        )
    if size != 2 and plan.strategy != "random":
        raise ValueError(
            phrase(
                "The selection %(strategy)s chooses pairs: cards of %(size)s are random.",
                strategy=plan.strategy,
                size=size,
            )
        )
    samples = plan.k * (1 + len(plan.more_temperatures))
    if size > samples:
        raise ValueError(
            phrase(
                "A card of %(size)s completions needs as many samples, not %(samples)s.",
                size=size,
                samples=samples,
            )
        )


def current_policy(campaign: Campaign) -> Checkpoint | None:
    """The checkpoint of the newest policy promotion, else the campaign's first policy."""
    rows = campaign.promotions.filter(role="policy").select_related("checkpoint")
    newest = rows.order_by("-id").first()
    return newest.checkpoint if newest else campaign.first_policy


def create(*, campaign: Campaign, actor: User | None = None, **overrides: Any) -> Iteration:
    """The campaign's next iteration, in draft, its plan frozen from the campaign's.

    Raises ValueError when the campaign is not open or has no policy, when the plan has an unknown
    setting, or while another iteration is still under way.
    """
    if campaign.state != "open":
        raise ValueError(phrase("The campaign is %(state)s: open it first.", state=campaign.state))
    policy = current_policy(campaign)
    if policy is None:
        raise ValueError(
            phrase("The campaign has no first policy yet: register a checkpoint for it.")
        )
    plan = parse_plan({**campaign.plan, **overrides})
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        newest = campaign.iterations.order_by("-number").first()
        if newest and newest.state not in ("promoted", "rejected"):
            raise ValueError(
                phrase(
                    "Iteration %(number)s is still %(state)s.",
                    number=newest.number,
                    state=newest.state,
                )
            )
        iteration = Iteration.objects.create(
            campaign=campaign,
            number=newest.number + 1 if newest else 1,
            plan=dataclasses.asdict(plan),
            policy=policy,
            parent=newest,
        )
        _event(iteration, "", "draft", actor, "created")
    return iteration


def advance(
    iteration: Iteration, to: str, *, actor: User | None = None, reason: str = "", **changes: Any
) -> None:
    """Move an iteration with its event, in one transaction. Raises states.StaleState."""
    before = iteration.state
    with transaction.atomic():
        states.advance(iteration, to, **changes)
        _event(iteration, before, to, actor, reason)


def fail(iteration: Iteration, sentence: str) -> None:
    """Stop an iteration that cannot go on; it remembers from where, so that retry returns."""
    iteration.refresh_from_db(fields=["state"])  # a step that was rolled back left it ahead
    advance(iteration, "failed", reason=sentence, failed_from=iteration.state, error=sentence)


def retry(iteration: Iteration, *, actor: User | None = None) -> None:
    """Send a failed iteration back to the state it failed from."""
    advance(iteration, iteration.failed_from, actor=actor, reason="retried", error="")


def set_paused(iteration: Iteration, paused: bool, *, actor: User | None = None) -> None:
    """Put or lift the pause mark; repeating it changes nothing."""
    rows = Iteration.objects.filter(pk=iteration.pk, paused_at__isnull=paused)
    if rows.update(paused_at=timezone.now() if paused else None):
        audit.record(
            verb="paused" if paused else "resumed",
            obj=iteration,
            actor=actor,
            project=iteration.campaign.project,
        )


def request_freeze(iteration: Iteration, *, actor: User | None = None) -> None:
    """Ask the loop to stop collecting and train with what there is."""
    rows = Iteration.objects.filter(
        pk=iteration.pk, state="collecting", freeze_requested_at__isnull=True
    )
    if rows.update(freeze_requested_at=timezone.now()):
        audit.record(
            verb="freeze requested",
            obj=iteration,
            actor=actor,
            project=iteration.campaign.project,
        )


def keep_collecting(iteration: Iteration, sentence: str) -> None:
    """It stays open to raters and exports, and says why it does not train; what asked it to is
    answered. Repeating it changes nothing."""
    rows = Iteration.objects.filter(pk=iteration.pk, state="collecting")
    said = Q(error=sentence, freeze_requested_at=None)
    rows.exclude(said).update(error=sentence, freeze_requested_at=None)


def promote(
    *, iteration: Iteration, checkpoint: Checkpoint, actor: User | None = None, reason: str = ""
) -> Promotion:
    """Make checkpoint the campaign's policy and close the iteration. Raises states.StaleState
    unless the iteration is in review, so that two people cannot both decide."""
    with transaction.atomic():
        advance(iteration, "promoted", actor=actor, reason=reason)
        return Promotion.objects.create(
            campaign=iteration.campaign,
            iteration=iteration,
            checkpoint=checkpoint,
            by=actor,
            reason=reason[:500],
        )


def reject(*, iteration: Iteration, actor: User | None = None, reason: str = "") -> None:
    """Close the iteration; the policy in force stays."""
    advance(iteration, "rejected", actor=actor, reason=reason)


def _event(iteration: Iteration, before: str, after: str, actor: User | None, reason: str) -> None:
    IterationEvent.objects.create(
        iteration=iteration,
        from_state=before,
        to_state=after,
        actor=actor,
        reason=within(reason, 500),
    )
    audit.record(
        verb="iteration moved",
        obj=iteration,
        actor=actor,
        project=iteration.campaign.project,
        from_state=before,
        to_state=after,
    )


@contextlib.contextmanager
def alone(iteration: Iteration, **where: str) -> Iterator[bool]:
    """Whether this process alone may take a step now: the iteration's, or one of the batches and
    graphs beside it. ``where`` is what its stored row must be besides."""
    now = timezone.now()
    free = Q(step_until__isnull=True) | Q(step_until__lt=now)
    until = now + datetime.timedelta(seconds=STEP_SECONDS)
    if not Iteration.objects.filter(free, pk=iteration.pk, **where).update(step_until=until):
        yield False
        return
    try:
        yield True
    finally:
        Iteration.objects.filter(pk=iteration.pk, step_until=until).update(step_until=None)
