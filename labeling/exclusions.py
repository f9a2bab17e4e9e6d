"""Excluding a rater's labels, and letting them back: one act, applied in the background.

Labels never change. One that is excluded has a SetAside row; where it held a place in its
comparison's count the place is free for others. Lifting takes the rows away again; where others
have filled the comparison meanwhile the label is accepted and not counted. What has no label to
act on has ended: begun twice, or broken off, the act goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from labeling import accepted, adaptive, disputes, slots, tallies
from labeling.models import Assignment, Campaign, Comparison, Exclusion, Label, SetAside, User
from models_runtime import audit, states
from models_runtime.phrases import phrase

AT_ONCE = 200  # labels in a transaction: raters' answers wait no longer than some 50 ms
CHUNKS = 50  # in one call: a tick ends before the next would begin


class NotPossible(ValueError):
    """Said to the lead; nothing was changed."""


def affected(campaign: Campaign, rater: User, from_at: datetime, until: datetime) -> int:
    """How many labels an exclusion would set aside, those that others set aside left out."""
    return accepted.of(_given(campaign, rater, from_at, until)).count()


def counting(campaign: Campaign, rater: User) -> int:
    """How many of the rater's labels are accepted now."""
    sums = tallies.of(tallies.Wanted(("said",), [campaign.pk], rater=rater.pk))
    return sum(one.n for key, one in sums.items() if not key.excluded)


def exclude(
    *,
    campaign: Campaign,
    rater: User,
    from_at: datetime,
    reason: str,
    text: str = "",
    actor: User,
    now: datetime | None = None,
) -> Exclusion:
    """Have the labels that the rater gave from then until now excluded; apply does it. What they
    answer after now counts again. Raises NotPossible."""
    now = now or timezone.now()
    if reason not in dict(Exclusion.REASONS):
        raise NotPossible(phrase("Choose a reason."))
    if from_at >= now:
        raise NotPossible(phrase("Choose a moment that is past."))
    try:
        with transaction.atomic():
            row = Exclusion.objects.create(
                campaign=campaign,
                rater=rater,
                from_at=from_at,
                until=now,
                reason=reason,
                text=text.strip(),
                by=actor,
                at=now,
            )
            _audit("labels excluded", row, actor, "", "applying")
    except IntegrityError:
        raise NotPossible(
            phrase("An exclusion of this rater's labels is just being applied or lifted.")
        ) from None
    return row


def lift(*, exclusion: Exclusion, actor: User) -> bool:
    """Let the labels back. False when that was asked for already. Raises NotPossible while
    another exclusion of the same rater is under way."""
    before = exclusion.state
    try:
        with transaction.atomic():
            states.advance(
                exclusion, "lifting", cursor=0, lifted_by=actor, lifted_at=timezone.now()
            )
            _audit("exclusion lifted", exclusion, actor, before, "lifting")
    except states.StaleState:
        return False
    except IntegrityError:
        raise NotPossible(
            phrase("An exclusion of this rater's labels is just being applied or lifted.")
        ) from None
    return True


def tick() -> int:
    """Go on with what is under way; how many labels were put aside or let back."""
    rows = Exclusion.objects.filter(state__in=("applying", "lifting")).order_by("id")
    return sum(go_on(row.pk) for row in list(rows.only("pk")))


def go_on(pk: int, chunks: int = CHUNKS) -> int:
    """So many short transactions of one exclusion, or fewer when it is done."""
    done = 0
    for _ in range(chunks):
        with transaction.atomic():
            row = Exclusion.objects.select_for_update(no_key=True).get(pk=pk)
            step = {"applying": _apply, "lifting": _lift}.get(row.state)
            touched = step(row) if step else None
        if touched is None:
            break
        disputes.look_at(touched)
        done += len(touched)
    return done


def _apply(row: Exclusion) -> list[int] | None:
    """The next labels put aside; the ids of their comparisons, None when there are no more."""
    given = _given(row.campaign, row.rater, row.from_at, row.until)
    found = _next(row, accepted.of(given))
    if not found:
        _end(row, "applied")
        return None
    held = _hold(found)
    mine = list(accepted.of(Label.objects.filter(pk__in=found)).select_related("set_aside"))
    counting = [label for label in mine if accepted.is_counted(label)]
    free(held, counting)
    again = [label.pk for label in mine if hasattr(label, "set_aside")]
    SetAside.objects.filter(pk__in=again).update(exclusion=row)
    new = [SetAside(label=label, exclusion=row) for label in mine if label.pk not in again]
    SetAside.objects.bulk_create(new)
    tallies.moved([label.pk for label in mine], out=True)
    row.labels += len(mine)
    row.uncounted += len(counting)
    row.cursor = found[-1]
    row.save(update_fields=["labels", "uncounted", "cursor"])
    return [label.comparison_id for label in mine]


def _lift(row: Exclusion) -> list[int] | None:
    """The next labels let back."""
    rows = SetAside.objects.filter(exclusion=row).order_by("label_id")
    found = list(rows.values_list("label_id", flat=True)[:AT_ONCE])
    if not found:
        _end(row, "lifted")
        return None
    held = _hold(found)
    back = list(Label.objects.filter(pk__in=found))
    stay = _covered_by_another(row, back)
    rest = [label for label in back if label.pk not in stay]
    in_force = set(
        Label.objects.filter(accepted.in_force(), pk__in=[label.pk for label in rest]).values_list(
            "pk", flat=True
        )
    )
    counting = [label for label in rest if label.counted and label.pk in in_force]
    placed = fill(held, counting)
    out = {label.pk for label in counting} - placed
    SetAside.objects.filter(pk__in=out).update(exclusion=None)
    SetAside.objects.filter(pk__in={label.pk for label in rest} - out).delete()
    tallies.moved([label.pk for label in rest], out=False)
    filled = Comparison.objects.filter(pk__in=held, state="complete").select_related("campaign")
    if row.campaign.more_rule:
        for comparison in filled.order_by("pk"):
            adaptive.reconsider(comparison)
    row.unplaced += len(out)
    row.save(update_fields=["unplaced"])
    return [label.comparison_id for label in back]


def free(held: dict[int, Comparison], labels: Sequence[Label]) -> None:
    """Turn the places that these labels hold into free ones, and take them out of what their
    iterations count. Comparisons are held by the transaction."""
    by_comparison = Counter(label.comparison_id for label in labels)
    for times in set(by_comparison.values()):
        ids = [pk for pk, n in by_comparison.items() if n == times]
        rows = Comparison.objects.filter(pk__in=ids)
        rows.update(counted=F("counted") - times, slots_left=F("slots_left") + times)
        rows.filter(state="complete").update(state="open")
    slots.tally_many(held, labels, -1)


def fill(held: dict[int, Comparison], labels: Sequence[Label]) -> set[int]:
    """Give labels their places back, where one is free; the ids of those that have one now."""
    left = {pk: comparison.slots_left for pk, comparison in held.items()}
    placed = []
    for label in sorted(labels, key=lambda one: one.pk):
        if left[label.comparison_id] > 0:
            left[label.comparison_id] -= 1
            placed.append(label)
    by_comparison = Counter(label.comparison_id for label in placed)
    for times in set(by_comparison.values()):
        ids = [pk for pk, n in by_comparison.items() if n == times]
        rows = Comparison.objects.filter(pk__in=ids)
        rows.update(counted=F("counted") + times, slots_left=F("slots_left") - times)
        rows.filter(state="open", counted=F("overlap")).update(state="complete")
    slots.tally_many(held, placed, 1)
    return {label.pk for label in placed}


def of(campaign: Campaign) -> QuerySet[Exclusion]:
    """The newest first."""
    return campaign.exclusions.select_related("rater", "by", "lifted_by").order_by("-id")


def covering(label: Label) -> QuerySet[Exclusion]:
    """Those in force that are about this label, or would be were it an accepted one."""
    return Exclusion.objects.filter(
        campaign=label.assignment.campaign_id,
        rater=label.rater_id,
        state__in=("applying", "applied"),
        from_at__lte=label.created_at,
        until__gte=label.created_at,
    )


def excluded(campaign: Campaign) -> int:
    """How many labels of the campaign are out now."""
    rows = SetAside.objects.filter(exclusion__campaign=campaign)
    return int(rows.aggregate(n=Count("pk"))["n"])


def _given(campaign: Campaign, rater: User, from_at: datetime, until: datetime) -> QuerySet[Label]:
    return Label.objects.filter(
        rater=rater,
        assignment__campaign=campaign,
        created_at__gte=from_at,
        created_at__lte=until,
    )


def _next(row: Exclusion, labels: QuerySet[Label]) -> list[int]:
    rows = labels.filter(pk__gt=row.cursor).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:AT_ONCE])


def _hold(labels: Iterable[int]) -> dict[int, Comparison]:
    """Their comparisons by id, held until the transaction ends: assignments first, each kind by
    id, as whoever answers or takes back does it. Until then no label of theirs is taken back."""
    assignments = Assignment.objects.filter(labels__pk__in=labels).order_by("pk")
    held = list(assignments.select_for_update(of=("self",), no_key=True))
    ids = {one.comparison_id for one in held}
    rows = Comparison.objects.filter(pk__in=ids).order_by("pk")
    return {one.pk: one for one in rows.select_for_update(no_key=True)}


def _covered_by_another(row: Exclusion, back: Iterable[Label]) -> set[int]:
    """What another exclusion in force covers too passes to it and stays out."""
    others = Exclusion.objects.filter(
        campaign=row.campaign_id, rater=row.rater_id, state="applied"
    ).order_by("id")
    stay: set[int] = set()
    for other in others:
        passed = [
            label.pk
            for label in back
            if label.pk not in stay and other.from_at <= label.created_at <= other.until
        ]
        SetAside.objects.filter(pk__in=passed).update(exclusion=other)
        Exclusion.objects.filter(pk=other.pk).update(labels=F("labels") + len(passed))
        stay.update(passed)
    return stay


def _end(row: Exclusion, state: str) -> None:
    before = row.state
    states.advance(row, state)
    counts = {"labels": row.labels, "uncounted": row.uncounted, "unplaced": row.unplaced}
    if state == "applied":
        _audit("exclusion applied", row, None, before, state, counts)
    else:
        _audit("labels let back", row, None, before, state, counts)


def _audit(
    verb: str,
    row: Exclusion,
    actor: User | None,
    before: str,
    after: str,
    data: dict[str, int] | None = None,
) -> None:
    audit.record(
        verb=verb,
        obj=row,
        actor=actor,
        project=row.campaign.project,
        from_state=before,
        to_state=after,
        data={"reason": row.reason, "campaign": row.campaign_id, **(data or {})},
    )


def erase_texts(user: User) -> int:
    """Empty what was typed about this rater, or by this person; how many texts."""
    rows = Exclusion.objects.filter(Q(rater=user) | Q(by=user)).exclude(text="")
    return rows.update(text="")
