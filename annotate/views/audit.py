"""The audit log of one's own projects: looked through, and taken away."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate import access, audit_log, object_links
from annotate.access import SignedInRequest
from annotate.audit_forms import AuditForm
from annotate.spreadsheets import cell
from models_runtime import audit
from models_runtime.models import AuditEvent

PAGE = 50
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
LINES = 500  # of a file, sent at a time


@never_cache
@require_safe
@access.signed_in
def log(request: SignedInRequest) -> HttpResponse:
    """Newest first; ?before= and ?after= are the event that a page ends or begins at."""
    form = _form(request)
    rows = audit_log.events(form.wanted()) if form.is_valid() else AuditEvent.objects.none()
    shown, earlier, later = _page(rows, request.GET)
    abouts = object_links.of((row.object_type, row.object_id) for row in shown)
    entries = [
        {"event": row, "about": abouts[row.object_type, row.object_id], "told": _told(row.data)}
        for row in shown
    ]
    asked = request.GET.copy()
    for name in ("before", "after"):
        asked.pop(name, None)
    context = {
        "form": form,
        "entries": entries,
        "earlier": earlier,
        "later": later,
        "asked": asked.urlencode(),
        "searching": any(asked.get(name) for name in form.fields if name != "project"),
    }
    return render(request, "lead/audit.html", context, status=400 if form.errors else 200)


@never_cache
@require_safe
@access.signed_in
def export(request: SignedInRequest, suffix: str) -> HttpResponse | StreamingHttpResponse:
    """What the page would show, as a file: row by row, in as much memory as a page."""
    form = _form(request)
    if not form.is_valid():
        return render(request, "lead/audit.html", {"form": form}, status=400)
    wanted = form.wanted()
    assert wanted.project is not None  # noqa: S101  (the form has one)
    rows = audit_log.events(wanted)
    if request.method == "GET":
        audit.record(
            verb="audit log exported", obj=wanted.project, actor=request.user,
            project=wanted.project, data={"format": suffix},
        )  # fmt: skip
    found = (audit_log.as_row(event) for event in audit_log.every(rows))
    lines = _csv(found) if suffix == "csv" else _jsonl(found)
    response = StreamingHttpResponse(_gathered(lines), content_type=TYPES[suffix])
    name = f"audit-{wanted.project.slug}.{suffix}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _form(request: SignedInRequest) -> AuditForm:
    """Of the projects where one is lead or researcher; what cannot be read is not asked."""
    access.require_role(request.user, *access.STAFF)
    projects = list(access.projects(request.user, *access.STAFF).order_by("name", "pk"))
    if not projects:
        raise PermissionDenied
    slug = request.GET.get("project")
    if slug and slug not in {project.slug for project in projects}:
        raise Http404
    return AuditForm(projects, request.GET)


def _page(
    rows: QuerySet[AuditEvent], asked: Any
) -> tuple[list[AuditEvent], AuditEvent | None, AuditEvent | None]:
    """(the page, its last row where there are earlier ones, its first where there are later)."""
    before, after = _cursor(rows, asked.get("before")), _cursor(rows, asked.get("after"))
    if after is not None:
        found = list(audit_log.newer(rows, after)[: PAGE + 1])
        shown = found[:PAGE][::-1]
        later = shown[0] if len(found) > PAGE else None
        return shown, (shown[-1] if shown else None), later
    found = list((audit_log.older(rows, before) if before else rows)[: PAGE + 1])
    shown = found[:PAGE]
    earlier = shown[-1] if len(found) > PAGE else None
    return shown, earlier, (shown[0] if before and shown else None)


def _cursor(rows: QuerySet[AuditEvent], pk: str | None) -> AuditEvent | None:
    """Of the same search: an id from elsewhere is no place in it."""
    if not (pk and pk.isascii() and pk.isdigit() and len(pk) < 18):
        return None
    return rows.filter(pk=int(pk)).first()


def _told(data: dict[str, Any]) -> str:
    """Counts and codes, as they are stored."""
    return " · ".join(
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in data.items()
        if value not in (None, "", [], {})
    )


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value)


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        flat = {**row, "data": json.dumps(row["data"], ensure_ascii=False, sort_keys=True)}
        writer.writerow(cell(value) for value in flat.values())
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _jsonl(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _gathered(lines: Iterator[str]) -> Iterator[str]:
    """Some lines at a time: a packet for each is slow."""
    while some := "".join(itertools.islice(lines, LINES)):
        yield some
