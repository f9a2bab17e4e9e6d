"""Everything that is kept of one person, as files of one archive: for themselves, or for a lead of
one project as far as that project goes.

Answers stand in the words of their card, with the letters that its rater saw: ids of completions
would tell a rater what a card keeps from them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import QuerySet

from labeling import questions, written
from labeling.models import (
    Acceptance,
    Assignment,
    Boundary,
    Completion,
    ConsentGiven,
    Flag,
    GroupMember,
    Label,
    Prompt,
    RaterText,
    Seat,
    Turn,
    User,
)
from models_runtime import audit
from models_runtime.models import AuditEvent, Project

CHUNK = 2_000
Row = dict[str, Any]
# Where a table leads to its project, by the first of these that it has.
TO_PROJECT = (
    "project",
    "campaign__project",
    "assignment__campaign__project",
    "comparison__campaign__project",
    "label__assignment__campaign__project",
    "conversation__campaign__project",
    "version__campaign__project",
)
PERSON = ("user", "rater")
# In files of their own above, or of no content: who signs in, seats, cards in hand.
ELSEWHERE = (
    "label", "ratertext", "conversation", "flag", "consentgiven", "groupmember", "acceptance",
    "boundary", "membership", "assignment", "seat", "passwordrequest",
)  # fmt: skip
# What a rater is not to know while they work: which cards checked them.
HIDDEN_FROM_THEM = ("goldresult", "qualification")
# What a lead noted for other leads, by its table: the project's archive of the person has it.
NOTED_FOR_LEADS = {"exclusion": ("text",)}
NOBODYS = ("secret_sha256",)  # columns that are proof, and say nothing of the person


def write(*, person: User, out: IO[bytes], project: Project | None, actor: User) -> None:
    """A zip of JSON files into ``out``, row by row. Without a project all there is, for the person
    themselves; with one what belongs to it, for its lead."""
    audit.record(verb="person's data downloaded", obj=person, project=project, actor=actor)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", _json(_about(person, project), indent=2))
        for name, rows in {**_FILES, **_others(own=project is None)}.items():
            _lines(archive, name, rows(person, project))


def _lines(archive: zipfile.ZipFile, name: str, rows: Iterable[Row]) -> None:
    """A file of lines, and none where there is nothing."""
    kept = iter(rows)
    first = next(kept, None)
    if first is None:
        return
    with archive.open(f"{name}.jsonl", "w", force_zip64=True) as handle:
        for row in chain([first], kept):
            handle.write(_json(row).encode() + b"\n")


def _json(row: Row, indent: int | None = None) -> str:
    return json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False, indent=indent)


def _about(person: User, project: Project | None) -> Row:
    """A lead of one project is told nothing of the account beyond it."""
    memberships = person.memberships.select_related("project")
    if project is not None:
        memberships = memberships.filter(project=project)
    seats = Seat.objects.filter(rater=person).select_related("campaign")
    if project is not None:
        seats = seats.filter(campaign__project=project)
    said: Row = {
        "name": person.username,
        "id": str(person.public_id),
        "languages": person.languages,
        "roles": [{"project": row.project.slug, "role": row.role} for row in memberships],
        "campaigns": [
            {"campaign": row.campaign.slug, "answers": row.answered, "active_ms": row.active_ms}
            for row in seats
        ],
    }
    if project is None:
        said |= {
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "interface_language": person.locale,
            "preferences": person.preferences,
            "since": person.date_joined,
            "last_sign_in": person.last_login,
            "left_out": [
                *HIDDEN_FROM_THEM,
                *(f"{table}.{name}" for table, names in NOTED_FOR_LEADS.items() for name in names),
            ],
        }
    return said


def _in(rows: QuerySet[Any], project: Project | None, path: str) -> QuerySet[Any]:
    return rows if project is None else rows.filter(**{path: project})


def _answers(person: User, project: Project | None) -> Iterator[Row]:
    rows = Label.objects.filter(rater=person).select_related(
        "assignment__campaign", "question_version"
    )
    found = _in(rows, project, "assignment__campaign__project").order_by("pk")
    for row in found.iterator(CHUNK):
        parts = row.question_version.parts
        yield {
            "at": row.created_at,
            "campaign": row.assignment.campaign.slug,
            "card": str(row.assignment.public_id),
            "kind": row.kind,
            "question": row.question_version.text,
            "answer": questions.words_of(parts, row.answer, row.order),
            "active_ms": row.active_ms,
        }


def _texts(person: User, project: Project | None) -> Iterator[Row]:
    rows = RaterText.objects.filter(rater=person).select_related("assignment__campaign")
    for row in _in(rows, project, "assignment__campaign__project").order_by("pk").iterator(CHUNK):
        yield {
            "at": row.created_at,
            "campaign": row.assignment.campaign.slug,
            "part": row.part,
            "text": row.text,
            "erased_at": row.erased_at,
        }


def _said(person: User, project: Project | None) -> Iterator[Row]:
    """What they said to models."""
    rows = Turn.objects.filter(conversation__rater=person).select_related("conversation__campaign")
    found = _in(rows, project, "conversation__campaign__project").order_by("pk")
    for turn in found.prefetch_related("replies__completion__prompt").iterator(CHUNK):
        reply = next(iter(turn.replies.all()), None)
        yield {
            "at": turn.created_at,
            "campaign": turn.conversation.campaign.slug,
            "text": reply.completion.prompt.messages[-1]["content"] if reply else "",
        }


def _written(person: User, project: Project | None) -> Iterator[Row]:
    """Answers and prompts that they wrote, each once."""
    rows = Label.objects.filter(rater=person)
    answers = _in(rows, project, "assignment__campaign__project").order_by("pk")
    seen: set[tuple[str, int]] = set()
    for answer in answers.values_list("answer", flat=True).iterator(CHUNK):
        made = [("answer", pk) for pk in questions.written_completions(answer)]
        made += [("prompt", pk) for pk in written.prompts_in(answer)]
        for kind, pk in made:
            if (kind, pk) not in seen:
                seen.add((kind, pk))
                yield from _text_of(kind, pk)


def _text_of(kind: str, pk: int) -> Iterator[Row]:
    if kind == "answer":
        for text in Completion.objects.filter(pk=pk).values_list("text", flat=True):
            yield {"kind": kind, "text": text}
    else:
        rows = Prompt.objects.filter(pk=pk, source=written.SOURCE)
        for messages in rows.values_list("messages", flat=True):
            yield {"kind": kind, "text": messages[-1]["content"]}


def _skips(person: User, project: Project | None) -> Iterator[Row]:
    rows = Assignment.objects.filter(rater=person, state="skipped").select_related("campaign")
    for row in _in(rows, project, "campaign__project").order_by("pk").iterator(CHUNK):
        yield {
            "at": row.submitted_at,
            "campaign": row.campaign.slug,
            "card": str(row.public_id),
            "reason": row.skip_reason,
        }


def _flags(person: User, project: Project | None) -> Iterator[Row]:
    rows = Flag.objects.filter(rater=person).select_related("assignment__campaign")
    for row in _in(rows, project, "assignment__campaign__project").order_by("pk").iterator(CHUNK):
        yield {
            "at": row.created_at,
            "campaign": row.assignment.campaign.slug,
            "card": str(row.assignment.public_id),
            "flag": row.code,
        }


def _consents(person: User, project: Project | None) -> Iterator[Row]:
    rows = ConsentGiven.objects.filter(rater=person).select_related("version__project")
    for row in _in(rows, project, "version__project").order_by("pk"):
        yield {
            "at": row.at,
            "project": row.version.project.slug,
            "version": row.version.number,
            "text": row.version.markdown,
        }
    boundaries = Boundary.objects.filter(rater=person).select_related("campaign")
    for one in _in(boundaries, project, "campaign__project").order_by("pk"):
        yield {"at": one.consented_at, "campaign": one.campaign.slug, "left": one.left}


def _groups(person: User, project: Project | None) -> Iterator[Row]:
    rows = GroupMember.objects.filter(user=person).select_related("group__project")
    for row in _in(rows, project, "group__project").order_by("pk"):
        group = row.group
        yield {
            "since": row.since,
            "project": group.project.slug,
            "name": group.name,
            "kind": group.kind,
        }


def _invitations(person: User, project: Project | None) -> Iterator[Row]:
    rows = Acceptance.objects.filter(user=person).select_related("project")
    for row in _in(rows, project, "project").order_by("pk"):
        yield {"at": row.at, "project": row.project.slug, "participant": row.participant}


def _acts(person: User, project: Project | None) -> Iterator[Row]:
    """What the audit trail says that they did."""
    rows = AuditEvent.objects.filter(actor_id=person.pk)
    for row in _in(rows, project, "project").order_by("pk").iterator(CHUNK):
        yield {"at": row.at, "verb": row.verb, "of": row.object_type}


_FILES: dict[str, Callable[[User, Project | None], Iterator[Row]]] = {
    "answers": _answers,
    "texts": _texts,
    "said_to_models": _said,
    "written": _written,
    "skipped": _skips,
    "flags": _flags,
    "consents": _consents,
    "groups": _groups,
    "invitations": _invitations,
    "acts": _acts,
}


def _others(*, own: bool) -> dict[str, Callable[[User, Project | None], Iterator[Row]]]:
    """Every other table of a person's, by its own columns, without ids: none is forgotten when
    one is added."""
    found = {}
    for model in User._meta.apps.get_app_config("labeling").get_models():
        name = model._meta.model_name or ""
        if name in ELSEWHERE or (own and name in HIDDEN_FROM_THEM):
            continue
        for field in model._meta.concrete_fields:
            if field.name in PERSON and field.related_model is User:
                noted = NOTED_FOR_LEADS.get(name, ()) if own else ()
                found[f"more/{name}"] = _dumped(model, field.name, noted)
    return found


def _dumped(
    model: type[models.Model], person_field: str, without: Collection[str] = ()
) -> Callable[[User, Project | None], Iterator[Row]]:
    columns = [
        field.name
        for field in model._meta.concrete_fields
        if not field.is_relation
        and not field.primary_key
        and field.name not in (*without, *NOBODYS)
    ]

    def rows(person: User, project: Project | None) -> Iterator[Row]:
        found = model._default_manager.filter(**{person_field: person})
        if project is not None:
            path = _path_to_project(model)
            found = found.filter(**{path: project}) if path else found.none()
        yield from found.order_by("pk").values(*columns).iterator(CHUNK)

    return rows


def _path_to_project(model: type[models.Model]) -> str:
    return next((path for path in TO_PROJECT if _leads(model, path.split("__"))), "")


def _leads(model: type[models.Model], path: list[str]) -> bool:
    names = {field.name: field for field in model._meta.concrete_fields}
    if path[0] not in names:
        return False
    related = names[path[0]].related_model
    return len(path) == 1 or (isinstance(related, type) and _leads(related, path[1:]))
