"""What raters dispute of their pay, and what leads answer. An upheld dispute may grant an amount,
which is paid with the period in which it was answered."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from labeling import seats
from labeling.currencies import DECIMALS
from labeling.earnings import Period, rounded
from labeling.models import Campaign, PayDispute, User
from labeling.questions import texts
from models_runtime import audit
from models_runtime.phrases import phrase

LONGEST = 2000
MOST_OPEN = 12  # unanswered ones of a rater in a campaign: of each month of a year
MOST_GRANTED = Decimal("99999999")


class NotPossible(ValueError):
    """Nothing was changed; says why in one sentence."""


def of(rater: User, period: Period) -> QuerySet[PayDispute]:
    """The rater's disputes of exactly these days, the newest first."""
    rows = PayDispute.objects.filter(rater=rater, starts=period.starts, ends=period.ends)
    return rows.exclude(state="withdrawn").order_by("-id")


def unanswered(campaign: Campaign) -> QuerySet[PayDispute]:
    """The oldest first."""
    rows = campaign.pay_disputes.filter(state="open")
    return rows.select_related("rater", "campaign").order_by("id")


def count_open(campaign: Campaign, period: Period) -> dict[int, int]:
    """Open disputes about these days, by rater."""
    rows = campaign.pay_disputes.filter(state="open", starts=period.starts, ends=period.ends)
    return dict(rows.order_by().values_list("rater").annotate(Count("pk")))


def count_open_in(campaigns: Iterable[Campaign], period: Period) -> dict[tuple[int, int], int]:
    """The same in several campaigns, by campaign and rater."""
    rows = PayDispute.objects.filter(
        campaign__in=campaigns, state="open", starts=period.starts, ends=period.ends
    )
    counts = rows.order_by().values_list("campaign", "rater").annotate(Count("pk"))
    return {(campaign, rater): n for campaign, rater, n in counts}


def begin(*, rater: User, campaign: Campaign, period: Period, text: str) -> PayDispute:
    """Say that one's pay of these days in a campaign is wrong. Raises NotPossible without a word
    of why, while another dispute about them is open, and beyond MOST_OPEN."""
    said = _checked(text)
    try:
        with transaction.atomic():
            seats.hold(rater.pk, campaign.pk)  # of two presses one comes after the other
            mine = PayDispute.objects.filter(rater=rater, campaign=campaign, state="open")
            if mine.count() >= MOST_OPEN:
                raise NotPossible(
                    phrase("Your lead has not answered %(n)s disputes of yours yet.", n=MOST_OPEN)
                )
            made = PayDispute.objects.create(
                rater=rater,
                campaign=campaign,
                starts=period.starts,
                ends=period.ends,
                text=said,
            )
            audit.record(
                verb="pay disputed", obj=made, actor=rater, project=campaign.project,
                data={"starts": str(period.starts), "ends": str(period.ends)},
            )  # fmt: skip
    except IntegrityError as error:
        raise NotPossible(
            phrase("You disputed these days already: wait for the answer, or take it back.")
        ) from error
    return made


def withdraw(*, dispute: PayDispute) -> bool:
    """The rater thinks better of it. False when it was answered or taken back already."""
    with transaction.atomic():
        if not _settle(dispute, "withdrawn"):
            return False
        audit.record(
            verb="pay dispute withdrawn",
            obj=dispute,
            actor=dispute.rater,
            project=dispute.campaign.project,
        )
    return True


def answer(
    *,
    dispute: PayDispute,
    is_upheld: bool,
    sentence: str,
    granted: Decimal = Decimal(0),
    currency: str = "",
    actor: User,
) -> bool:
    """Uphold or decline it, with a sentence that its rater reads. Of two leads one does: False for
    the other. Raises NotPossible for an amount that cannot be paid."""
    said = _checked(sentence)
    _check_granted(is_upheld, granted, currency)
    state = "upheld" if is_upheld else "declined"
    amount = rounded(granted, currency) if granted else Decimal(0)
    with transaction.atomic():
        settled = _settle(
            dispute, state, answer=said, granted=amount, currency=currency if granted else "",
            answered_by=actor, answered_at=timezone.now(),
        )  # fmt: skip
        if not settled:
            return False
        data = {"granted": str(amount), "currency": currency if granted else ""}
        audit.record(
            verb="pay dispute answered",
            obj=dispute,
            actor=actor,
            project=dispute.campaign.project,
            from_state="open",
            to_state=state,
            data=data,
        )
    dispute.refresh_from_db()
    return True


def erase(rater: User) -> int:
    """Empty what was typed in the rater's disputes, and what they answered others when they were a
    lead; how many. One that is open ends."""
    answered = PayDispute.objects.filter(answered_by=rater).exclude(answer="").update(answer="")
    rows = PayDispute.objects.filter(rater=rater, erased_at=None)
    rows.filter(state="open").update(state="withdrawn")
    return answered + rows.update(text="", answer="", erased_at=timezone.now())


def _settle(dispute: PayDispute, state: str, **fields: object) -> int:
    open_one = PayDispute.objects.filter(pk=dispute.pk, state="open")
    return open_one.update(state=state, **fields)


def _checked(text: str) -> str:
    said = texts.cleaned(text).strip()
    if not said:
        raise NotPossible(phrase("Say in a sentence what is wrong, or why it is not."))
    if len(said) > LONGEST:
        raise NotPossible(phrase("At most %(longest)s characters.", longest=LONGEST))
    return said


def _check_granted(is_upheld: bool, granted: Decimal, currency: str) -> None:
    if not granted:
        return
    if not is_upheld:
        raise NotPossible(phrase("A dispute that is declined grants nothing."))
    if not 0 < granted <= MOST_GRANTED:
        raise NotPossible(phrase("Write an amount above 0."))
    if currency not in DECIMALS:
        raise NotPossible(phrase("Say in which currency."))
