"""Imported cards with long texts: rendered by the worker, and handed out when they are.

Markdown of 50,000 characters takes up to a second to render, for which no rater is to wait, nor
the lead who imports thousands of them. Shorter texts are rendered when somebody first reads them.
Such a card is of its live batch from the beginning, of no slot and no overlap as while its file
was imported; ``counts["waiting"]`` of the batch says that there are some.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Length

from labeling import rendering
from labeling.models import Comparison, ComparisonCompletion, Completion, ImportBatch

LONG = 4_000  # characters, of which the costliest take 20 ms
TICK_S = 1.5  # of rendering at a time: beat rings every two seconds
CHUNK = 20  # cards


def is_long() -> Exists:
    """Of a comparison: whether one of its texts is long and not rendered yet."""
    texts = ComparisonCompletion.objects.alias(length=Length("completion__text")).order_by()
    long = texts.filter(comparison=OuterRef("pk"), completion__renderer="", length__gt=LONG)
    return Exists(long)


def withheld(batch: ImportBatch) -> QuerySet[Comparison]:
    """The cards of a live batch that wait to be rendered."""
    return _waiting().filter(import_batch=batch)


def _waiting() -> QuerySet[Comparison]:
    return Comparison.objects.filter(overlap=0, state="open", purpose="work")


def hand_out(within_s: float = TICK_S) -> int:
    """Render what waits and hand its cards to the raters, until the time is over. Returns how
    many cards. Run twice at once, it does some of the work twice and changes nothing twice."""
    ends = time.monotonic() + within_s
    done = 0
    for batch in ImportBatch.objects.filter(state="live", counts__waiting__gt=0).order_by("pk"):
        for card in _cards(batch):
            done += _hand_out(card)
            if time.monotonic() > ends:
                return done
        _settle(batch)
    return done


def _cards(batch: ImportBatch) -> Iterator[Comparison]:
    found = withheld(batch).select_related("campaign").order_by("pk")
    while chunk := list(found[:CHUNK]):
        yield from chunk


def _hand_out(card: Comparison) -> int:
    rows = card.completions.filter(renderer="")
    for row in rows.only("text"):
        # Not what was emptied in the meantime: the text that was rendered must still be there.
        Completion.objects.filter(pk=row.pk, text=row.text).update(
            html=rendering.render(row.text), renderer=rendering.RENDERER
        )
    wanted = card.campaign.labels_per_comparison
    return _waiting().filter(pk=card.pk).update(overlap=wanted, slots_left=wanted)


def _settle(batch: ImportBatch) -> None:
    """Say that none waits any more; an import writes the count once, before this can."""
    with transaction.atomic():
        fresh = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        ImportBatch.objects.filter(pk=batch.pk).update(counts={**fresh.counts, "waiting": 0})
