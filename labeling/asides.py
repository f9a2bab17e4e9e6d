"""What a rater is handed besides work: training, the test, gold, and their own earlier cards anew.

First come the campaign's training items, one at a time, each explained when it was answered; then
its test, of which nothing is said before the end; then work, with gold and repeats drawn among it
by chance, so that nobody can tell which card is next. All look alike. Where a campaign uses none
of it, nothing here is asked: its columns, which were read anyway, say so.

Their cards hold no slot and count nowhere (Assignment.is_aside). Everything here runs inside a
transaction that holds the rater's seat, so that two tabs come one after the other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connection

from labeling import gold_results, qualification, seats
from labeling.models import Assignment, Campaign, Gold, User
from labeling.seats import Work

Unless = tuple[str, list[Any]]
WAIT: Literal["wait"] = "wait"  # nothing new now: something is to be read, or answered, first
LOOK_BACK = 200  # of a rater's earlier cards those that may come again, behind the gap
_draw = random.SystemRandom()  # which card is gold nobody can foresee


@dataclass(frozen=True)
class Aside:
    """A comparison to be leased without a slot: as which occasion, and the card of it that its
    rater let expire, if they did."""

    comparison: int
    occasion: int = 0
    expired: int | None = None


Step = Aside | Literal["wait"] | None


def are_in_use(campaign: Campaign, rater: User) -> bool:
    """Whether the campaign checks this rater. Programs and simulated raters are no people to
    train."""
    used = campaign.trains_raters or campaign.pass_mark
    return rater.kind == "person" and bool(used or campaign.gold_share or campaign.repeat_share)


def next_for(
    rater: User, campaign: Campaign, work: Work, *, in_hand: bool, unless: Unless = ("", [])
) -> Step:
    """What comes next besides work: an aside, WAIT, or None for work. ``in_hand``: the rater
    holds a card; ``unless`` is a further condition in SQL on the comparison c."""
    if work.stage != "work":
        before = _before_work(rater, campaign, work, in_hand, unless)
        if before is not None:
            return before
    drawn = _draw.random()
    if drawn < campaign.gold_share:
        return _gold(rater, campaign, unless)
    if drawn < campaign.gold_share + campaign.repeat_share:
        return _repeat(rater, campaign, unless)
    return None


def progress(rater: User, campaign: Campaign, work: Work) -> tuple[str, int, int] | None:
    """Where a rater is before work: ("training" or "qualification", done, of); None at work and
    where there is nothing to do before it."""
    if not are_in_use(campaign, rater) or work.stage in ("work", "failed"):
        return None
    if work.stage == "" and campaign.trains_raters:
        done, items = _done(rater, campaign, "training", 0)
        if done < items:
            return "training", done, items
    if campaign.pass_mark:
        done, items = _done(rater, campaign, "qualification", work.attempt)
        return ("qualification", done, items) if items else None
    return None


def has_failed(campaign: Campaign, rater: User, work: Work) -> bool:
    """Whether this rater waits for a lead to let them try the test again."""
    in_use = are_in_use(campaign, rater) and campaign.pass_mark and campaign.state == "open"
    return bool(in_use and work.stage == "failed")


def place_of(card: Assignment) -> tuple[str, int, int] | None:
    """Which item of the training or the test a card is: ("training" or "qualification", its
    number, of); None for work and gold, which nobody is told apart."""
    purpose = card.comparison.purpose
    if purpose not in ("training", "qualification"):
        return None
    rows = Gold.objects.filter(
        campaign=card.campaign_id, purpose=purpose, retired_at=None, comparison__state="open"
    )
    ids = list(rows.order_by("place", "id").values_list("comparison", flat=True))
    here = card.comparison_id
    return (purpose, ids.index(here) + 1, len(ids)) if here in ids else None


def is_settled(card: Assignment) -> bool:
    """Whether its answer cannot be taken back any more: its rater knows what was expected, or
    their test is over."""
    if card.comparison.purpose == "work":
        return are_in_use(card.comparison.campaign, card.rater) and has_met_item_of(card)
    over = card.comparison.purpose == "qualification" and qualification.is_decided(
        card.rater_id, card.campaign_id, card.occasion
    )
    return over or gold_results.is_known(card)


def has_met_item_of(card: Assignment) -> bool:
    """Whether its rater was handed an item that was made of the same card."""
    met = Gold.objects.filter(source=card.comparison_id, comparison__assignments__rater=card.rater)
    return met.exists()


def _before_work(
    rater: User, campaign: Campaign, work: Work, in_hand: bool, unless: Unless
) -> Step:
    if work.stage == "failed":
        return WAIT if campaign.pass_mark else None
    if work.stage == "" and campaign.trains_raters:
        step = _training(rater, campaign, in_hand, unless)
        if step is not None:
            return step
    return _test(rater, campaign, work, in_hand, unless) if campaign.pass_mark else None


def _training(rater: User, campaign: Campaign, in_hand: bool, unless: Unless) -> Step:
    """One at a time: what was expected of the last is read before the next comes."""
    item = _item(rater, campaign, "training", 0, unless)
    if item is not None:
        untold = gold_results.to_tell(rater, campaign).exists()
        return WAIT if in_hand or untold else item
    done, items = _done(rater, campaign, "training", 0, unless)
    if done < items or (items and gold_results.to_tell(rater, campaign).exists()):
        return WAIT
    if items and not campaign.pass_mark:
        seats.enter(rater.pk, campaign.pk, "work")
    return None


def _test(rater: User, campaign: Campaign, work: Work, in_hand: bool, unless: Unless) -> Step:
    """Without items there is no test yet: nobody waits for one."""
    if in_hand and work.stage == "":
        return WAIT  # work from before there was a test is finished first
    item = _item(rater, campaign, "qualification", work.attempt, unless)
    if item is not None:
        if work.stage == "":
            seats.enter(rater.pk, campaign.pk, "qualification")
        return item
    done, items = _done(rater, campaign, "qualification", work.attempt, unless)
    if not items:
        return None
    if done < items or in_hand:
        return WAIT
    qualification.decide(rater, campaign, work.attempt, items)
    return WAIT


# An item that its rater has not had, or let expire.
_ITEM = """
    SELECT c.id, a.id FROM labeling_gold g
    JOIN labeling_comparison c ON c.id = g.comparison_id
    JOIN labeling_campaign k ON k.id = g.campaign_id AND k.state = 'open'
    LEFT JOIN labeling_assignment a
        ON a.comparison_id = c.id AND a.rater_id = %s AND a.occasion = %s
    WHERE g.campaign_id = %s AND g.purpose = %s AND g.retired_at IS NULL AND c.state = 'open'
    AND (a.id IS NULL OR a.state = 'expired') {unless}
    ORDER BY g.place, g.id LIMIT 1
"""
_DONE = """
    SELECT COALESCE(SUM(CASE WHEN a.state IN ('submitted', 'skipped') THEN 1 ELSE 0 END), 0),
        COUNT(*) FROM labeling_gold g
    JOIN labeling_comparison c ON c.id = g.comparison_id
    LEFT JOIN labeling_assignment a
        ON a.comparison_id = c.id AND a.rater_id = %s AND a.occasion = %s
    WHERE g.campaign_id = %s AND g.purpose = %s AND g.retired_at IS NULL AND c.state = 'open'
    {unless}
"""
# Never the same twice, never one made of a card that the rater had, and only while there is work
# for them: nobody waits for work among gold alone.
_GOLD = """
    SELECT c.id FROM labeling_gold g
    JOIN labeling_comparison c ON c.id = g.comparison_id
    WHERE g.campaign_id = %s AND g.purpose = 'gold' AND g.retired_at IS NULL AND c.state = 'open'
    AND NOT EXISTS (
        SELECT 1 FROM labeling_assignment a
        WHERE a.rater_id = %s AND (a.comparison_id = c.id OR a.comparison_id = g.source_id)
    )
    AND {work} {unless} ORDER BY RANDOM() LIMIT 1
"""
_REPEAT = """
    SELECT c.id FROM (
        SELECT comparison_id, occasion, state FROM labeling_assignment
        WHERE rater_id = %s AND campaign_id = %s AND submitted_at IS NOT NULL
        ORDER BY submitted_at DESC, id DESC LIMIT %s OFFSET %s
    ) earlier
    JOIN labeling_comparison c ON c.id = earlier.comparison_id
    LEFT JOIN labeling_iteration j ON j.id = c.iteration_id
    WHERE earlier.occasion = 0 AND earlier.state = 'submitted'
    AND c.purpose = 'work' AND c.state IN ('open', 'complete') AND c.conversation_id IS NULL
    AND (c.iteration_id IS NULL OR (j.state = 'collecting' AND j.paused_at IS NULL))
    AND NOT EXISTS (
        SELECT 1 FROM labeling_assignment b
        WHERE b.comparison_id = c.id AND b.rater_id = %s AND b.occasion > 0
    )
    AND {work} {unless} ORDER BY RANDOM() LIMIT 1
"""
# As slots.take_first finds it.
_WORK = """
    EXISTS (
        SELECT 1 FROM labeling_comparison q
        JOIN labeling_campaign k ON k.id = q.campaign_id AND k.state = 'open'
        LEFT JOIN labeling_iteration i ON i.id = q.iteration_id
        WHERE q.campaign_id = %s AND q.state = 'open' AND q.slots_left > 0
        AND q.conversation_id IS NULL
        AND (q.iteration_id IS NULL OR (i.state = 'collecting' AND i.paused_at IS NULL))
        AND NOT EXISTS (
            SELECT 1 FROM labeling_assignment w
            WHERE w.comparison_id = q.id AND w.rater_id = %s
        )
        AND NOT EXISTS (
            SELECT 1 FROM labeling_gold t CROSS JOIN labeling_assignment m
            WHERE t.source_id = q.id AND m.comparison_id = t.comparison_id AND m.rater_id = %s
        )
    )
"""


def _item(
    rater: User, campaign: Campaign, purpose: str, occasion: int, unless: Unless
) -> Aside | None:
    values = [rater.pk, occasion, campaign.pk, purpose, *unless[1]]
    row = _first(_ITEM.format(unless=unless[0]), values)
    return Aside(row[0], occasion, row[1]) if row else None


def _done(
    rater: User, campaign: Campaign, purpose: str, occasion: int, unless: Unless = ("", [])
) -> tuple[int, int]:
    """How many of the items of this purpose the rater has done, and of how many."""
    values = [rater.pk, occasion, campaign.pk, purpose, *unless[1]]
    done, items = _first(_DONE.format(unless=unless[0]), values)
    return int(done), int(items)


def _gold(rater: User, campaign: Campaign, unless: Unless) -> Aside | None:
    values = [campaign.pk, rater.pk, campaign.pk, rater.pk, rater.pk, *unless[1]]
    row = _first(_GOLD.format(work=_WORK, unless=unless[0]), values)
    return Aside(row[0]) if row else None


def _repeat(rater: User, campaign: Campaign, unless: Unless) -> Aside | None:
    gap = campaign.repeat_after
    who = [rater.pk, campaign.pk]
    values = [*who, LOOK_BACK, gap, rater.pk, campaign.pk, rater.pk, rater.pk, *unless[1]]
    row = _first(_REPEAT.format(work=_WORK, unless=unless[0]), values)
    return Aside(row[0], occasion=1) if row else None


def _first(statement: str, values: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()
