"""What the audit log and notices are about: type and id there, name and address on a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Model
from django.urls import reverse

from annotate import language
from labeling.models import (
    Campaign,
    Comparison,
    Iteration,
    Notice,
    Snapshot,
    User,
    Webhook,
)
from models_runtime.models import Checkpoint, Job, Project
from models_runtime.phrases import phrase
from training.models import PairGraph, TrainingRun

Key = tuple[str, str]  # Django's label of the model, and the row's id


@dataclass(frozen=True)
class About:
    """``kind`` in words; ``title`` the row's own name; ``url`` "" where no page shows it."""

    kind: str
    title: str
    url: str = ""


# The kinds of things that people ask the log about, in words.
KINDS = {
    "labeling.campaign": phrase("campaign"),
    "labeling.iteration": phrase("iteration"),
    "labeling.snapshot": phrase("snapshot"),
    "labeling.comparison": phrase("comparison"),
    "labeling.exclusion": phrase("exclusion"),
    "labeling.sendback": phrase("answer sent back"),
    "labeling.cardquestion": phrase("question about a card"),
    "labeling.paydispute": phrase("pay dispute"),
    "labeling.user": phrase("person"),
    "models_runtime.project": phrase("project"),
    "models_runtime.job": phrase("job"),
    "models_runtime.checkpoint": phrase("checkpoint"),
    "models_runtime.endpoint": phrase("endpoint"),
    "labeling.webhook": phrase("webhook"),
    "labeling.token": phrase("API token"),
    "training.trainingrun": phrase("run"),
    "training.pairgraph": phrase("recipe"),
}


def of(keys: Iterable[Key]) -> dict[Key, About]:
    """One for every key: a query for each type among them. A row that is gone keeps its id."""
    wanted: dict[str, set[int]] = defaultdict(set)
    keys = set(keys)
    for kind, pk in keys:
        if pk.isdigit() and kind in FOUND:
            wanted[kind].add(int(pk))
    found: dict[Key, About] = {}
    for kind, pks in wanted.items():
        rows, made = FOUND[kind]
        for row in rows().filter(pk__in=pks):
            found[kind, str(row.pk)] = About(kind_of(kind), *made(row))
    return {key: found.get(key) or About(kind_of(key[0]), key[1]) for key in keys}


def kind_of(label: str) -> str:
    """In the reader's language; a type that nobody named here says its own name."""
    return language.translated(KINDS.get(label) or label.partition(".")[2])


def _campaign(row: Campaign) -> tuple[str, str]:
    return row.name, reverse("campaign", args=[row.slug])


def _iteration(row: Iteration) -> tuple[str, str]:
    slug = row.campaign.slug
    return f"{row.campaign.name} · {row.number}", reverse("iteration", args=[slug, row.number])


def _comparison(row: Comparison) -> tuple[str, str]:
    return f"{row.campaign.name} · {row.pk}", reverse("campaign", args=[row.campaign.slug])


def _snapshot(row: Snapshot) -> tuple[str, str]:
    return row.sha256[:12], reverse("snapshot", args=[row.pk])


def _user(row: User) -> tuple[str, str]:
    return row.username, reverse("people")


def _project(row: Project) -> tuple[str, str]:
    return row.name, reverse("people")


def _job(row: Job) -> tuple[str, str]:
    return f"job-{row.pk}", reverse("job", args=[row.pk])


def _checkpoint(row: Checkpoint) -> tuple[str, str]:
    return row.name, reverse("checkpoint", args=[row.pk])


def _run(row: TrainingRun) -> tuple[str, str]:
    return f"job-{row.job_id}", reverse("job", args=[row.job_id])


def _graph(row: PairGraph) -> tuple[str, str]:
    return f"{row.recipe} {row.pk}", reverse("graph", args=[row.pk])


def _webhook(row: Webhook) -> tuple[str, str]:
    return urlsplit(row.url).hostname or "", reverse("webhook", args=[row.pk])


Found = tuple[Callable[[], Any], Callable[[Any], tuple[str, str]]]


def _rows(model: type[Model], *related: str) -> Callable[[], Any]:
    return lambda: model._default_manager.select_related(*related)


FOUND: dict[str, Found] = {
    "labeling.campaign": (lambda: Campaign.objects.only("name", "slug"), _campaign),
    "labeling.iteration": (_rows(Iteration, "campaign"), _iteration),
    "labeling.comparison": (_rows(Comparison, "campaign"), _comparison),
    "labeling.snapshot": (lambda: Snapshot.objects.only("sha256"), _snapshot),
    "labeling.user": (lambda: User.objects.only("username"), _user),
    "models_runtime.project": (lambda: Project.objects.only("name"), _project),
    "models_runtime.job": (lambda: Job.objects.only("pk"), _job),
    "models_runtime.checkpoint": (lambda: Checkpoint.objects.only("name"), _checkpoint),
    "labeling.webhook": (lambda: Webhook.objects.only("url"), _webhook),
    "training.trainingrun": (lambda: TrainingRun.objects.only("job"), _run),
    "training.pairgraph": (lambda: PairGraph.objects.only("recipe"), _graph),
}


# What a notice to a rater leads to, by its kind: the lead's page of the campaign is not theirs.
RATERS_PAGES = {"work": "card", "replies": "card", "guidelines": "guidelines"}


def of_notices(rows: Iterable[Notice]) -> dict[int, About]:
    """Where each of somebody's notices leads, by its id."""
    rows = list(rows)
    raters = {row.pk: row for row in rows if row.kind in RATERS_PAGES}
    others = [row for row in rows if row.pk not in raters]
    abouts = of((row.object_type, row.object_id) for row in others)
    found = {row.pk: abouts[row.object_type, row.object_id] for row in others}
    wanted = [row.object_id for row in raters.values() if row.object_type == "labeling.campaign"]
    campaigns = {
        str(one.pk): one for one in Campaign.objects.filter(pk__in=wanted).only("name", "slug")
    }
    for pk, row in raters.items():
        one = campaigns.get(row.object_id)
        queue = About("", "", reverse("queue"))
        found[pk] = _to_rate(one, RATERS_PAGES[row.kind]) if one else queue
    return found


def _to_rate(campaign: Campaign, page: str) -> About:
    return About("", campaign.name, reverse(page, args=[campaign.slug]))
