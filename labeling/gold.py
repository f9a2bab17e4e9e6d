"""Gold, training and test items: comparisons whose answer is known, made by leads.

An item is a copy of a comparison: the same prompt and completions, under a comparison of its own
that no queue hands out (overlap 0, no slots). What is expected may be corrected; all answers are
then marked anew. An item is retired, never deleted: people answered it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from labeling import accepted, gold_results, marking, questions
from labeling.marking import Rules
from labeling.models import (
    Campaign,
    Comparison,
    ComparisonCompletion,
    Gold,
    Label,
    Prompt,
    QuestionVersion,
    User,
)
from labeling.questions import Parts, Raw
from models_runtime import audit
from models_runtime.phrases import phrase

STRATEGY = "check"  # of its comparison: no strategy chose it
PURPOSES = ("training", "qualification", "gold")
LOOKED_AT = 300  # newest complete comparisons among which agreed ones are offered
LONGEST = 20_000  # characters of an explanation
Expected = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Key:
    """What is expected of an item, how it is judged, and why it is so (Markdown)."""

    expected: Expected
    rules: Rules
    explanation: str = ""


def judged_parts(question: QuestionVersion) -> Parts:
    """The parts of a question that an item can expect something of."""
    return {key: part for key, part in question.parts.items() if part["type"] in marking.JUDGED}


def expected_of(
    question: QuestionVersion,
    raw: Mapping[str, Raw],
    order: Sequence[int],
    texts: Mapping[int, str],
) -> Expected:
    """The stored parts of an answer as a form posts it, given by somebody who saw the completions
    in this order; parts left empty are expected nothing of. Raises InvalidAnswer."""
    asked = {key: {**part, "required": False} for key, part in judged_parts(question).items()}
    found = questions.clean_parts(
        asked, {key: dict(raw.get(key, {})) for key in asked}, order, lambda: texts
    )
    parts: Expected = found.answer["parts"]
    return parts


def add(
    *,
    comparison: Comparison,
    purpose: str,
    key: Key,
    actor: User | None = None,
) -> Gold:
    """Make an item of a comparison. Raises ValueError, one sentence."""
    campaign = comparison.campaign
    if why := refusal(comparison):
        raise ValueError(why)
    ids = list(comparison.items.order_by("position").values_list("completion", flat=True))
    with transaction.atomic():
        made = build(
            campaign=campaign,
            prompt=comparison.prompt,
            completions=ids,
            purpose=purpose,
            key=key,
            actor=actor,
            source=comparison,
        )
        said = {"purpose": purpose, "comparison": comparison.pk, "gold": made.pk}
        audit.record(verb="gold added", obj=campaign, actor=actor, data=said)
    return made


def refusal(comparison: Comparison) -> str:
    """Why no item can be made of a comparison, as a sentence; "" where one can. Whoever is told
    what is expected of an item is never to answer the same card as work."""
    if comparison.conversation_id is not None:
        return phrase("A pair of a talk belongs to its talk: it makes no item.")
    wanted = comparison.overlap or comparison.withheld
    if comparison.state in ("open", "withdrawn") and wanted:
        return phrase(
            "This comparison still waits for answers, and whoever met the item would know what is "
            "expected. Wait until it is complete, or discard it under Review."
        )
    return ""


def build(
    *,
    campaign: Campaign,
    prompt: Prompt,
    completions: Sequence[int],
    purpose: str,
    key: Key,
    actor: User | None = None,
    source: Comparison | None = None,
    source_sha256: str = "",
) -> Gold:
    """The rows of one item, the last of its purpose; inside the caller's transaction. Raises
    ValueError, one sentence."""
    check(purpose, key)
    question = campaign.question
    row = Comparison.objects.create(
        campaign=campaign,
        prompt=prompt,
        purpose=purpose,
        overlap=0,
        slots_left=0,
        strategy=STRATEGY,
        fold=source.fold if source else "",
        # Without it, a card that suggests nothing would be known for what it is. Nobody counts it
        # among the cards with a suggestion: those have its hash.
        suggestion=source.suggestion if source else None,
        shuffle=random.getrandbits(31),
    )
    ComparisonCompletion.objects.bulk_create(
        ComparisonCompletion(comparison=row, completion_id=pk, position=place)
        for place, pk in enumerate(completions)
    )
    last = Gold.objects.filter(campaign=campaign, purpose=purpose).aggregate(n=Max("place"))["n"]
    return Gold.objects.create(
        comparison=row,
        campaign=campaign,
        purpose=purpose,
        place=(last or 0) + 1,
        expected=key.expected,
        rules=key.rules,
        trains_on=question.trains_on if question else "chosen",
        explanation=key.explanation,
        source=source,
        source_sha256=source_sha256,
        created_by=actor,
    )


def check(purpose: str, key: Key) -> None:
    """Raises ValueError for what cannot be an item."""
    if purpose not in PURPOSES:
        raise ValueError(phrase("An item is for training, for the test, or gold."))
    if purpose == "training" and not key.explanation.strip():
        raise ValueError(phrase("Write the explanation: raters learn from it."))
    if len(key.explanation) > LONGEST:
        raise ValueError(
            phrase("An explanation is longer than %(most)s characters.", most=LONGEST)
        )
    marking.check(key.expected, key.rules)


def revise(*, gold: Gold, key: Key, actor: User | None = None) -> int:
    """Correct what is expected; every answer to the item is marked anew. How many came out
    otherwise. Raises ValueError, one sentence."""
    check(gold.purpose, key)
    with transaction.atomic():
        held = Gold.objects.select_for_update(no_key=True).get(pk=gold.pk)
        question = Campaign.objects.select_related("question").get(pk=held.campaign_id).question
        held.expected, held.rules, held.explanation = key.expected, key.rules, key.explanation
        held.trains_on = question.trains_on if question else held.trains_on
        held.save(update_fields=["expected", "rules", "explanation", "trains_on"])
        changed = gold_results.mark_again(held)
        said = {"gold": held.pk, "changed": changed}
        audit.record(verb="gold corrected", obj=held.campaign, actor=actor, data=said)
    return changed


def retire(*, gold: Gold, actor: User | None = None) -> int:
    """Ask it no more, and count no answer to it; how many did. Repeating it changes nothing."""
    with transaction.atomic():
        rows = Gold.objects.filter(pk=gold.pk, retired_at=None)
        if not rows.update(retired_at=timezone.now()):
            return 0
        lost = gold_results.void(gold)
        said = {"gold": gold.pk, "results": lost}
        audit.record(verb="gold retired", obj=gold.campaign, actor=actor, data=said)
    return lost


def restore(*, gold: Gold, actor: User | None = None) -> None:
    """Ask it again; the answers to it count as before. Repeating it changes nothing."""
    with transaction.atomic():
        rows = Gold.objects.filter(pk=gold.pk).exclude(retired_at=None)
        if rows.update(retired_at=None):
            gold_results.restore(gold)
            said = {"gold": gold.pk}
            audit.record(verb="gold restored", obj=gold.campaign, actor=actor, data=said)


def move(*, gold: Gold, up: bool) -> None:
    """One place earlier, or later, in the order of its purpose; at an end it stays."""
    with transaction.atomic():
        rows = Gold.objects.select_for_update(no_key=True).filter(
            campaign=gold.campaign_id, purpose=gold.purpose, retired_at=None
        )
        ids = list(rows.order_by("place", "id").values_list("pk", flat=True))
        if gold.pk not in ids:
            return
        here = ids.index(gold.pk)
        there = here - 1 if up else here + 1
        if 0 <= there < len(ids):
            ids[here], ids[there] = ids[there], ids[here]
        for place, pk in enumerate(ids, 1):
            Gold.objects.filter(pk=pk).exclude(place=place).update(place=place)


def answered_by_all(comparison: Comparison) -> Label | None:
    """The answer that everybody gave to a comparison: a lead's decision where there is one, else
    the newest of two or more accepted answers that all prefer alike; None where they differ."""
    rows = Label.objects.filter(accepted.in_force(), comparison=comparison)
    decided = rows.filter(adjudication__isnull=False).order_by("-pk").first()
    if decided is not None:
        return decided
    labels = list(accepted.of(rows).select_related("question_version").order_by("pk"))
    said = {gist(label) for label in labels}
    return labels[-1] if len(labels) > 1 and len(said) == 1 and None not in said else None


def candidates(campaign: Campaign, most: int = 20) -> list[Comparison]:
    """Of the newest complete comparisons those that several people answered alike, and that are
    no item yet: the easiest gold."""
    rows = Comparison.objects.filter(
        campaign=campaign, purpose="work", state="complete", counted__gte=2, conversation=None
    ).order_by("-pk")[:LOOKED_AT]
    ids = [row.pk for row in rows]
    gists: dict[int, Counter[str | None]] = {}
    labels = accepted.of(Label.objects.filter(comparison__in=ids, source="person"))
    for label in labels.select_related("question_version"):
        gists.setdefault(label.comparison_id, Counter())[gist(label)] += 1
    taken = set(Gold.objects.filter(source__in=ids).values_list("source", flat=True))
    agreed = [
        pk
        for pk in ids
        if pk in gists
        and pk not in taken
        and len(gists[pk]) == 1
        and None not in gists[pk]
        and gists[pk].total() > 1
    ][:most]
    found = Comparison.objects.filter(pk__in=agreed).select_related("prompt")
    return list(found.order_by("-pk"))


def items(campaign: Campaign) -> QuerySet[Gold]:
    """A campaign's items, those for training first, then the test, each in its place; retired
    ones last."""
    rows = Gold.objects.filter(campaign=campaign).select_related("comparison__prompt")
    last = F("retired_at").asc(nulls_first=True)
    return rows.order_by(last, "-purpose", "place", "id")


def counts(campaign: Campaign) -> Counter[str]:
    """How many items of each purpose are asked."""
    rows = Gold.objects.filter(campaign=campaign, retired_at=None, comparison__state="open")
    return Counter(rows.values_list("purpose", flat=True))


def gist(label: Label) -> str | None:
    """What an answer prefers, whatever the strength; None where it prefers nothing."""
    asked = label.question_version
    preferences, ties = questions.preferences_of(asked.parts, label.answer, asked.trains_on)
    if not preferences and not ties:
        return None
    ordered = sorted((pair.chosen, pair.rejected) for pair in preferences)
    return repr((ordered, sorted(map(sorted, ties))))


def shown(comparisons: Sequence[int]) -> list[tuple[int, int]]:
    """(comparison, completion) of these comparisons, in their canonical order."""
    rows = ComparisonCompletion.objects.filter(comparison__in=comparisons)
    return list(rows.order_by("comparison", "position").values_list("comparison", "completion"))
