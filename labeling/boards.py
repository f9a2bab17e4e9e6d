"""A campaign's board of contributors: accepted labels and agreement, never speed. Off unless a
lead switches it on; each rater stands there under a pseudonym, by name, or not at all.

The figures are those of the newest count of the labels (quality_job.py), of raters with enough of
them to say anything. Their order is that of the lower end of agreement's interval, so that few
lucky answers do not lead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from labeling import quality_job
from labeling.models import BoardPlace, Campaign, User
from labeling.pseudonyms import pseudonym
from models_runtime import audit

LEAST = 20  # accepted labels
MOST = 100  # lines


@dataclass(frozen=True)
class Standing:
    """``name`` is "" for whoever stands there under ``pseudonym``."""

    place: int
    rater: int
    name: str
    pseudonym: str
    labels: int
    agrees: float
    low: float
    high: float


@dataclass(frozen=True)
class Board:
    """``counted_at``: None while nothing was counted."""

    rows: list[Standing]
    counted_at: datetime | None


def switch(*, campaign: Campaign, shows: bool, actor: User) -> None:
    """Show raters the board, or hide it."""
    with transaction.atomic():
        rows = Campaign.objects.filter(pk=campaign.pk).exclude(shows_board=shows)
        if rows.update(shows_board=shows):
            audit.record(verb="board switched", obj=campaign, actor=actor, data={"shown": shows})
    campaign.refresh_from_db(fields=["shows_board"])


def choose(*, rater: User, campaign: Campaign, shown: str) -> None:
    """How the rater stands on the board. Raises ValueError for what is no choice."""
    if shown not in dict(BoardPlace.NAMES):
        raise ValueError(shown)
    with transaction.atomic():
        BoardPlace.objects.update_or_create(
            campaign=campaign, rater=rater, defaults={"shown": shown}
        )
        audit.record(verb="board place chosen", obj=campaign, actor=rater, data={"shown": shown})


def chosen(rater: User, campaign: Campaign) -> str:
    row = BoardPlace.objects.filter(rater=rater, campaign=campaign).first()
    return row.shown if row else "pseudonym"


def of(campaign: Campaign) -> Board:
    """Who stands on it, the most reliable first. Three queries."""
    done = quality_job.counted(campaign)
    if done is None:
        return Board([], None)
    rows = done.result.get("person", {}).get("raters", [])
    enough = [row for row in rows if row["labels"] >= LEAST and _low(row) is not None]
    shown = dict(BoardPlace.objects.filter(campaign=campaign).values_list("rater", "shown"))
    present = User.objects.filter(erased_at=None, is_active=True).in_bulk(
        [row["rater"] for row in enough if shown.get(row["rater"]) != "hidden"]
    )
    ordered = sorted(
        (row for row in enough if row["rater"] in present),
        key=lambda row: (-row["agrees"]["low"], -row["labels"], row["rater"]),
    )[:MOST]
    key = campaign.project.pseudonym_key
    return Board(
        [
            Standing(
                place=place,
                rater=row["rater"],
                name=present[row["rater"]].username if shown.get(row["rater"]) == "name" else "",
                pseudonym=pseudonym(key, present[row["rater"]])[:6],
                labels=row["labels"],
                agrees=row["agrees"]["value"],
                low=row["agrees"]["low"],
                high=row["agrees"]["high"],
            )
            for place, row in enumerate(ordered, 1)
        ],
        done.finished_at,
    )


def _low(row: dict[str, Any]) -> float | None:
    low: float | None = row["agrees"]["low"]
    return low
