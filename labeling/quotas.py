"""Quotas: how many labels a campaign wants of prompts of a category or a language, how many there
are, and what is handed out no more since there are enough.

A tick counts and acts, never an answer: it adds up the comparisons' kept counts, at most a
twentieth of its time. Of a name that is filled, what nobody has had yet is withheld; cards in
hand, and comparisons that have one label and want a second, are finished, so that a quota is
passed by no more than those. Where a quota is raised, or labels are taken out, they come back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from labeling import withheld
from labeling.iterations import parse_plan, plan_of
from labeling.models import Campaign, Comparison, Pilot, Prompt, Quota, User
from models_runtime import audit
from models_runtime.phrases import phrase

KINDS = ("category", "language")
UNITS = ("labels", "percent")
MOST = 200  # names of a kind
LARGEST = 10_000_000
EVERY_SECONDS = 5.0
TIME_SHARE = 0.05  # of a tick's time, at most, spent on counting
LOOKS = 40  # transactions of one look
Asked = tuple[int, str, str]  # a prompt's id, category and language
_next_look: dict[int, float] = {}  # by campaign, on this process's clock


class Refused(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Wanted:
    """``amount`` labels, or per cent of the campaign's target, of prompts of this name."""

    kind: str
    name: str
    amount: int
    unit: str = "labels"


def wanted_of(campaign: Campaign) -> list[Wanted]:
    rows = Quota.objects.filter(campaign=campaign, amount__isnull=False).order_by("kind", "name")
    return [Wanted(row.kind, row.name, row.amount or 0, row.unit) for row in rows]


def settle(*, campaign: Campaign, wanted: Iterable[Wanted], actor: User | None = None) -> None:
    """Put these quotas in force in place of those before. Raises Refused for what cannot be."""
    rows = sorted(wanted, key=lambda one: (one.kind, one.name))
    check(rows)
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        if wanted_of(campaign) == rows:
            return
        Quota.objects.filter(campaign=campaign).update(amount=None, filled=False)
        for one in rows:
            Quota.objects.update_or_create(
                campaign=campaign,
                kind=one.kind,
                name=one.name,
                defaults={"amount": one.amount, "unit": one.unit},
            )
        # The names are the prompts', and no words of a person about anybody.
        audit.record(verb="quotas settled", obj=campaign, actor=actor, data={"n": len(rows)})
    _next_look.pop(campaign.pk, None)


def draw_by(*, campaign: Campaign, fill: bool, actor: User | None = None) -> None:
    """Whether the prompts of rounds that begin from now on are drawn to fill the quotas."""
    with transaction.atomic():
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if held.plan.get("fill_quotas", False) == fill:
            return
        held.plan = {**held.plan, "fill_quotas": fill}
        held.save(update_fields=["plan"])
        audit.record(verb="quotas settled", obj=held, actor=actor, data={"fill": fill})
    campaign.plan = held.plan


def check(rows: list[Wanted]) -> None:
    """Raises Refused, one sentence."""
    for one in rows:
        if one.kind not in KINDS or one.unit not in UNITS or not one.name.strip():
            raise Refused(
                phrase("A quota is for a category or a language, in labels or per cent.")
            )
        most = 100 if one.unit == "percent" else LARGEST
        if not 0 < one.amount <= most:
            said = phrase("%(name)s: write a number from 1 to %(most)s.", name=one.name, most=most)
            raise Refused(said)
    for kind in KINDS:
        of_kind = [one for one in rows if one.kind == kind]
        if len(of_kind) > MOST:
            raise Refused(phrase("There are at most %(most)s quotas of a kind.", most=MOST))
        if sum(one.amount for one in of_kind if one.unit == "percent") > 100:
            raise Refused(phrase("Together the shares of a kind are more than the whole."))


def rows_of(campaign: Campaign) -> list[Quota]:
    """Quotas, and what is counted beside them, the most wanted first."""
    found = Quota.objects.filter(campaign=campaign)
    return sorted(found, key=lambda row: (row.kind, -(goal(row, campaign) or 0), row.name))


def goal(quota: Quota, campaign: Campaign) -> int | None:
    """A quota in labels; a share of the target is rounded up."""
    if quota.amount is None or quota.unit == "labels":
        return quota.amount
    return -(-quota.amount * target(campaign) // 100)


def target(campaign: Campaign) -> int:
    """The labels that a campaign is to collect: those of its iterations so far."""
    plans = [plan_of(row).target_labels for row in campaign.iterations.only("plan")]
    return sum(plans) or parse_plan(campaign.plan).target_labels


def names(campaign: Campaign) -> dict[str, list[str]]:
    """The categories and languages of the campaign's prompts, by kind, MOST of each."""
    prompts = Prompt.objects.filter(prompt_set__campaign=campaign)
    return {
        kind: list(
            prompts.exclude(**{kind: ""})
            .order_by(kind)
            .values_list(kind, flat=True)
            .distinct()[:MOST]
        )
        for kind in KINDS
    }


def keep(now: datetime | None = None) -> None:
    """Count what is due, and withhold or bring back. Safe to repeat, and at once with itself."""
    waits = Pilot.objects.filter(settled_at=None).values("campaign")
    rows = Campaign.objects.filter(state__in=("open", "paused")).exclude(pk__in=waits)
    wanted = Quota.objects.filter(amount__isnull=False).values("campaign")
    for campaign in rows.filter(pk__in=wanted):
        if time.monotonic() >= _next_look.get(campaign.pk, 0.0):
            begun = time.monotonic()
            recount(campaign, now)
            apply(campaign)
            spent = time.monotonic() - begun
            _next_look[campaign.pk] = begun + max(EVERY_SECONDS, spent / TIME_SHARE)
    counted = Quota.objects.filter(amount=None).values("campaign")
    for campaign in rows.filter(pk__in=counted).exclude(pk__in=wanted):
        withheld.release(withheld.rows(campaign))


def recount(campaign: Campaign, now: datetime | None = None) -> None:
    """What is collected of every name: counted labels of ordinary cards, late and other kinds of
    raters' as the iteration counts them."""
    now = now or timezone.now()
    for kind in KINDS:
        counted = dict(_collected(campaign, kind))
        known = {row.name: row for row in Quota.objects.filter(campaign=campaign, kind=kind)}
        for name in [*known, *(name for name in counted if name not in known)][: 2 * MOST]:
            row = known.get(name) or Quota(campaign=campaign, kind=kind, name=name)
            _note(row, campaign, counted.get(name, 0), now)


def fill(campaign: Campaign, prompts: Iterable[Asked], n: int, draw: random.Random) -> list[int]:
    """Up to ``n`` of these prompts, drawn so that the quotas fill together: each is of the names
    of which most is still missing, as a share of what is wanted. What no quota names comes when
    none is missing, what is filled not at all while anything else is left. Within names all have
    the same chance. Without a quota every prompt has."""
    groups: dict[tuple[str, str], list[int]] = {}
    for pk, category, language in prompts:
        groups.setdefault((category, language), []).append(pk)
    for members in groups.values():
        draw.shuffle(members)
    missing = _missing(campaign, n)
    taken: list[int] = []
    while len(taken) < n and groups:
        urgent = {names: _urgency(names, missing) for names in groups}
        most = max(urgent.values())
        tied = [names for names in groups if urgent[names] == most]
        [best] = draw.choices(tied, [len(groups[names]) for names in tied])
        taken.append(groups[best].pop())
        if not groups[best]:
            del groups[best]
        for name in zip(KINDS, best, strict=True):
            if name in missing:
                missing[name] = (missing[name][0] - 1, missing[name][1])
    return taken


def _missing(campaign: Campaign, n: int) -> dict[tuple[str, str], tuple[float, float]]:
    """(kind, name) of each quota: what is missing and what is wanted, in prompts where n of them
    are all that is missing."""
    found = [row for row in rows_of(campaign) if row.amount is not None]
    wanted = {(row.kind, row.name): goal(row, campaign) or 0 for row in found}
    left = {
        (row.kind, row.name): max(0, wanted[row.kind, row.name] - row.collected) for row in found
    }
    scaled: dict[tuple[str, str], tuple[float, float]] = {}
    for kind in KINDS:
        total = sum(amount for key, amount in left.items() if key[0] == kind)
        scale = n / total if total else 0.0
        for key, amount in left.items():
            if key[0] == kind:
                scaled[key] = (amount * scale, max(1.0, wanted[key] * scale))
    return scaled


def _urgency(names: tuple[str, str], missing: dict[tuple[str, str], tuple[float, float]]) -> float:
    """How much a prompt of these names is wanted: nothing of a filled name, and before it what no
    quota names."""
    found = [missing[key] for key in zip(KINDS, names, strict=True) if key in missing]
    if any(left <= 0 for left, _wanted in found):
        return -1.0
    return sum(left / wanted for left, wanted in found)


def apply(campaign: Campaign) -> int:
    """Withhold what is filled, and bring back what is filled no more, in short transactions and
    so many at a look that it ends. How many changed."""
    filled = _filled(campaign)
    changed = 0
    for _ in range(LOOKS):
        kept = (
            withheld.withhold(withheld.untouched(campaign).filter(filled, reserved=False))
            if filled
            else 0
        )
        back = withheld.rows(campaign)
        freed = len(withheld.release(back.exclude(filled) if filled else back))
        changed += kept + freed
        if not kept and not freed:
            break
    return changed


def _filled(campaign: Campaign) -> Q | None:
    """Comparisons of a filled name; None while there is none."""
    found = Q()
    for kind in KINDS:
        rows = Quota.objects.filter(campaign=campaign, kind=kind, filled=True)
        if done := list(rows.values_list("name", flat=True)):
            found |= Q(**{f"prompt__{kind}__in": done})
    return found or None


def _collected(campaign: Campaign, kind: str) -> QuerySet[Comparison, tuple[str, int]]:
    rows = Comparison.objects.filter(campaign=campaign, counted__gt=0, purpose="work")
    rows = rows.exclude(state="discarded").exclude(**{f"prompt__{kind}": ""}).order_by()
    return rows.values_list(f"prompt__{kind}").annotate(n=Sum("counted")).order_by("-n")


def _note(row: Quota, campaign: Campaign, collected: int, now: datetime) -> None:
    wanted = goal(row, campaign)
    filled = wanted is not None and collected >= wanted
    fields: dict[str, Any] = {"collected": collected, "filled": filled, "counted_at": now}
    if row.pk is None:
        Quota.objects.get_or_create(
            campaign=campaign, kind=row.kind, name=row.name, defaults=fields
        )
    else:
        # Conditional: a quota that a lead changed meanwhile is judged at the next look.
        Quota.objects.filter(pk=row.pk, amount=row.amount, unit=row.unit).update(**fields)
