"""What labels say of their comparisons, without the texts: for agreement on a page, where reading
all that a snapshot freezes would take seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet

from labeling import questions
from labeling.judgements import Answer, Judged, JudgedCompletion, without_erased
from labeling.models import Completion, Label, Prompt, QuestionVersion
from labeling.written import SOURCE, is_erased_prompt


def of(labels: QuerySet[Label], among: Collection[int]) -> list[Judged]:
    """Of those ``labels`` that are about the comparisons ``among``, by comparison; raters by
    their ids. Pairs of which a text was erased are none, as in snapshots.judged. Four queries."""
    rows = labels.filter(comparison__in=among).exclude(comparison__state="discarded")
    versions = QuestionVersion.objects.in_bulk(
        set(rows.values_list("question_version", flat=True))
    )
    answers: dict[tuple[int, int], list[Answer]] = defaultdict(list)
    for comparison, prompt, asked, *said in rows.order_by("comparison", "pk").values_list(
        "comparison", "comparison__prompt", "question_version", "pk", "rater", "source", "answer"
    ):
        answers[comparison, prompt].append(_answer(versions[asked], *said))
    named = {
        pk: {one for answer in said for pair in _pairs(answer) for one in pair}
        for (pk, _prompt), said in answers.items()
    }
    texts = Completion.objects.filter(pk__in=set().union(*named.values()), source=SOURCE, text="")
    erased = set(texts.values_list("pk", flat=True))
    prompts = Prompt.objects.filter(pk__in={prompt for _pk, prompt in answers}).only("messages")
    gone = {prompt.pk for prompt in prompts if is_erased_prompt(prompt)}
    return [
        _judged(pk, prompt, said, named[pk] if prompt in gone else named[pk] & erased)
        for (pk, prompt), said in answers.items()
    ]


def _answer(
    asked: QuestionVersion, label: int, rater: int, source: str, answer: dict[str, Any]
) -> Answer:
    preferences, ties = questions.preferences_of(asked.parts, answer, asked.trains_on)
    return Answer(label, str(rater), source, preferences, ties)


def _pairs(answer: Answer) -> list[list[int]]:
    return [*([pair.chosen, pair.rejected] for pair in answer.preferences), *answer.ties]


def _judged(comparison: int, prompt: int, answers: list[Answer], erased: set[int]) -> Judged:
    found = Judged(
        comparison=comparison, iteration=0, prompt=prompt, item="", split="", fold="", strategy="",
        messages=[], completions=[JudgedCompletion(pk, "", erased=True) for pk in sorted(erased)],
        answers=answers,
    )  # fmt: skip
    return without_erased(found)
