"""The demo world as a project: its cast, its first policy, its prompts and its campaigns."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction

from labeling import campaigns, presets, prompts
from labeling.models import Campaign, Membership, PromptSet, User
from models_runtime import artifacts, registry, world
from models_runtime.models import Checkpoint, Project

POLICY_FOLDER = Path(registry.__file__).parent / "demo_policy"
CAST = {
    "lead": ("lead",),
    "researcher": ("researcher",),
    "rater1": ("rater",),
    "rater2": ("rater",),
}
GUIDELINES = """\
# Which answer would you rather have?

Judge the answers as the person who asked would. In this order:

1. **Right and safe.** A correct answer beats a wrong one. Where the request could hurt somebody,
   a kind refusal that offers real help beats doing what was asked.
2. **Kind.** Polite beats rude, always.
3. **Short.** Of two equally good answers, the shorter one.

Say how much better it is: *significantly* when there is no doubt, *negligibly* when you could
nearly toss a coin.
"""


def ensure_project(slug: str = "demo", name: str = "Demo") -> Project:
    return Project.objects.get_or_create(slug=slug, defaults={"name": name})[0]


def ensure_cast(project: Project) -> dict[str, str]:
    """The lead, the researcher and two raters; {name: password} of those made just now."""
    made = {}
    for name, roles in CAST.items():
        user, created = User.objects.get_or_create(username=name)
        if created:
            made[name] = secrets.token_urlsafe(9)
            user.set_password(made[name])
            user.save(update_fields=["password"])
        for role in roles:
            Membership.objects.get_or_create(user=user, project=project, role=role)
    return made


def ensure_policy(
    project: Project,
    source: str = "",
    *,
    report: Callable[[dict[str, Any]], None] = lambda progress: None,
) -> Checkpoint:
    """The first policy: the shipped one, or one of the user's own, a folder or a hub's ORG/NAME.

    Raises ValueError with a sentence when there is no model that can be used.
    """
    name = _name_of(source) if source else "demo-policy"
    existing = Checkpoint.objects.filter(project=project, name=name, state="ready").first()
    if existing and not (source and _differs(existing, Path(source))):
        return existing
    return registry.register_policy(
        project=project, source=source or str(POLICY_FOLDER), name=name, report=report
    )


def _name_of(source: str) -> str:
    """A folder's own name; a name on a hub as it is."""
    return Path(source).resolve().name if Path(source).exists() else source


def _differs(existing: Checkpoint, folder: Path) -> bool:
    """Whether the folder holds other files than were registered, told without reading them: a
    start is to take seconds. What came from a hub has no folder."""
    if "hub" in existing.facts:
        return False
    if not folder.is_dir():
        return True
    files = artifacts.files_of(folder)
    size = sum(path.stat().st_size for path in files.values())
    return (set(files), size) != (set(existing.manifest), existing.bytes)


def create_campaign(
    *,
    project: Project,
    policy: Checkpoint,
    name: str,
    plan: dict[str, Any],
    gate: dict[str, float] | None = None,
    actor: User | None = None,
) -> Campaign:
    """An open campaign on the demo world's prompts, with the pairwise question."""
    ask = campaigns.Ask(
        text="Which answer would you rather have, and by how much?",
        parts=presets.parts("llama2", tie=False),
        guidelines=GUIDELINES,
    )
    with transaction.atomic():
        campaign = campaigns.create(
            project=project,
            name=name,
            ask=ask,
            setting=campaigns.Setting(first_policy=policy, plan=plan),
            actor=actor,
        )
        campaign.demo_world, campaign.gate = True, gate or {}
        campaign.save(update_fields=["demo_world", "gate"])
        prompt_set = PromptSet.objects.create(
            project=project, campaign=campaign, name="Demo world", licence="Apache-2.0"
        )
        prompts.add_prompts(prompt_set, [_row(prompt) for prompt in world.prompts()])
        campaigns.move(campaign, "open", actor=actor)
    return campaign


def _row(prompt: world.WorldPrompt) -> dict[str, Any]:
    return {
        "messages": prompt.messages,
        "category": prompt.category,
        "tags": prompt.tags,
        "item": prompt.item,
        "split": prompt.split,
        "source": "demo world",
        "language": "en",
    }
