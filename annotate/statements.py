"""A rater's statement, as they and their lead see it: campaign by campaign, line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from annotate.spreadsheets import cell
from labeling import earnings, pay_disputes, payroll
from labeling.earnings import Line, Period, Unpaid
from labeling.models import Campaign, PayDispute, PayrollPeriod, User

COLUMNS = (
    "campaign", "from", "to", "kind", "paid_for", "rate", "labels", "accepted", "put_aside",
    "active_seconds", "amount", "currency", "closed",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One campaign of a statement."""

    campaign: Campaign
    lines: list[Line]
    closed: PayrollPeriod | None
    unpaid: Unpaid | None
    disputes: list[PayDispute] = field(default_factory=list)

    @property
    def totals(self) -> list[tuple[str, Decimal]]:
        return earnings.totals(self.lines)

    @property
    def may_dispute(self) -> bool:
        return all(one.state != "open" for one in self.disputes)


@dataclass(frozen=True)
class Statement:
    period: Period
    entries: list[Entry]

    @property
    def totals(self) -> list[tuple[str, Decimal]]:
        return earnings.totals(line for entry in self.entries for line in entry.lines)


def of(rater: User, period: Period, campaign: Campaign | None = None) -> Statement:
    """What a rater earned in these days, of one campaign or all. What is closed stands as it was
    closed. A fixed number of queries, whatever was answered."""
    only = [campaign] if campaign else None
    found = _by_campaign(earnings.work(period, rater=rater, campaigns=only))
    booked, unpaid = payroll.booked_for(rater, period), earnings.unpaid(rater, period)
    disputes: dict[int, list[PayDispute]] = defaultdict(list)
    for one in pay_disputes.of(rater, period):
        disputes[one.campaign_id].append(one)
    wanted = {*found, *booked, *unpaid, *disputes}
    rows = Campaign.objects.filter(pk__in={campaign.pk} if campaign else wanted)
    return Statement(
        period,
        [
            Entry(
                row,
                booked[row.pk].lines if row.pk in booked else found.get(row.pk, []),
                booked[row.pk].closed if row.pk in booked else None,
                unpaid.get(row.pk),
                disputes[row.pk],
            )
            for row in rows.order_by("name", "pk")
        ],
    )


def rows(statement: Statement) -> Iterator[list[Any]]:
    """Its lines for a CSV file, under COLUMNS."""
    for entry in statement.entries:
        for line in entry.lines:
            yield [
                cell(entry.campaign.name),
                *line_cells(line, statement.period),
                "yes" if entry.closed else "no",
            ]


def line_cells(line: Line, period: Period) -> list[Any]:
    """What every file says of a line, from its first day to its currency."""
    return [
        period.starts.isoformat(),
        period.ends.isoformat(),
        line.kind,
        line.rate.per if line.rate else "",
        line.rate.amount if line.rate else "",
        line.labels,
        line.accepted,
        line.put_aside,
        f"{line.active_ms / 1000:.3f}",
        line.amount if line.currency else "",
        line.currency,
    ]


def title(line: Line) -> str:
    """What a line is for, in words."""
    kinds = {"work": _("Work"), "correction": _("Correction of earlier days")}
    return kinds.get(line.kind, _("Granted after a dispute"))


def _by_campaign(lines: Iterable[Line]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.campaign].append(line)
    return found
