"""Taking personal data out of a text that raters were shown.

The text is replaced wherever it stands: in the row, in what is rendered of it, and in all copies
of the same text to the same prompt. Files never change: the snapshots that hold it are looked for
in the background and say so, as after an erasure. What raters typed is theirs: answers that quote
what was taken out are named to the lead.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling import adjudications, remains, rendering
from labeling.models import (
    Comparison,
    Completion,
    Flag,
    Prompt,
    RaterText,
    Redaction,
    Snapshot,
    TokenAnswer,
    User,
)
from labeling.questions.texts import cleaned
from labeling.remains import Words
from labeling.suggested_answers import Suggestion
from models_runtime import audit
from models_runtime.phrases import phrase
from models_runtime.records import Message

LONGEST = 200_000  # characters of a text
SHORTEST_QUOTE = 5  # characters: shorter words are anybody's


class NotPossible(ValueError):
    """Said to the lead; nothing was changed."""


@dataclass(frozen=True)
class Passage:
    """One of the texts of a comparison: ``name`` is "prompt-0", a message's place, or
    "completion-17", an id."""

    name: str
    who: str
    text: str


def passages(comparison: Comparison) -> list[Passage]:
    """All that its raters were shown, the prompt's messages first."""
    messages = comparison.prompt.messages
    found = [
        Passage(f"prompt-{place}", message["role"], message["content"])
        for place, message in enumerate(messages)
    ]
    items = comparison.items.select_related("completion").order_by("position")
    return found + [
        Passage(f"completion-{item.completion_id}", "completion", item.completion.text)
        for item in items
    ]


def redact(*, comparison: Comparison, texts: Mapping[str, str], actor: User) -> list[Redaction]:
    """Replace the passages of these names; what was not changed is left alone. The comparison's
    personal-data flags are settled, and it is handed out again.

    Raises NotPossible when nothing was changed, for an empty text, and in a talk, whose words
    stand in each message that followed.
    """
    if comparison.conversation_id is not None:
        raise NotPossible(
            phrase("What was said in a talk is taken out by erasing its rater's words.")
        )
    changed = list(_changed(comparison, texts))
    if not changed:
        raise NotPossible(phrase("Change a text first: nothing was taken out."))
    with transaction.atomic():
        made = [_replace(comparison, passage, text, actor) for passage, text in changed]
        # What programs were answered is kept for a day; with status 200 it is cards with texts.
        TokenAnswer.objects.filter(token__project=comparison.campaign.project, status=200).delete()
        flagged = Flag.objects.filter(comparison=comparison, resolved_at__isnull=True)
        if flagged.exists() and adjudications.standing(comparison) is None:
            adjudications.decide(comparison=comparison, kind="accept", actor=actor)
        audit.record(
            verb="personal data redacted",
            obj=comparison,
            actor=actor,
            project=comparison.campaign.project,
            data={"texts": len(made), "quoted": sum(len(row.quoted) for row in made)},
        )
    return made


def mask(text: str, finds: Iterable[str], by: str) -> tuple[str, int]:
    """The text with every match of ``finds`` replaced by ``by``, and how many there were: whole
    words, in upper or lower case, with any white space between them. The longest go first."""
    words = sorted(
        (find.split() for find in finds if find.strip()), key=lambda one: -sum(map(len, one))
    )
    if not words:
        return text, 0
    tests = "|".join(r"\s+".join(map(re.escape, one)) for one in words)
    return re.subn(rf"(?<!\w)(?:{tests})(?!\w)", lambda _found: by, text, flags=re.IGNORECASE)


def of(comparison: Comparison) -> QuerySet[Redaction]:
    """The newest first."""
    return comparison.redactions.select_related("by").order_by("-id")


def tick() -> int:
    """Look for what still holds a replaced text, and mark it; how many redactions were looked
    after. Begun twice it marks nothing twice."""
    rows = Redaction.objects.filter(searched_at__isnull=True).order_by("id")
    return sum(_search(row) for row in list(rows[:20]))


def _changed(comparison: Comparison, texts: Mapping[str, str]) -> Iterator[tuple[Passage, str]]:
    for passage in passages(comparison):
        text = texts.get(passage.name)
        if text is None or _same(text, passage.text):
            continue
        if not text.strip():
            raise NotPossible(
                phrase("Leave something of each text; discard the comparison if nothing remains.")
            )
        if len(text) > LONGEST:
            raise NotPossible(phrase("Write at most %(n)s characters.", n=str(LONGEST)))
        yield passage, cleaned(text)


def _same(one: str, other: str) -> bool:
    """A browser sends line ends of its own, and leaves out a first empty line."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def _replace(comparison: Comparison, passage: Passage, text: str, actor: User) -> Redaction:
    kind, place = passage.name.split("-")
    if kind == "prompt":
        row = _replace_message(comparison.prompt, int(place), text)
    else:
        row = _replace_completion(comparison, int(place), text)
    row.comparison, row.by = comparison, actor
    runs = _taken_out(passage.text, text)
    row.quoted = _quoting(comparison, [run for run in runs if len(run) >= SHORTEST_QUOTE])
    _suggest_no_more(comparison.prompt_id, runs)
    row.save()
    return row


def _replace_message(prompt: Prompt, place: int, text: str) -> Redaction:
    held = Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
    before = held.messages_sha256
    messages: list[Message] = [dict(one) for one in held.messages]
    messages[place]["content"] = text
    held.messages = messages
    held.messages_sha256 = _sha256(f"redacted:{held.pk}:{json.dumps(messages)}")
    held.save(update_fields=["messages", "messages_sha256"])
    prompt.messages = messages
    return Redaction(prompt=held, sha256_before=before)


def _replace_completion(comparison: Comparison, pk: int, text: str) -> Redaction:
    """The same text to the same prompt is one text, whoever said it."""
    shown = Completion.objects.get(pk=pk)
    alike = Completion.objects.filter(prompt=shown.prompt_id, text_sha256=shown.text_sha256)
    before = shown.text_sha256
    alike.filter(text=shown.text).update(
        text=text,
        text_sha256=_sha256(text),
        html=rendering.render(text),
        renderer=rendering.RENDERER,
    )
    return Redaction(completion=shown, sha256_before=before)


def _taken_out(before: str, after: str) -> list[str]:
    """The runs of words that are not there any more."""
    old, new = before.split(), after.split()
    found = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    runs = [" ".join(old[i:j]).strip(".,;:!?()\"'") for op, i, j, _, _ in found if op != "equal"]
    return [run for run in runs if run]


def _suggest_no_more(prompt: int, runs: list[str]) -> None:
    """Of the answers suggested about this prompt, the parts whose texts hold what was taken out.
    However short that is: a suggestion is lost more easily than a name is told."""
    quotes = [r"\s+".join(map(re.escape, run.split())) for run in runs]
    if not quotes:
        return
    found = re.compile(rf"(?<!\w)(?:{'|'.join(quotes)})(?!\w)")
    rows = Comparison.objects.select_for_update(no_key=True).filter(prompt=prompt)
    for row in rows.filter(suggestion__isnull=False).order_by("pk"):
        kept: Suggestion = row.suggestion or {}
        texts = kept["texts"]
        lost = {slot.split("/")[0] for slot, text in texts.items() if found.search(text)}
        if lost:
            row.suggestion = {**kept, **_without(lost, kept)}
            row.save(update_fields=["suggestion"])


def _without(lost: set[str], suggestion: Suggestion) -> Suggestion:
    return {
        name: {key: one for key, one in suggestion[name].items() if key.split("/")[0] not in lost}
        for name in ("parts", "texts")
    }


def _quoting(comparison: Comparison, runs: list[str]) -> list[int]:
    """Labels about the same prompt whose raters typed what was taken out."""
    if not runs:
        return []
    rows = RaterText.objects.filter(
        assignment__comparison__prompt=comparison.prompt_id, erased_at__isnull=True
    )
    found = {
        row.label_id
        for row in rows.only("label_id", "text").iterator()
        if row.label_id is not None and any(run in row.text for run in runs)
    }
    return sorted(found)


def _search(row: Redaction) -> bool:
    """In the campaigns that show the text, among the snapshots from before."""
    prompts = set() if row.prompt_id is None else {row.prompt_id}
    words = Words(completions=_copies(row), prompts=prompts)
    shown = Comparison.objects.filter(
        Q(prompt__in=words.prompts) | Q(items__completion__in=words.completions)
    )
    older = Snapshot.objects.filter(campaign__in=shown.values("campaign"), created_at__lte=row.at)
    remains.mark(remains.holding(older.order_by("pk"), words))
    return bool(Redaction.objects.filter(pk=row.pk).update(searched_at=timezone.now()))


def _copies(row: Redaction) -> set[int]:
    if row.completion is None:
        return set()
    alike = Completion.objects.filter(
        prompt=row.completion.prompt_id, text_sha256=row.completion.text_sha256
    )
    return set(alike.values_list("pk", flat=True))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
