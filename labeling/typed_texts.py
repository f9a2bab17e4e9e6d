"""The reasons, critiques and other texts that raters typed, with what they are about: to be read
by a lead, and to train critics on. Texts that became completions or prompts are here too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from labeling import accepted
from labeling.models import Campaign, Completion, RaterText
from labeling.pseudonyms import pseudonym

CHUNK = 500
PAGE = 50
STRETCH = 1_000  # texts that a page looks through
COLUMNS = {
    "prompt": "messages",
    "about": "text",
    "part": "text",
    "type": "text",
    "field": "text",
    "text": "text",
    "label": "whole",
    "comparison": "whole",
    "split": "text",
    "source": "text",
    "rater": "text",
    "adjudicated": "flag",
    "late": "flag",
}


def of(campaign: Campaign) -> QuerySet[RaterText]:
    """The texts of accepted answers that were not erased, the oldest first."""
    rows = RaterText.objects.filter(
        accepted.rule("label"), label__comparison__campaign=campaign, erased_at=None
    )
    return rows.select_related(
        "label__question_version", "label__comparison__prompt", "label__adjudication", "rater"
    ).order_by("pk")


def newest(campaign: Campaign, before: int | None = None) -> tuple[list[RaterText], int | None]:
    """A page of them, the newest first, of lower ids than ``before``; and where the next page
    begins, None at the end. A page looks through a stretch and no further, so that it costs the
    same among a million: where much was taken back it may be short."""
    typed = RaterText.objects.filter(assignment__campaign=campaign, label__isnull=False)
    if before is not None:
        typed = typed.filter(pk__lt=before)
    ids = list(typed.order_by("-pk").values_list("pk", flat=True)[:STRETCH])
    found = list(of(campaign).filter(pk__in=ids).order_by("-pk")[: PAGE + 1])
    if len(found) > PAGE:
        return found[:PAGE], found[PAGE - 1].pk
    return found, ids[-1] if len(ids) == STRETCH else None


def rows(campaign: Campaign, texts: Iterable[RaterText]) -> Iterator[dict[str, Any]]:
    """One row for each text. ``about`` is the completion that it is about, as text; "" where it
    is about the whole card. ``type`` is the instrument, ``rater`` a pseudonym; ``adjudicated``:
    a lead wrote it in deciding; ``late``: its answer came after its lease had ended."""
    held: list[RaterText] = []
    for text in texts:
        held.append(text)
        if len(held) == CHUNK:
            yield from _rows(campaign, held)
            held = []
    yield from _rows(campaign, held)


def _rows(campaign: Campaign, texts: list[RaterText]) -> Iterator[dict[str, Any]]:
    completions = Completion.objects.in_bulk({pk for text in texts if (pk := _about(text))})
    for text in texts:
        about, label = completions.get(_about(text) or 0), text.label
        assert label is not None  # of() asks for texts of labels
        key, field = text.part.split("/")[:2]
        yield {
            "prompt": label.comparison.prompt.messages,
            "about": about.text if about else "",
            "part": key,
            "type": label.question_version.parts.get(key, {}).get("type", ""),
            "field": field,
            "text": text.text,
            "label": label.pk,
            "comparison": label.comparison_id,
            "split": label.comparison.prompt.split,
            "source": label.source,
            "rater": pseudonym(campaign.project.pseudonym_key, text.rater),
            "adjudicated": hasattr(label, "adjudication"),
            "late": label.late,
        }


def _about(text: RaterText) -> int | None:
    """KEY/field/completion: see written.keep_texts."""
    found = text.part.split("/")[2:]
    return int(found[0]) if found else None
