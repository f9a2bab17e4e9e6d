"""What leads decide about comparisons that raters disagree on or flagged.

Every decision is a row, and taking it back is another. The lead's own answer is a label, apart
from the raters': it holds no place and is counted by nobody, but where it stands it is what the
comparison teaches. Raters' labels are never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from labeling import disputes, labels, slots, withdrawals
from labeling.models import Adjudication, Campaign, Comparison, Flag, User
from labeling.questions import InvalidAnswer
from models_runtime import audit, states
from models_runtime.phrases import phrase

MOST_MORE = 9  # labels that are asked for at once
LONGEST = 2_000  # characters of a reason
__all__ = ["InvalidAnswer"]


class NotPossible(ValueError):
    """Said to the lead; nothing was changed."""


def decide(
    *,
    comparison: Comparison,
    kind: str,
    actor: User,
    text: str = "",
    parts: dict[str, Any] | None = None,
    more: int = 0,
) -> Adjudication:
    """``kind``: "answer" (with ``parts`` as an instrument posts them), "accept", "discard" or
    "more" (so many more labels). Its unresolved flags are settled with it.

    Raises NotPossible, and InvalidAnswer for an answer that the question does not take; then
    nothing was changed.
    """
    act = _ACTS.get(kind)
    if act is None:
        raise NotPossible(phrase("Choose what becomes of the comparison."))
    if len(text) > LONGEST:
        raise NotPossible(phrase("Write at most %(n)s characters.", n=str(LONGEST)))
    with transaction.atomic():
        held = _held(comparison)
        if standing(held) is not None:
            raise NotPossible(phrase("A decision stands already: take it back first."))
        row = Adjudication(
            campaign_id=held.campaign_id,
            comparison=held,
            kind=kind,
            more=more if kind == "more" else 0,
            text=text.strip(),
            by=actor,
        )
        before = held.state
        row.flags = _settle_flags(held)
        act(held, row, parts or {})
        row.save()
        withdrawals.put_back(held)
        _audit("comparison decided", row, actor, before)
    disputes.look_at([comparison.pk])
    return row


def undo(*, adjudication: Adjudication, actor: User) -> Adjudication | None:
    """Take a decision back: all is as it was before, but for what raters have done since. None
    when it was taken back already."""
    comparison = adjudication.comparison
    with transaction.atomic():
        held = _held(comparison)
        if Adjudication.objects.filter(undoes=adjudication).exists():
            return None
        before = held.state
        _UNDOES[adjudication.kind](held, adjudication)
        _raise_flags_again(held, adjudication)
        row = Adjudication.objects.create(
            campaign_id=held.campaign_id,
            comparison=held,
            kind="undone",
            undoes=adjudication,
            by=actor,
        )
        _audit("decision taken back", row, actor, before)
    if held.state == "withdrawn":
        withdrawals.empty_hands(held)
    disputes.look_at([comparison.pk])
    return row


def standing(comparison: Comparison) -> Adjudication | None:
    """The decision in force."""
    rows = Adjudication.objects.filter(comparison=comparison, undone_by__isnull=True)
    return rows.exclude(kind="undone").select_related("label", "by").order_by("-id").first()


def of(campaign: Campaign) -> QuerySet[Adjudication]:
    """Decisions in force, the newest first."""
    rows = Adjudication.objects.filter(campaign=campaign, undone_by__isnull=True)
    return rows.exclude(kind="undone").select_related("by", "comparison__prompt").order_by("-id")


def answered(campaign: Campaign) -> int:
    """How many comparisons a lead's own answer decides."""
    return of(campaign).filter(kind="answer").count()


def erase_texts(user: User) -> int:
    """Empty the reasons that this person typed; how many."""
    return Adjudication.objects.filter(by=user).exclude(text="").update(text="")


def _answer(held: Comparison, row: Adjudication, parts: dict[str, Any]) -> None:
    if held.conversation_id is not None or held.purpose != "work":
        raise NotPossible(phrase("Only what was put to raters on a card is answered here."))
    assert row.by is not None
    row.label = labels.record_decision(comparison=held, lead=row.by, parts=parts)


def _withdraw_answer(held: Comparison, row: Adjudication) -> None:
    assert row.label is not None
    labels.withdraw_decision(row.label)


def _accept(held: Comparison, row: Adjudication, parts: dict[str, Any]) -> None:
    """The majority stands, or there is none: what raters said is what there is."""


def _discard(held: Comparison, row: Adjudication, parts: dict[str, Any]) -> None:
    if held.conversation_id is not None:
        raise NotPossible(phrase("A talk's pair ends with its talk."))
    try:
        states.advance(held, "discarded")
    except states.StaleState:
        raise NotPossible(phrase("The comparison is discarded already.")) from None
    slots.discount(held)


def _bring_back(held: Comparison, row: Adjudication) -> None:
    full = 0 < held.overlap == held.counted
    try:
        states.advance(held, "complete" if full else "open", where=Q(state="discarded"))
    except states.StaleState:
        return
    slots.recount(held)


def _want_more(held: Comparison, row: Adjudication, parts: dict[str, Any]) -> None:
    if held.conversation_id is not None or held.purpose != "work":
        raise NotPossible(phrase("Only what was put to raters on a card is answered here."))
    if held.state == "discarded":
        raise NotPossible(phrase("The comparison is discarded already."))
    if held.withheld:
        raise NotPossible(phrase("It is kept back for now, by a pilot or a full quota."))
    if not 1 <= row.more <= MOST_MORE:
        raise NotPossible(phrase("Ask for 1 to %(n)s more labels.", n=str(MOST_MORE)))
    rows = Comparison.objects.filter(pk=held.pk)
    rows.update(overlap=F("overlap") + row.more, slots_left=F("slots_left") + row.more)
    rows.filter(state="complete").update(state="open")
    held.refresh_from_db(fields=["overlap", "slots_left", "state"])


def _want_no_more(held: Comparison, row: Adjudication) -> None:
    """What nobody has in hand or has answered is wanted no more."""
    free = min(row.more, held.slots_left)
    rows = Comparison.objects.filter(pk=held.pk)
    rows.update(overlap=F("overlap") - free, slots_left=F("slots_left") - free)
    rows.filter(state="open", overlap__gt=0, counted=F("overlap")).update(state="complete")
    held.refresh_from_db(fields=["overlap", "slots_left", "state"])


def _nothing(held: Comparison, row: Adjudication) -> None:
    """There was nothing to change but flags."""


_ACTS: dict[str, Callable[[Comparison, Adjudication, dict[str, Any]], None]] = {
    "answer": _answer,
    "accept": _accept,
    "discard": _discard,
    "more": _want_more,
}
_UNDOES: dict[str, Callable[[Comparison, Adjudication], None]] = {
    "answer": _withdraw_answer,
    "accept": _nothing,
    "discard": _bring_back,
    "more": _want_no_more,
}


def _held(comparison: Comparison) -> Comparison:
    rows = Comparison.objects.select_related("campaign__project", "campaign__question")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=comparison.pk)


def _settle_flags(held: Comparison) -> list[int]:
    rows = Flag.objects.filter(comparison=held, resolved_at__isnull=True)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    rows.update(resolved_at=timezone.now())
    return ids


def _raise_flags_again(held: Comparison, row: Adjudication) -> None:
    rows = Flag.objects.filter(pk__in=row.flags)
    rows.update(resolved_at=None)
    if rows.filter(code=withdrawals.CODE).exists():
        withdrawals.close(held)


def _audit(verb: str, row: Adjudication, actor: User, before: str) -> None:
    audit.record(
        verb=verb,
        obj=row.comparison,
        actor=actor,
        project=row.comparison.campaign.project,
        from_state=before,
        to_state=row.comparison.state,
        data={
            "decision": row.pk,
            "kind": row.kind,
            "label": row.label_id,
            "more": row.more,
            "flags": len(row.flags),
        },
    )
