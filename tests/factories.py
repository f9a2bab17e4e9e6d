"""Rows for the tests: a fixed cast, a campaign with its question, and comparisons to answer."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import factory
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from labeling.iterations import Plan
from labeling.models import (
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    GuidelineVersion,
    Iteration,
    Membership,
    Prompt,
    PromptSet,
    QuestionVersion,
    User,
)
from models_runtime.models import Checkpoint, Project

PASSWORD = "correct horse battery"
LLAMA2 = {"preference": {"type": "pairwise", "scale": "llama2"}}
AB = {"preference": {"type": "pairwise", "scale": "ab", "both_bad": True}}


@cache
def hashed_password() -> str:
    """PASSWORD's hash, computed once: a real one takes a third of a second."""
    return make_password(PASSWORD)


class ProjectFactory(DjangoModelFactory):
    class Meta:
        model = Project

    slug = factory.Sequence(lambda n: f"project-{n}")
    name = factory.Sequence(lambda n: f"Project {n}")


class UserFactory(DjangoModelFactory):
    """A person who signs in with PASSWORD; ``kind="simulated"`` for a simulated rater."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user-{n}")
    password = factory.LazyFunction(hashed_password)


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    project = factory.SubFactory(ProjectFactory)
    role = "rater"


class CheckpointFactory(DjangoModelFactory):
    """A row alone: no weights lie behind its address."""

    class Meta:
        model = Checkpoint

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"checkpoint-{n}")
    kind = "policy"
    uri = factory.LazyAttribute(lambda c: f"file:///nowhere/{c.name}")
    sha256 = factory.LazyAttribute(lambda c: sha256(c.name))
    state = "ready"


class CampaignFactory(DjangoModelFactory):
    """An open campaign that asks LLAMA2 (or ``parts=``) in the training direction ``trains_on``,
    with a guideline and a first policy."""

    class Meta:
        model = Campaign
        skip_postgeneration_save = True

    project = factory.SubFactory(ProjectFactory)
    slug = factory.Sequence(lambda n: f"campaign-{n}")
    name = factory.Sequence(lambda n: f"Campaign {n}")
    state = "open"
    first_policy = factory.LazyAttribute(lambda c: CheckpointFactory(project=c.project))

    @classmethod
    def _create(cls, model_class: type[Campaign], *args: Any, **kwargs: Any) -> Campaign:
        parts = kwargs.pop("parts", LLAMA2)
        trains_on = kwargs.pop("trains_on", "chosen")
        campaign = super()._create(model_class, *args, **kwargs)
        campaign.question = QuestionVersion.objects.create(
            campaign=campaign,
            number=1,
            text="Which answer would you rather have, and by how much?",
            parts=parts,
            trains_on=trains_on,
        )
        campaign.guideline = GuidelineVersion.objects.create(
            campaign=campaign, number=1, markdown="Prefer answers that are **right and kind**."
        )
        campaign.save(update_fields=["question", "guideline"])
        return campaign


class PromptSetFactory(DjangoModelFactory):
    class Meta:
        model = PromptSet

    campaign = factory.SubFactory(CampaignFactory)
    project = factory.SelfAttribute("campaign.project")
    name = factory.Sequence(lambda n: f"Prompts {n}")


class PromptFactory(DjangoModelFactory):
    class Meta:
        model = Prompt

    prompt_set = factory.SubFactory(PromptSetFactory)
    messages = factory.Sequence(lambda n: [{"role": "user", "content": f"Question {n}?"}])
    messages_sha256 = factory.LazyAttribute(lambda p: sha256(json.dumps(p.messages)))
    item = factory.Sequence(lambda n: f"item-{n}")


class IterationFactory(DjangoModelFactory):
    """A collecting iteration; ``plan=`` is a dict of iterations.Plan's settings."""

    class Meta:
        model = Iteration

    campaign = factory.SubFactory(CampaignFactory)
    number = factory.LazyAttribute(lambda i: i.campaign.iterations.count() + 1)
    state = "collecting"
    plan = factory.LazyFunction(lambda: dataclasses.asdict(Plan()))
    policy = factory.SelfAttribute("campaign.first_policy")


class CompletionFactory(DjangoModelFactory):
    class Meta:
        model = Completion

    prompt = factory.SubFactory(PromptFactory)
    text = factory.Sequence(lambda n: f"Answer number {n}.")
    text_sha256 = factory.LazyAttribute(lambda c: sha256(c.text))
    html = factory.LazyAttribute(lambda c: f"<p>{c.text}</p>")
    renderer = "test"
    finish_reason = "eos"


class ComparisonFactory(DjangoModelFactory):
    """Two completions of one prompt, open to raters; ``texts=(left, right)`` sets what they say,
    ``overlap`` how many labels it wants."""

    class Meta:
        model = Comparison

    campaign = factory.SubFactory(CampaignFactory)
    iteration = None
    prompt = factory.SubFactory(
        PromptFactory, prompt_set__campaign=factory.SelfAttribute("...campaign")
    )
    slots_left = factory.SelfAttribute("overlap")
    overlap = 1
    shuffle = factory.Sequence(int)
    fold = "policy"
    strategy = "random"

    @classmethod
    def _create(cls, model_class: type[Comparison], *args: Any, **kwargs: Any) -> Comparison:
        texts = kwargs.pop("texts", (None, None))
        comparison = super()._create(model_class, *args, **kwargs)
        for position, text in enumerate(texts):
            said = {} if text is None else {"text": text}
            ComparisonCompletion.objects.create(
                comparison=comparison,
                completion=CompletionFactory(prompt=comparison.prompt, **said),
                position=position,
            )
        return comparison


@dataclass(frozen=True)
class Cast:
    """Two raters, a lead and a researcher of one project, and an outsider who must see nothing."""

    project: Project
    campaign: Campaign
    rater: User
    other_rater: User
    lead: User
    researcher: User
    outsider: User


def make_cast(**campaign: Any) -> Cast:
    """The fixed cast with an open campaign. Keywords go to CampaignFactory."""
    made = CampaignFactory(slug="helpful", name="Helpfulness", **campaign)
    members = {
        name: MembershipFactory(user__username=name, project=made.project, role=role).user
        for name, role in (
            ("rater", "rater"),
            ("other_rater", "rater"),
            ("lead", "lead"),
            ("researcher", "researcher"),
        )
    }
    elsewhere = MembershipFactory(user__username="outsider", role="lead")
    return Cast(made.project, made, outsider=elsewhere.user, **members)


def open_comparisons(campaign: Campaign, count: int, **comparison: Any) -> list[Comparison]:
    """``count`` comparisons of one prompt set, in a collecting iteration (made when none is)."""
    open_now = campaign.iterations.filter(state="collecting").first()
    iteration = open_now or IterationFactory(campaign=campaign)
    prompt_set = PromptSetFactory(campaign=campaign)
    return [
        ComparisonFactory(
            campaign=campaign,
            iteration=iteration,
            prompt__prompt_set=prompt_set,
            **comparison,
        )
        for _ in range(count)
    ]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
