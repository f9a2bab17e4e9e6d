"""Which labels count as accepted. The one place that says it: snapshots, exports, quality,
statements and figures ask here.

A label is accepted when it is in force (an answer that nothing withdrew or replaced; one that a
lead sent back is withdrawn until it is answered again), is about work and no check of its rater,
is no hidden repeat and no lead's decision, and is not excluded by an act in force.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from labeling.models import Label
from models_runtime.phrases import phrase


def rule(path: str = "") -> Q:
    """Accepted, as a condition on labels, or on rows that lead to one by ``path``. Every part is
    of the label's own row or found by a unique index from it: rows are never multiplied."""
    at = f"{path}__" if path else ""
    return in_force(path) & Q(
        **{
            f"{at}assignment__occasion": 0,
            f"{at}comparison__purpose": "work",
            f"{at}set_aside__exclusion__isnull": True,
        }
    )


def in_force(path: str = "") -> Q:
    """An answer that nothing withdrew or replaced, accepted or not."""
    at = f"{path}__" if path else ""
    return Q(**{f"{at}kind": "answer", f"{at}superseded_by__isnull": True})


def decision(path: str = "") -> Q:
    """A lead's own answer that stands: no rater's label, and what its comparison teaches."""
    at = f"{path}__" if path else ""
    return in_force(path) & Q(**{f"{at}adjudication__isnull": False})


def of(labels: QuerySet[Label]) -> QuerySet[Label]:
    """Those that are accepted."""
    return labels.filter(rule())


def counted(path: str = "") -> Q:
    """Whether a label holds a place in its comparison's count: one that an exclusion put aside
    does not, nor one that came back from it when others had taken its place."""
    at = f"{path}__" if path else ""
    return Q(**{f"{at}counted": True, f"{at}set_aside__isnull": True})


def is_counted(label: Label) -> bool:
    """The same of one label."""
    return label.counted and not hasattr(label, "set_aside")


def why_not(label: Label) -> str:
    """Why it is not accepted, as a sentence; empty when it is."""
    if label.kind != "answer":
        return phrase("It takes an answer back.")
    if hasattr(label, "superseded_by"):
        by_lead = hasattr(label, "sent_back") and label.sent_back.taken_back_at is None
        if by_lead and label.superseded_by.kind == "withdrawn":
            return phrase("A lead sent it back to its rater.")
        return phrase("Its rater took it back or answered anew.")
    if label.comparison.purpose != "work":
        return phrase("It checks its rater.")
    if hasattr(label, "adjudication"):
        return phrase("It is a lead's decision.")
    if label.assignment.occasion:
        return phrase("It is a hidden repeat.")
    if hasattr(label, "set_aside") and label.set_aside.exclusion_id is not None:
        return phrase("A lead excluded this rater's labels.")
    return ""
