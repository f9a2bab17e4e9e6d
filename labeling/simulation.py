"""Simulated raters: people of the demo world, who go the same way as anybody in a browser.

Each is a user of kind "simulated" that claims comparisons and records labels; their labels say
so (source "simulated"), and statistics about people never hold one.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable

from labeling import labels, leases, simulated_answers
from labeling.models import (
    Assignment,
    Campaign,
    Completion,
    Label,
    Membership,
    QuestionVersion,
    User,
)
from labeling.simulated_answers import Seen
from models_runtime import world
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.phrases import of, phrase
from models_runtime.records import Progress
from models_runtime.world import SimulatedRater

RATERS = 5
REPORT_EVERY = 10  # labels; each report waits for the disk
NAMESPACE = uuid.UUID("5a6e2f0e-4f0c-4a3e-9d3f-6f1d2f6b7c10")


def run(job: JobDir) -> None:
    """The row job "simulate": config {"campaign": id, "count": labels}. An attempt after a crash
    adds what is missing."""
    spec = job.spec()
    config = spec["config"]
    campaign = Campaign.objects.filter(pk=config["campaign"]).first()
    if campaign is None:
        raise BadInput(phrase("There is no campaign %(pk)s.", pk=str(config["campaign"])))

    def report(done: int) -> None:
        job.check_stop()
        if done % REPORT_EVERY == 0:
            job.progress(Progress(done, config["count"], "labels"))

    try:
        given = label_as_simulated(
            campaign=campaign,
            count=config["count"],
            seed=spec["seed"],
            request=f"job {spec['job']}",
            report=report,
        )
    except ValueError as error:
        raise BadInput(of(error)) from error
    job.finish({"labels": given})


def label_as_simulated(
    *,
    campaign: Campaign,
    count: int,
    seed: int,
    raters: int = RATERS,
    request: str = "",
    report: Callable[[int], None] = lambda done: None,
) -> int:
    """Up to count labels by simulated raters. Returns how many were given: fewer when no
    comparison is left for them.

    ``request`` names a request that may be repeated: labels that it gave before are not given
    again. ``report`` is called with the number so far. Raises ValueError for a campaign whose
    prompts are not of the demo world.
    """
    if not campaign.demo_world:
        raise ValueError(
            phrase("Simulated raters know the demo world only, not this campaign's prompts.")
        )
    question = campaign.question
    if question is None:
        raise ValueError(phrase("The campaign asks no question yet."))
    panel = _panel(campaign, raters)
    keys = _keys(request or str(uuid.uuid4()), count)
    given = Label.objects.filter(rater__in=panel, idempotency_key__in=keys)
    done = given.filter(kind="answer").count()
    draw = random.Random(f"simulated/{seed}/{done}")
    for key in keys[done:]:
        if not _one_more(campaign, question, panel, seed, key, draw):
            break
        done += 1
        report(done)
    return done


def _one_more(
    campaign: Campaign,
    question: QuestionVersion,
    panel: list[User],
    seed: int,
    key: uuid.UUID,
    draw: random.Random,
) -> bool:
    """One label under this key; False when no card is left. A rater holds the same card in every
    job of the campaign: where another one answered it first, the next is claimed."""
    while card := _next_card(campaign, panel, draw):
        with contextlib.suppress(labels.NotOpen):
            _answer(card, question, seed, panel, key)
            return True
    return False


def _panel(campaign: Campaign, raters: int) -> list[User]:
    """The project's simulated raters, made when they are first needed. They cannot sign in."""
    panel = []
    for number in range(1, raters + 1):
        user, made = User.objects.get_or_create(
            username=f"simulated-{campaign.project_id}-{number}",
            defaults={"kind": "simulated", "is_active": False, "password": "!"},
        )
        if made:
            Membership.objects.create(user=user, project=campaign.project, role="rater")
        panel.append(user)
    return panel


def _keys(request: str, count: int) -> list[uuid.UUID]:
    return [uuid.uuid5(NAMESPACE, f"{request}/{number}") for number in range(count)]


def _next_card(campaign: Campaign, panel: list[User], draw: random.Random) -> Assignment | None:
    """A card for one of the raters, drawn; None when there is none for any of them."""
    for rater in draw.sample(panel, len(panel)):
        if card := leases.claim_next(rater=rater, campaign=campaign):
            return card
    return None


def _answer(
    card: Assignment, question: QuestionVersion, seed: int, panel: list[User], key: uuid.UUID
) -> None:
    item, texts = _shown(card)
    if item not in world.items():
        raise ValueError(
            phrase(
                "Simulated raters know nothing of %(item)s: not of the demo world.",
                item=repr(item),
            )
        )
    person = SimulatedRater(seed=seed * 1009 + panel.index(card.rater))
    seen = Seen(person, item, texts, asks_for_worse=question.trains_on == "rejected")
    parts = simulated_answers.answer(question.parts, seen)
    labels.record_label(
        assignment=card, parts=parts, question=question, idempotency_key=key, layout="simulated"
    )


def _shown(card: Assignment) -> tuple[str, list[str]]:
    """What the card is about, and its texts from left to right."""
    texts = dict(Completion.objects.filter(pk__in=card.order).values_list("pk", "text"))
    return card.comparison.prompt.item, [texts[pk] for pk in card.order]
