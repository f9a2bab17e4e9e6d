"""Whom a campaign's cards are for: its groups and skills, the project's consent, the languages
that a rater reads, and how many answers of one rater there may be.

Asked before a card is handed out. Each rule is a column of the campaign, which is read already:
a campaign without rules pays no query for them. They are for people. labeling.queues sets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Exists, OuterRef, Q, QuerySet

from labeling.models import (
    Assignment,
    Campaign,
    ConsentGiven,
    GroupMember,
    RaterGroup,
    User,
)
from models_runtime.phrases import phrase

DAY = timedelta(hours=24)
Bar = Literal["", "groups", "consent"]
Limit = Literal["", "all", "day"]
SAID: dict[str, str] = {
    "groups": phrase("This campaign is for other raters."),
    "consent": phrase("Read and accept the project's consent first."),
}


@dataclass(frozen=True)
class Room:
    """How many cards more a rater may be handed; None: as many as they like. ``limit`` says what
    leaves no room: the most answers in "all" or in a "day", which goes on at ``resumes_at``."""

    cards: int | None = None
    limit: Limit = ""
    resumes_at: datetime | None = None

    def of(self, most: int) -> int:
        return most if self.cards is None else min(most, self.cards)


def bar(rater: User, campaign: Campaign) -> Bar:
    """Why nothing of the campaign may be shown to this rater; "" where all may be."""
    if rater.kind != "person":
        return ""
    if campaign.wants_groups and not _is_wanted(rater, campaign):
        return "groups"
    if campaign.consent_id and not has_consented(rater, campaign):
        return "consent"
    return ""


def refusal(rater: User, campaign: Campaign, now: datetime) -> str:
    """Why no talk may be begun or gone on with, as a sentence; "" where it may."""
    if why := bar(rater, campaign):
        return SAID[why]
    if room(rater, campaign, campaign.most_answers, 0, now).cards == 0:
        return phrase("You have given as many answers as this campaign takes from one rater.")
    return ""


def has_consented(rater: User, campaign: Campaign) -> bool:
    return ConsentGiven.objects.filter(rater=rater, version=campaign.consent_id).exists()


def room(rater: User, campaign: Campaign, answered: int, live: int, now: datetime) -> Room:
    """For a rater with so many answers in force in the campaign, checks of them included, and so
    many ``live`` cards. Only answers to work fill a limit: they are counted once all would."""
    if rater.kind == "simulated" or not (campaign.most_answers or campaign.most_daily):
        return Room()
    cards: list[int] = []
    if campaign.most_answers:
        if answered + live >= campaign.most_answers:
            answered = answers(rater, campaign)
        cards.append(max(0, campaign.most_answers - answered - live))
        if not cards[0]:
            return Room(0, "all")
    if most := campaign.most_daily:
        today = _answered_since(rater, campaign, now - DAY)
        times = list(today.values_list("submitted_at", flat=True)[:most])
        cards.append(max(0, most - len(times) - live))
        if not cards[-1]:
            return Room(0, "day", times[-1] + DAY if times and times[-1] else None)
    return Room(min(cards))


def answers(rater: User, campaign: Campaign) -> int:
    """Of a rater to a campaign's work, late ones included; none that trained or checked them."""
    return _answered(rater, campaign).count()


def unless_unread(rater: User, campaign: Campaign) -> tuple[str, list[Any]]:
    """A condition on the table labeling_comparison, named c, with its values: that the prompt is
    in a language that the rater reads. A prompt that names no language is for everybody."""
    if not campaign.by_language or rater.kind != "person":
        return "", []
    tests, values = ["p.language = ''"], list[Any]()
    for code in rater.languages:
        tests.append(f"{_LANGUAGE} = %s OR {_LANGUAGE} LIKE %s")
        values += [code, f"{code}-%"]
    sql = (
        "AND EXISTS (SELECT 1 FROM labeling_prompt p WHERE p.id = c.prompt_id "
        f"AND ({' OR '.join(tests)}))"
    )
    return sql, values


# "de", "de-AT" and "de_at" are one language, by their first subtag.
_LANGUAGE = "REPLACE(LOWER(p.language), '_', '-')"


def for_rater(rows: QuerySet[Campaign], user: User) -> QuerySet[Campaign]:
    """Without the campaigns that are for groups or skills which the user has not."""
    wanted = RaterGroup.objects.filter(campaigns=OuterRef("pk"))
    held = wanted.filter(members__user=user)
    lacks = wanted.filter(kind="skill").exclude(
        pk__in=GroupMember.objects.filter(user=user).values("group")
    )
    of_group = Exists(held.filter(kind="group")) | ~Exists(wanted.filter(kind="group"))
    return rows.filter(Q(wants_groups=False) | (Q(of_group) & ~Q(Exists(lacks))))


def _is_wanted(rater: User, campaign: Campaign) -> bool:
    """In one of the campaign's groups, where it names any, and with all of its skills."""
    held = GroupMember.objects.filter(group=OuterRef("pk"), user=rater)
    wanted = campaign.wanted_groups.annotate(held=Exists(held)).values_list("kind", "held")
    groups = [has for kind, has in wanted if kind == "group"]
    skills = [has for kind, has in wanted if kind == "skill"]
    return (any(groups) or not groups) and all(skills)


def _answered(rater: User, campaign: Campaign) -> QuerySet[Assignment]:
    return Assignment.objects.filter(
        rater=rater, campaign=campaign, state="submitted", occasion=0, comparison__purpose="work"
    )


def _answered_since(rater: User, campaign: Campaign, since: datetime) -> QuerySet[Assignment]:
    return _answered(rater, campaign).filter(submitted_at__gt=since).order_by("-submitted_at")
