"""What raters write: kept apart from their labels, so that it can be erased.

Every typed text is a RaterText row. One that answers the prompt is a completion besides, and one
that is a prompt joins the campaign's prompts; the label names their ids and no text.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from labeling import questions
from labeling.imports import shapes
from labeling.imports.shapes import BadRow, PromptRow
from labeling.iterations import plan_of
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    Completion,
    Label,
    Prompt,
    PromptSet,
    QuestionVersion,
    RaterText,
    Turn,
    User,
)
from labeling.pseudonyms import pseudonym
from labeling.questions import Cleaned, InvalidAnswer, Typed

PROMPTS = "Written by raters"
SOURCE = "written"  # of a completion or a prompt that a rater wrote


def texts_of(assignment: Assignment) -> Callable[[], dict[int, str]]:
    """What the completions of a card say, by id; read when it is asked for."""
    rows = Completion.objects.filter(pk__in=assignment.order)
    return lambda: dict(rows.values_list("pk", "text"))


def given(
    assignment: Assignment, question: QuestionVersion | None = None
) -> dict[str, dict[str, str]]:
    """An answer that was taken back, by KEY and by the field it stood in, as the form posts it:
    nobody says, or writes, the same twice. ``question`` is what is asked now, where it is not the
    campaign's newest: a talk's stays the one that it began with."""
    if assignment.submitted_at is None:  # never answered: nothing to look for
        return {}
    answers = Label.objects.filter(assignment=assignment, kind="answer")
    answer = answers.select_related("question_version").order_by("-id").first()
    if answer is None:  # skipped
        return {}
    found: dict[str, dict[str, str]] = {}
    # Where the question changed, ticks answer another one: only what was typed comes back.
    asked = question.pk if question else assignment.comparison.campaign.question_id
    if answer.question_version_id == asked:
        parts = answer.question_version.parts
        found = questions.given(parts, answer.answer, assignment.order)
    for row in RaterText.objects.filter(label=answer, erased_at=None):
        questions.put_text(found, row.part, row.text, assignment.order)
    return found


def store(assignment: Assignment, cleaned: Cleaned) -> dict[str, Any]:
    """The answer with the ids of the completions and prompts that are made of its texts. Inside
    the transaction that records the label."""
    answer = copy.deepcopy(cleaned.answer)
    for key, typed in cleaned.typed:
        if typed.kind == "answer":
            answer["parts"][key]["completion"] = _completion(assignment, typed).pk
        elif typed.kind == "prompt":
            answer["parts"][key]["prompt"] = _prompt(assignment, typed).pk
    return answer


def keep_texts(label: Label, cleaned: Cleaned) -> None:
    """The texts themselves, in rows of their own."""
    RaterText.objects.bulk_create(
        RaterText(
            label=label,
            assignment_id=label.assignment_id,
            rater_id=label.rater_id,
            part=typed.slot(key),
            text=typed.text,
            prompt_id=label.answer["parts"][key].get("prompt"),
        )
        for key, typed in cleaned.typed
    )


def take_back(answer: Label) -> None:
    """The prompts of an answer that is withdrawn are asked no more, unless another answer in
    force wrote the same words. Inside the transaction that withdraws it."""
    in_force = RaterText.objects.filter(label__kind="answer", label__superseded_by=None)
    for prompt in prompts_in(answer.answer):
        if not in_force.filter(prompt=prompt).exclude(label=answer).exists():
            Prompt.objects.filter(pk=prompt, source=SOURCE).update(withdrawn_at=timezone.now())


def copy_texts(answer: Label, label: Label) -> None:
    """What was typed in an answer that is put in force again, for its new row; the prompts that
    it wrote are asked again. Inside the transaction that restores it."""
    RaterText.objects.bulk_create(
        RaterText(
            label=label,
            assignment_id=row.assignment_id,
            rater_id=row.rater_id,
            part=row.part,
            text=row.text,
            prompt_id=row.prompt_id,
            erased_at=row.erased_at,
        )
        for row in RaterText.objects.filter(label=answer).order_by("pk")
    )
    rows = Prompt.objects.filter(pk__in=prompts_in(answer.answer), source=SOURCE)
    asked = [row.pk for row in rows if not is_erased_prompt(row)]
    rows.filter(pk__in=asked).update(withdrawn_at=None)


def prompts_in(answer: dict[str, Any]) -> list[int]:
    """Ids of the prompts that the rater wrote in this answer."""
    return [part["prompt"] for part in answer["parts"].values() if part.get("prompt")]


def counts(campaign: Campaign) -> dict[str, int]:
    """How many prompts of each category raters have written in the campaign."""
    theirs = PromptSet.objects.filter(campaign=campaign, name=PROMPTS).order_by("pk")
    rows = Prompt.objects.filter(
        prompt_set=theirs.values("pk")[:1],  # one set, for the index
        source=SOURCE,
        withdrawn_at=None,
    )
    found = rows.values("category").annotate(n=Count("pk"))
    return dict(found.values_list("category", "n"))


def erase(rater: User) -> int:
    """Empty every text that this rater typed, in answers and in talks, and the completions and
    prompts made of them; how many texts. The prompts are asked no more. Labels stay as they are:
    they hold ids alone; so do snapshots that were frozen before, whose files never change.
    Repeating it changes nothing."""
    now = timezone.now()
    with transaction.atomic():
        texts = RaterText.objects.filter(rater=rater, erased_at=None)
        answers = Label.objects.filter(pk__in=texts.values("label"))
        for answer in answers.values_list("answer", flat=True):
            made = questions.written_completions(answer)
            Completion.objects.filter(pk__in=made, source=SOURCE).update(
                text="", html="", text_sha256=_sha256("")
            )
            _erase_prompts(rater, answer, now)
        return texts.update(text="", erased_at=now) + _erase_said(rater)


def _erase_prompts(rater: User, answer: dict[str, Any], now: datetime) -> None:
    """Those that this rater was the first to write, and the cards of them that nobody has seen:
    nobody is to judge answers to nothing."""
    rows = Prompt.objects.filter(pk__in=prompts_in(answer), source=SOURCE)
    for prompt in rows.select_related("prompt_set__project"):
        if prompt.author == pseudonym(prompt.prompt_set.project.pseudonym_key, rater):
            prompt.messages = [{"role": "user", "content": ""}]
            prompt.messages_sha256 = _sha256(f"erased:{prompt.pk}")
            prompt.withdrawn_at = now
            prompt.save(update_fields=["messages", "messages_sha256", "withdrawn_at"])
            untouched = Comparison.objects.filter(prompt=prompt, state="open")
            untouched.filter(slots_left=F("overlap")).update(state="discarded")


def _erase_said(rater: User) -> int:
    """What the rater said to models; how many messages. A prompt repeats all that was said before
    it in its talk; the models' words stay."""
    said = 0
    turns = Turn.objects.filter(conversation__rater=rater).order_by("pk")
    for turn in turns.iterator():
        rows = Prompt.objects.filter(completions__reply__turn=turn).distinct()
        left = [prompt for prompt in rows if not is_erased_prompt(prompt)]
        for prompt in left:
            prompt.messages = [
                {**message, "content": ""} if message["role"] == "user" else message
                for message in prompt.messages
            ]
            prompt.save(update_fields=["messages"])
        said += bool(left)
    return said


def is_erased(completion: Completion) -> bool:
    """A rater's answer is never empty but when it was erased; a model's may be."""
    return completion.source == SOURCE and not completion.text


def is_erased_prompt(prompt: Prompt) -> bool:
    """No prompt ends in an empty message but one that was erased."""
    return not prompt.messages[-1]["content"]


def _completion(assignment: Assignment, typed: Typed) -> Completion:
    return Completion.objects.create(
        prompt_id=assignment.comparison.prompt_id,
        source=SOURCE,
        on_policy=False,
        text=typed.text,
        text_sha256=_sha256(typed.text),
        system_prompt=_asked_under(assignment, typed.about),
        finish_reason="stop",
    )


def _asked_under(assignment: Assignment, about: int | None) -> str:
    """The system prompt that the text answers under, so that it trains under it: that of the
    completion which was edited, else what all on the card have in common; of a card of the
    prompt alone, the plan's."""
    shown = Completion.objects.filter(pk__in=[about] if about else assignment.order)
    asked = set(shown.values_list("system_prompt", flat=True))
    iteration = assignment.comparison.iteration
    if not asked and iteration is not None:
        return plan_of(iteration).system_prompt
    return asked.pop() if len(asked) == 1 else ""


def _prompt(assignment: Assignment, typed: Typed) -> Prompt:
    """A prompt of the campaign, split by its author as an imported one is. The same words twice
    are one prompt; what was taken back is asked again. Raises InvalidAnswer."""
    campaign = assignment.comparison.campaign
    row = _prompt_row(assignment, typed)
    known = Prompt.objects.filter(
        prompt_set__campaign=campaign, messages_sha256=row.sha256
    ).first()
    if known is None:
        return _new_prompt(campaign, row)
    if known.withdrawn_at is not None:
        known.withdrawn_at = None
        known.save(update_fields=["withdrawn_at"])
    return known


def _prompt_row(assignment: Assignment, typed: Typed) -> PromptRow:
    key = assignment.comparison.campaign.project.pseudonym_key
    raw = {
        "messages": typed.messages or [{"role": "user", "content": typed.text}],
        "category": typed.category,
        "author": pseudonym(key, assignment.rater),
    }
    try:
        [row] = shapes.prompts(raw, SOURCE)
    except BadRow as error:
        raise InvalidAnswer(str(error)) from error
    return row


def _new_prompt(campaign: Campaign, row: PromptRow) -> Prompt:
    rows, _ = PromptSet.objects.get_or_create(
        campaign=campaign, name=PROMPTS, defaults={"project_id": campaign.project_id}
    )
    made, _ = Prompt.objects.get_or_create(
        prompt_set=rows,
        messages_sha256=row.sha256,
        defaults={
            "messages": row.messages,
            "source": row.source,
            "category": row.category,
            "author": row.author,
            "item": row.item,
            "split": row.split,
        },
    )
    return made


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
