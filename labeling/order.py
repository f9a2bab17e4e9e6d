"""In which order a campaign's comparisons are handed out, and which of them chance alone chose.

A comparison's place is its priority (higher first) and a number within it; both are stored when
it is made, so that handing one out stays one step along an index however the order came about. A
lead may change the order at any time: a tick gives what is still open its new place.

Reserved comparisons are a random slice of each round: prompt and pair are drawn by chance, quotas
and adaptive overlap pass them by, and their places are drawn among themselves, so that as many of
them as are answered are a fair sample. They are kept for evaluation and never trained on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Q

from labeling.iterations import MOST_RESERVED
from labeling.models import Campaign, Comparison, User
from models_runtime import audit
from models_runtime.phrases import phrase

RULES = ("random", "imported", "stratified")
STRATA = ("category", "language")
FIRST = ("", "column", "tags")
HIGHEST = 100  # of a priority, and below it as far under zero
STEP = 100  # of the stored priority, so that people's cards come first within one of a lead's
FOR_PEOPLE = 10
MOST_TAGS = 100
BITS = 31  # of a place within a priority
AT_ONCE = 500  # places written in one transaction; raters' answers wait no longer


class Refused(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Order:
    """``rule``: "random", "imported" (as the prompts came) or "stratified": whatever of it was
    answered has the mixture of the whole by ``strata``. Before it goes a priority: none (""),
    the one of the prompt's file ("column"), or the highest among its ``tags``."""

    rule: str = "random"
    strata: tuple[str, ...] = STRATA
    first: str = ""
    tags: dict[str, int] = field(default_factory=dict)


class Facts(NamedTuple):
    """What the place of a comparison depends on."""

    prompt: int
    category: str
    language: str
    tags: list[str]
    priority: int
    for_people: bool = False
    reserved: bool = False


Place = tuple[int, int]  # priority, and the number within it


def of(campaign: Campaign) -> Order:
    kept = campaign.ordering or {}
    known = {name: kept[name] for name in ("rule", "first", "tags") if name in kept}
    return Order(strata=tuple(kept.get("strata", STRATA)), **known)


def is_pending(campaign: Campaign) -> bool:
    """Whether open comparisons wait for their new places."""
    return bool((campaign.ordering or {}).get("due"))


def settle(*, campaign: Campaign, order: Order, actor: User | None = None) -> None:
    """Put an order in force: for what is made from now on at once, for what is open with the next
    tick. Raises Refused."""
    check(order)
    with transaction.atomic():
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if of(held) == order:
            return
        version = (held.ordering or {}).get("version", 0) + 1
        held.ordering = {**asdict(order), "version": version, "due": True}
        held.save(update_fields=["ordering"])
        said = {"rule": order.rule, "first": order.first, "strata": list(order.strata)}
        audit.record(verb="order settled", obj=held, actor=actor, data=said)
    campaign.ordering = held.ordering


def reserve(*, campaign: Campaign, share: float, actor: User | None = None) -> None:
    """Reserve this share of the comparisons of each round that begins from now on; those there
    are stay as they were drawn. Raises Refused."""
    if not 0 <= share <= MOST_RESERVED:
        raise Refused(phrase("At most half of the comparisons are kept for evaluation."))
    with transaction.atomic():
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if held.plan.get("reserve_share", 0.0) == share:
            return
        held.plan = {**held.plan, "reserve_share": share}
        held.save(update_fields=["plan"])
        audit.record(verb="reserve settled", obj=held, actor=actor, data={"share": share})
    campaign.plan = held.plan


def check(order: Order) -> None:
    """Raises Refused, one sentence."""
    if order.rule not in RULES or order.first not in FIRST or not set(order.strata) <= set(STRATA):
        raise Refused(phrase("There is no such order."))
    if order.rule == "stratified" and not order.strata:
        raise Refused(phrase("Choose what the mixture is of: categories, languages or both."))
    if len(order.tags) > MOST_TAGS:
        raise Refused(phrase("There are at most %(most)s tags with a priority.", most=MOST_TAGS))
    for tag, priority in order.tags.items():
        if not tag.strip() or not -HIGHEST <= priority <= HIGHEST:
            raise Refused(
                phrase(
                    "A priority is a whole number from -%(most)s to %(most)s, of a tag.",
                    most=HIGHEST,
                )
            )


def places(rows: Sequence[Facts], order: Order, draw: random.Random) -> list[Place]:
    """The place of each of these comparisons of one round. Of ``rows`` with S strata, the first k
    by their places hold each stratum to within 1 + S / (its share of 1) of its part of k, within
    one priority; what is reserved has the places that it would have, drawn anew among itself."""
    numbers = _NUMBERS[order.rule](rows, order, draw)
    found = [(_priority(row, order), n) for row, n in zip(rows, numbers, strict=True)]
    reserved = [number for number, row in enumerate(rows) if row.reserved]
    drawn = [found[number] for number in reserved]
    draw.shuffle(drawn)
    for number, place in zip(reserved, drawn, strict=True):
        found[number] = place
    return found


def tick() -> int:
    """Give what is open in campaigns whose order was changed its new places; how many there were.
    Safe to repeat, and at once with itself: the places are drawn by the change's number."""
    waiting = Campaign.objects.filter(ordering__due=True)
    return sum(_put_in_order(campaign) for campaign in waiting.order_by("pk")[:5])


def reserved(campaign: Campaign) -> tuple[int, int]:
    """How many of its comparisons are reserved, and of how many of them labels are counted."""
    rows = Comparison.objects.filter(campaign=campaign, reserved=True)
    found = rows.aggregate(n=Count("pk"), labelled=Count("pk", filter=Q(counted__gt=0)))
    return found["n"], found["labelled"]


def _put_in_order(campaign: Campaign) -> int:
    order, version = of(campaign), campaign.ordering["version"]
    draw = random.Random(f"order/{campaign.pk}/{version}")
    changed = 0
    for ids, rows in _rounds(campaign):
        placed = list(zip(places(rows, order, draw), ids, strict=True))
        for start in range(0, len(placed), AT_ONCE):
            changed += _write(placed[start : start + AT_ONCE])
    with transaction.atomic():
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if held.ordering.get("version") == version:
            held.ordering = {**held.ordering, "due": False}
            held.save(update_fields=["ordering"])
    return changed


def _rounds(campaign: Campaign) -> Iterable[tuple[list[int], list[Facts]]]:
    """What is open, iteration by iteration."""
    waits = Q(slots_left__gt=0) | Q(withheld__gt=0)
    found = Comparison.objects.filter(
        waits, campaign=campaign, state="open", conversation=None, purpose="work"
    ).values_list(
        "iteration",
        "pk",
        "audience",
        "reserved",
        "prompt",
        "prompt__category",
        "prompt__language",
        "prompt__tags",
        "prompt__priority",
    )
    for iteration, group in groupby(found.order_by("iteration", "pk"), key=lambda row: row[0]):
        ids, rows = [], []
        for row in group:
            ids.append(row[1])
            for_people = bool(iteration) and row[2] == "person"
            rows.append(Facts(row[4], row[5], row[6], row[7], row[8], for_people, row[3]))
        yield ids, rows


_UPDATE = "UPDATE labeling_comparison SET priority = %s, shuffle = %s WHERE id = %s"


def _write(some: Sequence[tuple[Place, int]]) -> int:
    values = [[*place, pk] for place, pk in sorted(some, key=lambda one: one[1])]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(_UPDATE, values)
    return len(values)


def _priority(row: Facts, order: Order) -> int:
    first = 0
    if order.first == "column":
        first = row.priority
    elif order.first == "tags":
        first = max((order.tags[tag] for tag in row.tags if tag in order.tags), default=0)
    return first * STEP + (FOR_PEOPLE if row.for_people else 0)


def _by_chance(rows: Sequence[Facts], order: Order, draw: random.Random) -> list[int]:
    return [draw.getrandbits(BITS) for _ in rows]


def _as_imported(rows: Sequence[Facts], order: Order, draw: random.Random) -> list[int]:
    """By the prompts' ids, which are given as they come; a later file's stand behind."""
    return [row.prompt for row in rows]


def _stratified(rows: Sequence[Facts], order: Order, draw: random.Random) -> list[int]:
    """Each stratum, in an order that is drawn, evenly over the whole length."""
    strata: dict[tuple[Any, ...], list[int]] = {}
    for number, row in enumerate(rows):
        strata.setdefault(_stratum(row, order), []).append(number)
    found = [0] * len(rows)
    for _, members in sorted(strata.items()):
        draw.shuffle(members)
        begin = draw.random()
        for place, number in enumerate(members):
            found[number] = int((place + begin) / len(members) * (2**BITS - 1))
    return found


def _stratum(row: Facts, order: Order) -> tuple[Any, ...]:
    """With the priority: each has the mixture of its own."""
    names = {"category": row.category, "language": row.language}
    return (_priority(row, order), *(names[name] for name in order.strata))


_NUMBERS = {"random": _by_chance, "imported": _as_imported, "stratified": _stratified}
