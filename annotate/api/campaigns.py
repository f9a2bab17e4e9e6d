"""Projects and campaigns: what there is, how far it is, how far its raters agree."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from ninja import Router, Schema

from annotate import access, figures
from annotate.api.gate import Bearer, Call
from annotate.api.pages import Cursor, Limit, Page, Slug, page
from labeling import agreement as agreements
from labeling.models import Campaign, Iteration, Membership
from models_runtime.models import Project

router = Router(tags=["campaigns"])
READS = Bearer("campaigns:read")


class ProjectOut(Schema):
    slug: str
    name: str
    roles: list[str]


class CampaignOut(Schema):
    slug: str
    name: str
    project: str
    state: str
    question: str | None
    labels_per_comparison: int
    iteration: int | None
    created_at: datetime


class IterationOut(Schema):
    campaign: str
    number: int
    state: str
    paused: bool
    freeze_requested: bool
    policy: int
    snapshot: int | None


class ProgressOut(Schema):
    """Counted labels of the newest iteration, and how many it wants."""

    iteration: IterationOut | None
    labels: int
    target: int
    labels_by_people: int
    labels_by_others: int


class ShareOut(Schema):
    """A share with its 95 % interval, of ``n`` cases; null where there are none."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class AgreementOut(Schema):
    """Among raters of one kind. ``outcome``: a tie agrees with a tie alone; ``preference``: of
    cases where both preferred one."""

    comparisons: int
    raters: int
    outcome: ShareOut
    preference: ShareOut
    by_strength: dict[str, ShareOut]


class AgreementsOut(Schema):
    """Of the newest iteration. People and simulated raters are never mixed."""

    iteration: int | None
    people: AgreementOut
    simulated: AgreementOut


@router.get("/projects", response=Page[ProjectOut], auth=READS)
def list_projects(request: Call, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """The token's project, while its person has a role there."""
    held = [role for role, _title in Membership.ROLES]
    rows = access.projects(request.user, *held)
    return page(rows, cursor, limit, lambda row: _project(request, row))


@router.get("/campaigns", response=Page[CampaignOut], auth=READS)
def list_campaigns(request: Call, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Campaigns of the project, the newest first."""
    access.require_role(request.user, *access.STAFF)
    return page(access.campaigns_for_staff(request.user), cursor, limit, _campaign)


@router.get("/campaigns/{slug}", response=CampaignOut, auth=READS)
def get_campaign(request: Call, slug: Slug) -> Any:
    """One campaign."""
    return _campaign(access.campaign_for_staff(request.user, slug))


@router.get("/campaigns/{slug}/progress", response=ProgressOut, auth=READS)
def get_progress(request: Call, slug: Slug) -> Any:
    """How far its newest iteration is."""
    current = _current(access.campaign_for_staff(request.user, slug))
    counted = figures.progress(current)
    return {
        "iteration": iteration_out(current) if current else None,
        "labels": counted["done"],
        "target": counted["target"],
        "labels_by_people": counted["people"],
        "labels_by_others": counted["others"],
    }


@router.get("/campaigns/{slug}/agreement", response=AgreementsOut, auth=READS)
def get_agreement(request: Call, slug: Slug) -> Any:
    """How far its raters agree, as on the campaign's page."""
    campaign = access.campaign_for_staff(request.user, slug)
    current = _current(campaign)
    found = figures.of(campaign, current)
    return {
        "iteration": current.number if current else None,
        "people": _agreement(found.agreement),
        "simulated": _agreement(found.simulated),
    }


def iteration_out(row: Iteration) -> dict[str, Any]:
    """As IterationOut."""
    return {
        "campaign": row.campaign.slug,
        "number": row.number,
        "state": row.state,
        "paused": row.paused_at is not None,
        "freeze_requested": row.freeze_requested_at is not None,
        "policy": row.policy_id,
        "snapshot": row.snapshot_id,
    }


def _project(request: Call, row: Project) -> dict[str, Any]:
    roles = [role for role, _title in Membership.ROLES if access.can(request.user, row.pk, role)]
    return {"slug": row.slug, "name": row.name, "roles": roles}


def _campaign(row: Campaign) -> dict[str, Any]:
    current = _current(row)
    return {
        "slug": row.slug,
        "name": row.name,
        "project": row.project.slug,
        "state": row.state,
        "question": row.question.text if row.question else None,
        "labels_per_comparison": row.labels_per_comparison,
        "iteration": current.number if current else None,
        "created_at": row.created_at,
    }


def _current(row: Campaign) -> Iteration | None:
    return row.iterations.order_by("-number").first()


def _agreement(found: agreements.Agreement) -> dict[str, Any]:
    return {
        "comparisons": found.comparisons,
        "raters": found.raters,
        "outcome": _share(found.all),
        "preference": _share(found.directed),
        "by_strength": {name: _share(one) for name, one in found.by_strength.items()},
    }


def _share(one: agreements.Interval) -> dict[str, Any]:
    known = {"value": one.mean, "low": one.low, "high": one.high}
    return {**{k: None if math.isnan(v) else v for k, v in known.items()}, "n": one.n}
