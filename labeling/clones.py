"""A new draft that is set up as another campaign is: to change a little and ask again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from labeling import campaigns, pay, quotas, spend, written
from labeling.campaigns import Ask, Setting
from labeling.models import Campaign, Prompt, PromptSet, User
from labeling.spend import Limits
from models_runtime import audit
from models_runtime.phrases import phrase

AT_ONCE = 1_000  # prompts in one statement
# Columns that a new campaign has its own of; pay and the others follow through their services.
OWN = {
    "id",
    "slug",
    "name",
    "state",
    "question",
    "guideline",
    "confirm_from",
    "created_at",
    "project",
}
SETTLED = {"pay_per", "pay_amount", "pay_currency", "shows_time", "demo_world"}
# What a clone begins without, in the words of its page.
LEFT = (
    phrase("labels, comparisons and iterations"),
    phrase("the policies that it promoted: the first policy is the same"),
    phrase("gold items and other checks' items, though not their settings"),
    phrase("the deadline"),
    phrase("what raters agreed to, and what they left"),
)


def clone(*, campaign: Campaign, name: str, prompts: bool, actor: User | None = None) -> Campaign:
    """A draft of this name with all that is settled of ``campaign``: what is asked and told (as
    its version 1), plan, gate, care, pay, limits, quotas, groups and checks. With ``prompts``,
    those that were imported too; what raters wrote or said stays where it is."""
    question, guideline = campaign.question, campaign.guideline
    if question is None:
        raise ValueError(phrase("The campaign asks no question yet."))
    with transaction.atomic():
        made = campaigns.create(
            project=campaign.project,
            name=name,
            ask=Ask(
                question.text,
                question.parts,
                question.trains_on,
                guideline.markdown if guideline else "",
                guideline.must_confirm if guideline else False,
            ),
            setting=Setting(
                campaign.first_policy, campaign.labels_per_comparison, dict(campaign.plan)
            ),
            actor=actor,
        )
        _copy_columns(campaign, made)
        pay.settle(campaign=made, counters=pay.of(campaign), actor=actor)
        limits = spend.limits_of(campaign)
        kept = Limits(limits.labels, limits.hours, limits.money, None, limits.zone)
        spend.settle(campaign=made, limits=kept, actor=actor)
        quotas.settle(campaign=made, wanted=quotas.wanted_of(campaign), actor=actor)
        copied = _copy_prompts(campaign, made) if prompts else 0
        said = {"from": campaign.pk, "prompts": copied}
        audit.record(verb="campaign cloned", obj=made, actor=actor, data=said)
    return made


def prompts_of(campaign: Campaign) -> QuerySet[Prompt]:
    """The prompts that a clone may have: imported ones that are asked, and no turn of a talk."""
    rows = Prompt.objects.filter(
        Q(import_batch=None) | Q(import_batch__state="live"),
        prompt_set__campaign=campaign,
        parent_completion=None,
        withdrawn_at=None,
    )
    return rows.exclude(source=written.SOURCE)


def _copy_columns(campaign: Campaign, made: Campaign) -> None:
    """Every setting there is, those of tomorrow included: whatever is no campaign's own."""
    names = [
        field.name for field in Campaign._meta.concrete_fields if field.name not in OWN | SETTLED
    ]
    for name in names:
        setattr(made, name, getattr(campaign, name))
    made.save(update_fields=names)
    for field in Campaign._meta.many_to_many:
        getattr(made, field.name).set(getattr(campaign, field.name).all())


def _copy_prompts(campaign: Campaign, made: Campaign) -> int:
    copied = 0
    for kept in PromptSet.objects.filter(campaign=campaign).order_by("pk"):
        rows = prompts_of(campaign).filter(prompt_set=kept).order_by("pk")
        if not rows.exists():
            continue
        fresh = PromptSet.objects.create(
            project=made.project, campaign=made, name=kept.name, licence=kept.licence
        )
        copies = _copies(rows, fresh)
        while some := list(islice(copies, AT_ONCE)):
            copied += len(Prompt.objects.bulk_create(some))
    if copied and campaign.demo_world:
        Campaign.objects.filter(pk=made.pk).update(demo_world=True)
    return copied


def _copies(rows: QuerySet[Prompt], fresh: PromptSet) -> Iterator[Prompt]:
    names = [field.attname for field in Prompt._meta.concrete_fields]
    for row in rows.iterator(AT_ONCE):
        values: dict[str, Any] = {name: getattr(row, name) for name in names if name != "id"}
        yield Prompt(**{**values, "prompt_set_id": fresh.pk})
