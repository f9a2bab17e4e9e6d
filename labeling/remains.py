"""What still holds the words of somebody who was erased: files that never change, written before.

Found by ids and read from the files themselves, so that what is named does hold them, and what is
not named does not. Backups, downloaded exports and models are known to nobody here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling import questions
from labeling.models import (
    Assignment,
    Campaign,
    Conversation,
    Label,
    Prompt,
    RaterText,
    Snapshot,
    User,
)
from labeling.questions import red_team
from labeling.snapshots import DEMONSTRATIONS, LABELS, MANIFEST
from labeling.written import SOURCE, is_erased_prompt, prompts_in
from models_runtime import artifacts, audit
from models_runtime.artifacts import Damaged
from models_runtime.models import Job

PROMPTS = "prompts"  # the job input that holds a campaign's prompts


@dataclass(frozen=True)
class Words:
    """What somebody's words were stored as, by ids: the completions and prompts that are empty
    now, the labels that such completions were written for, and those with tags of their own."""

    completions: set[int] = field(default_factory=set)
    labels: set[int] = field(default_factory=set)
    prompts: set[int] = field(default_factory=set)
    tagged: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.completions or self.prompts or self.tagged)


@dataclass(frozen=True)
class Remains:
    """The snapshots and jobs whose files hold the words, and what could not be read to tell."""

    snapshots: list[Snapshot] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def find(rater: User) -> Remains:
    """What holds words of an erased rater. Reads every file that might, from its beginning."""
    found, words = Remains(), _words_of(rater)
    if rater.erased_at is None or not words:
        return found
    campaigns = _campaigns(rater)
    for snapshot in Snapshot.objects.filter(campaign__in=campaigns).order_by("pk"):
        before = snapshot.created_at <= rater.erased_at
        with _noting(found, f"snapshot {snapshot.sha256}"):
            if (
                _holds(snapshot, words)
                or _tags(snapshot, words)
                or (before and _demonstrates(snapshot, words))
            ):
                found.snapshots.append(snapshot)
    addresses = {snapshot.uri for snapshot in found.snapshots}
    for job in Job.objects.filter(project__in=campaigns.values("project")).order_by("pk"):
        with _noting(found, f"job {job.pk}"):
            if _was_given(job, addresses, words):
                found.jobs.append(job)
    return found


def holding(snapshots: Iterable[Snapshot], words: Words) -> Remains:
    """Which of these snapshots hold texts that were replaced since. Reads each from its
    beginning."""
    found = Remains()
    for snapshot in snapshots:
        with _noting(found, f"snapshot {snapshot.sha256}"):
            if _holds(snapshot, words):
                found.snapshots.append(snapshot)
    return found


def mark(found: Remains, actor: User | None = None) -> None:
    """Have the snapshots say on their pages what they hold. Repeating it changes nothing."""
    with transaction.atomic():
        for snapshot in found.snapshots:
            rows = Snapshot.objects.filter(pk=snapshot.pk, holds_erased_since=None)
            if rows.update(holds_erased_since=timezone.now()):
                audit.record(verb="snapshot holds erased texts", obj=snapshot, actor=actor)


def _words_of(rater: User) -> Words:
    words, prompts = Words(), set[int]()
    for pk, answer in Label.objects.filter(rater=rater).values_list("pk", "answer"):
        if made := questions.written_completions(answer):
            words.completions.update(made)
            words.labels.add(pk)
        prompts.update(prompts_in(answer))
    theirs = Q(pk__in=prompts, source=SOURCE)
    theirs |= Q(completions__reply__turn__conversation__rater=rater)
    rows = Prompt.objects.filter(theirs).distinct().only("messages")
    words.prompts.update(row.pk for row in rows if is_erased_prompt(row))
    own = RaterText.objects.filter(rater=rater, part__endswith=f"/{red_team.OWN}")
    words.tagged.update(own.values_list("label", flat=True))
    return words


def _campaigns(rater: User) -> QuerySet[Campaign]:
    answered = Assignment.objects.filter(rater=rater).values("campaign")
    talked = Conversation.objects.filter(rater=rater).values("campaign")
    return Campaign.objects.filter(Q(pk__in=answered) | Q(pk__in=talked))


@contextlib.contextmanager
def _noting(found: Remains, what: str) -> Iterator[None]:
    """A file that is not there any more is told of: nobody can say what it held."""
    try:
        yield
    except Damaged:
        found.unread.append(what)


def _holds(snapshot: Snapshot, words: Words) -> bool:
    """Whether what can be learned from it names one of the texts, or answers one of the prompts.
    One that was frozen after they were emptied leaves both out."""
    learned = sorted(set(snapshot.manifest) - {LABELS, MANIFEST})
    rows = (row for name in learned for row in _rows(snapshot.uri, name))
    return any(
        row["prompt_id"] in words.prompts or _named(row) & words.completions for row in rows
    )


def _named(row: dict[str, Any]) -> set[int]:
    """The ids of the completions that a line holds; a demonstration holds a text alone."""
    alone = row.get("completion")
    held = [*row.get("completions", []), *([alone] if isinstance(alone, dict) else [])]
    return {completion["id"] for completion in held}


def _demonstrates(snapshot: Snapshot, words: Words) -> bool:
    """Whether an answer of theirs is among the demonstrations of a snapshot from before. Those do
    not name their completion; the label that it was written for is there all the same."""
    if DEMONSTRATIONS not in snapshot.manifest:
        return False
    return any(row["label"] in words.labels for row in _rows(snapshot.uri, LABELS))


def _tags(snapshot: Snapshot, words: Words) -> bool:
    """Whether it says tags of their own; one that was frozen after the erasure has none."""
    if LABELS not in snapshot.manifest:  # of an imported set
        return False
    return bool(words.tagged) and any(
        row["label"] in words.tagged and row.get("own_tags") for row in _rows(snapshot.uri, LABELS)
    )


def _was_given(job: Job, addresses: set[str], words: Words) -> bool:
    """Whether the job was given one of these snapshots, or one of the prompts to answer."""
    if any(given["uri"] in addresses for given in job.inputs):
        return True
    files = [given for given in job.inputs if given["name"] == PROMPTS and given.get("file")]
    return any(
        row["id"] in words.prompts and row["messages"][-1]["content"]
        for given in (files if words.prompts else [])
        for row in _rows(given["uri"], given["file"])
    )


def _rows(uri: str, name: str) -> Iterator[dict[str, Any]]:
    with artifacts.open_file(uri, name) as handle:
        for line in handle:
            yield json.loads(line)
