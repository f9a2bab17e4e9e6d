"""What a campaign's pages say of suggested answers: how many people confirmed and how many they
repaired, part by part, and the rows behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from annotate import language
from annotate.shares import Share
from labeling import repairs
from labeling.agreement import wilson
from labeling.models import Campaign, Label
from labeling.questions import combining
from labeling.repairs import Tally


@dataclass(frozen=True)
class PartRow:
    """``share``: of the answers that confirmed or repaired the part, those that repaired it."""

    title: str
    confirmed: int
    repaired: int
    share: Share


@dataclass(frozen=True)
class Summary:
    cards: int
    waiting: int
    reviewed: int  # the newest of them are what the shares are of
    counted: int
    untouched: Share  # cards of which every part was confirmed
    parts: list[PartRow]


@dataclass(frozen=True)
class ReviewRow:
    """One reviewed card: a changed part with what was suggested and what was said each."""

    label: Label
    prompt: str
    by: str
    changed: list[dict[str, str]]
    is_unknown: bool  # a text of it was erased since, and with it what it was


def of(campaign: Campaign) -> Summary | None:
    """None where nothing was ever suggested."""
    cards = repairs.cards(campaign)
    if not cards:
        return None
    tally = repairs.tally(campaign)
    return Summary(
        cards=cards,
        waiting=repairs.waiting(campaign),
        reviewed=repairs.reviewed(campaign).count(),
        counted=tally.cards,
        untouched=_share(tally.untouched, tally.known),
        parts=_parts(campaign, tally),
    )


def rows(labels: Iterable[Label]) -> list[ReviewRow]:
    return [_row(label) for label in labels]


def _row(label: Label) -> ReviewRow:
    texts = list(label.texts.all())
    found = repairs.verdicts(label, texts)
    changed = [
        {**said, "part": title_of(label, said["part"])}
        for said in repairs.repaired_parts(label, texts)
    ]
    return ReviewRow(
        label=label,
        prompt=label.comparison.prompt.messages[-1]["content"],
        by=(label.comparison.suggestion or {}).get("by", ""),
        changed=changed,
        is_unknown=None in found.values(),
    )


def title_of(label: Label, key: str) -> str:
    """A part's title, as the version of the question has it that the label answers."""
    return _title(key, label.question_version.parts.get(key))


def _title(key: str, part: dict[str, Any] | None) -> str:
    return language.translated(combining.name_of(key, part)) if part else key


def _parts(campaign: Campaign, tally: Tally) -> list[PartRow]:
    parts = campaign.question.parts if campaign.question else {}
    keys = [key for key in parts if tally.confirmed[key] + tally.repaired[key]]
    return [
        PartRow(
            title=_title(key, parts[key]),
            confirmed=tally.confirmed[key],
            repaired=tally.repaired[key],
            share=_share(tally.repaired[key], tally.confirmed[key] + tally.repaired[key]),
        )
        for key in keys
    ]


def _share(some: int, n: int) -> Share:
    low, high = wilson(some, n)
    return Share(some / n if n else None, low, high, n)
