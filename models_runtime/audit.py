"""The audit trail: one append-only row for each act."""

from __future__ import annotations

from typing import Any

from django.db import models

from models_runtime.models import AuditEvent, Project


def record(
    *,
    verb: str,
    obj: models.Model,
    actor: models.Model | None = None,
    project: Project | None = None,
    from_state: str = "",
    to_state: str = "",
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append an event. ``reason`` and ``data`` are codes, counts and our own sentences: typed
    text belongs to RaterText, which can be erased; this table cannot."""
    return AuditEvent.objects.create(
        project=project if project is not None else getattr(obj, "project", None),
        actor_id=getattr(actor, "pk", None),
        verb=verb,
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk),
        from_state=from_state,
        to_state=to_state,
        reason=reason[:500],
        data=data or {},
    )
