"""A campaign for every preset of the library, each with a few cards or a talk that has begun."""

from __future__ import annotations

import random
from dataclasses import asdict

from django.db import transaction

from annotate.bench import scene
from labeling import conversations, presets
from labeling.iterations import Plan
from labeling.models import (
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    GuidelineVersion,
    Iteration,
    Prompt,
    PromptSet,
    QuestionVersion,
    User,
)
from labeling.presets import Preset
from models_runtime.models import Checkpoint, Project

CARDS = 3  # as many as a rater holds: the one in hand and two ahead


def slug_of(preset: str) -> str:
    return preset.replace("_", "-")


def build(project: Project) -> None:
    """Campaigns by the presets' names, for rater0 of a scene's project."""
    rater = User.objects.get(username="rater0")
    with transaction.atomic():
        policy = _policies(project)
        for name, preset in presets.PRESETS.items():
            campaign = _campaign(project, slug_of(name), preset, policy)
            if conversations.live_of(campaign):
                conversations.begin(rater=rater, campaign=campaign)
            else:
                _cards(campaign, preset)


def _policies(project: Project) -> Checkpoint:
    """One and its child, of which there are rows alone: an arena wants two, and nobody answers."""
    rows = {"project": project, "kind": "policy", "state": "ready", "uri": "file:///nowhere"}
    first = Checkpoint.objects.create(name="first", sha256=scene.sha256("first"), **rows)
    Checkpoint.objects.create(name="second", sha256=scene.sha256("second"), parent=first, **rows)
    return first


def _campaign(project: Project, slug: str, preset: Preset, policy: Checkpoint) -> Campaign:
    campaign = Campaign.objects.create(
        project=project, slug=slug, name=preset.title, state="open", first_policy=policy
    )
    campaign.question = QuestionVersion.objects.create(
        campaign=campaign,
        number=1,
        text=preset.question,
        parts=preset.parts,
        trains_on=preset.trains_on,
    )
    campaign.guideline = GuidelineVersion.objects.create(
        campaign=campaign, number=1, markdown=preset.guidelines
    )
    campaign.save(update_fields=["question", "guideline"])
    return campaign


def _cards(campaign: Campaign, preset: Preset) -> None:
    plan = Plan(comparisons=CARDS, target_labels=CARDS, **preset.settings())
    iteration = Iteration.objects.create(
        campaign=campaign,
        number=1,
        state="collecting",
        plan=asdict(plan),
        policy=campaign.first_policy,  # type: ignore[misc]  # every scene's has one
    )
    asked = PromptSet.objects.create(project=campaign.project, campaign=campaign, name="Measured")
    prompts = scene.store(Prompt, (scene.prompt_row(asked, number) for number in range(CARDS)))
    for number, prompt in enumerate(prompts):
        comparison = Comparison.objects.create(
            campaign=campaign, iteration=iteration, prompt=prompt, overlap=1, slots_left=1,
            shuffle=number, fold="policy", strategy="random",
        )  # fmt: skip
        _fill(comparison, preset.completions, random.Random(number))


def _fill(comparison: Comparison, completions: int, draw: random.Random) -> None:
    texts = scene.texts_with_html(draw, completions)
    rows = (scene.completion_row(comparison.prompt, *text) for text in texts)
    for position, completion in enumerate(scene.store(Completion, rows)):
        ComparisonCompletion.objects.create(
            comparison=comparison, completion=completion, position=position
        )
