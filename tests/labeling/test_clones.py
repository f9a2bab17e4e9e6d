"""A clone: everything that was settled, none of what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from labeling import campaigns, care, clones, pay, quotas, spend
from labeling.models import Campaign, Label, Prompt, RaterGroup
from labeling.pay import Counters
from labeling.quotas import Wanted
from labeling.spend import Limits
from models_runtime.models import AuditEvent
from tests.factories import Cast, PromptFactory, PromptSetFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db


def settled(cast: Cast) -> Campaign:
    """A campaign with everything settled, and labels."""
    campaign = cast.campaign
    open_comparisons(campaign, 3, prompt__category="code")
    answer(cast.rater, campaign, "0:better")
    campaigns.revise_question(
        campaign=campaign, text="Which is kinder?", trains_on="chosen", based_on=1
    )
    campaign = Campaign.objects.get(pk=campaign.pk)
    care.settle(campaign=campaign, care=care.Care("Harsh words.", True, True, 30), actor=cast.lead)
    pay.settle(campaign=campaign, counters=Counters(True, "label", Decimal("0.2"), "EUR"))
    spend.settle(
        campaign=campaign,
        limits=Limits(500, Decimal(20), Decimal(90), datetime(2030, 1, 1, tzinfo=UTC)),
    )
    quotas.settle(campaign=campaign, wanted=[Wanted("category", "code", 40, "percent")])
    group = RaterGroup.objects.create(project=cast.project, name="Nurses")
    campaign.wanted_groups.add(group)
    campaign.wants_groups, campaign.gate = True, {"win_rate_low": 0.5}
    campaign.save()
    return campaign


def test_everything_that_is_settled(cast: Cast) -> None:
    made = clones.clone(campaign=settled(cast), name="Again", prompts=False, actor=cast.lead)
    made = Campaign.objects.get(pk=made.pk)
    assert (made.slug, made.name, made.state) == ("again", "Again", "draft")
    assert made.question
    assert made.guideline
    assert (made.question.number, made.question.text) == (1, "Which is kinder?")
    assert "right and kind" in made.guideline.markdown
    assert made.content_warning == "Harsh words."
    assert (made.needs_consent, made.veiled, made.daily_cards) == (True, True, 30)
    assert pay.of(made) == Counters(True, "label", Decimal("0.2"), "EUR")
    assert spend.limits_of(made) == Limits(500, Decimal(20), Decimal(90), None)
    assert quotas.wanted_of(made) == [Wanted("category", "code", 40, "percent")]
    assert [group.name for group in made.wanted_groups.all()] == ["Nurses"]
    assert (made.wants_groups, made.gate) == (True, {"win_rate_low": 0.5})


def test_every_column_but_its_own_is_the_same(cast: Cast) -> None:
    """Whatever is settled of a campaign one day is of its clone too."""
    campaign = settled(cast)
    made = clones.clone(campaign=campaign, name="Again", prompts=True)
    made = Campaign.objects.get(pk=made.pk)
    for field in Campaign._meta.concrete_fields:
        if field.name not in clones.OWN and field.name != "plan":
            assert getattr(made, field.name) == getattr(campaign, field.name), field.name


def test_nothing_that_was_done(cast: Cast) -> None:
    campaign = settled(cast)
    made = clones.clone(campaign=campaign, name="Again", prompts=False, actor=cast.lead)
    assert not made.comparisons.exists()
    assert not made.iterations.exists()
    assert not Prompt.objects.filter(prompt_set__campaign=made).exists()
    assert Label.objects.filter(comparison__campaign=campaign).count() == 1
    event = AuditEvent.objects.get(verb="campaign cloned")
    assert (event.data, event.actor_id) == ({"from": campaign.pk, "prompts": 0}, cast.lead.pk)


def test_prompts_that_were_imported_come_along(cast: Cast) -> None:
    campaign = settled(cast)
    kept = PromptSetFactory(campaign=campaign, licence="CC BY 4.0")
    PromptFactory(prompt_set=kept, language="de", split="heldout")
    PromptFactory(prompt_set=kept, source="written")
    made = clones.clone(campaign=campaign, name="Again", prompts=True)
    rows = Prompt.objects.filter(prompt_set__campaign=made)
    assert rows.count() == 4
    german = rows.get(language="de")
    assert (german.split, german.prompt_set.licence) == ("heldout", "CC BY 4.0")
    assert Prompt.objects.filter(prompt_set__campaign=campaign).count() == 5


def test_two_clones_have_two_addresses(cast: Cast) -> None:
    campaign = settled(cast)
    slugs = [clones.clone(campaign=campaign, name="Again", prompts=False).slug for _ in range(2)]
    assert slugs == ["again", "again-2"]
