"""A project's consent: what its raters read and accept before they work, version by version.

A new version closes every campaign of the project to a rater until they accept it: nothing is
handed out, to a browser or to a program that asks in their name. What they answered stays.
"""

from __future__ import annotations

import difflib

from django.db import transaction
from django.db.models import Count

from labeling.models import Campaign, ConsentGiven, ConsentVersion, Membership, User
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase

LONGEST = 40_000


class CannotPublish(ValueError):
    """Nothing was changed; says why in one sentence."""


def newest(project: Project) -> ConsentVersion | None:
    """The version that was written last, in force or not."""
    return ConsentVersion.objects.filter(project=project).order_by("-number").first()


def in_force(project: Project) -> ConsentVersion | None:
    """What raters of the project accept now; None where nothing is asked."""
    found = newest(project)
    return found if found is not None and found.markdown else None


def versions(project: Project) -> list[tuple[ConsentVersion, int]]:
    """The newest first, each with how many raters accepted it."""
    rows = ConsentVersion.objects.filter(project=project).select_related("created_by")
    counted = rows.annotate(accepted=Count("given")).order_by("-number")
    return [(row, row.accepted) for row in counted]


def raters(project: Project) -> int:
    """Of how many it is asked."""
    rows = Membership.objects.filter(project=project, role="rater", user__is_active=True)
    return rows.filter(user__kind="person").count()


def publish(
    *, project: Project, markdown: str, based_on: int, actor: User | None = None
) -> ConsentVersion | None:
    """Other words, to be accepted before the next card; an empty text asks for nothing any more.

    ``based_on`` is the number of the version that was read before it was changed, or 0. What says
    nothing new makes no version. Raises CannotPublish.
    """
    markdown = markdown.replace("\r\n", "\n").strip()
    if len(markdown) > LONGEST:
        raise CannotPublish(phrase("It may have %(longest)s characters at most.", longest=LONGEST))
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        before = newest(project)
        if (before.markdown if before else "") == markdown:
            return before
        number = before.number if before else 0
        if number != based_on:
            raise CannotPublish(
                phrase("Somebody else has written version %(number)s meanwhile.", number=number)
            )
        made = ConsentVersion.objects.create(
            project=project, number=number + 1, markdown=markdown, created_by=actor
        )
        Campaign.objects.filter(project=project).update(consent=made if markdown else None)
        audit.record(verb="consent published", obj=made, actor=actor, data={"number": made.number})
    return made


def give(*, rater: User, version: ConsentVersion) -> None:
    """The rater accepts this version. Repeating it keeps the first time."""
    with transaction.atomic():
        _row, made = ConsentGiven.objects.get_or_create(rater=rater, version=version)
        if made:
            audit.record(
                verb="consent accepted",
                obj=version,
                project=version.project,
                actor=rater,
                data={"number": version.number},
            )


def accepted_before(rater: User, version: ConsentVersion) -> ConsentVersion | None:
    """The newest earlier version that this rater accepted."""
    given = ConsentGiven.objects.filter(
        rater=rater, version__project=version.project_id, version__number__lt=version.number
    )
    row = given.select_related("version").order_by("-version__number").first()
    return row.version if row else None


def changes(old: str, new: str) -> list[tuple[str, str]]:
    """Line by line what became of a text: ("same" | "gone" | "new", line); nothing where the two
    say the same."""
    if old == new:
        return []
    before, after = old.splitlines(), new.splitlines()
    found: list[tuple[str, str]] = []
    # By whole lines: ndiff looks for likeness within them, in cubic time.
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for verb, first, last, begin, end in steps:
        if verb == "equal":
            found += [("same", line) for line in before[first:last]]
            continue
        found += [("gone", line) for line in before[first:last]]
        found += [("new", line) for line in after[begin:end]]
    return found
