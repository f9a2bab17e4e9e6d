"""Groups and skills of a project's raters: made, renamed, and who is in them.

A group says whom somebody belongs to, a skill what they were found able to do. Campaigns can ask
for either (queues.py), and the page of label quality compares groups. Who is in which changes
nothing about labels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count

from labeling.models import Campaign, GroupMember, Invitation, RaterGroup, User
from labeling.people import NotPossible
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase

LONGEST_NAME = 80  # as the column


@dataclass(frozen=True)
class Counted:
    group: RaterGroup
    members: int
    campaigns: int


def of(project: Project) -> list[Counted]:
    """The project's groups, then its skills, by name, with how many are in them."""
    rows = RaterGroup.objects.filter(project=project).annotate(
        count_members=Count("members", distinct=True),
        count_campaigns=Count("campaigns", distinct=True),
    )
    return [
        Counted(row, row.count_members, row.count_campaigns)
        for row in rows.order_by("kind", "name")
    ]


def raters_of(project: Project) -> dict[int, set[int]]:
    """Who is in which group, by ids and in the order of names; skills are no groups."""
    rows = RaterGroup.objects.filter(project=project, kind="group").order_by("name")
    found: dict[int, set[int]] = {pk: set() for pk in rows.values_list("pk", flat=True)}
    for group, user in GroupMember.objects.filter(group__in=found).values_list("group", "user"):
        found[group].add(user)
    return found


def make(*, project: Project, name: str, kind: str, actor: User | None = None) -> RaterGroup:
    """Raises NotPossible for a name that is taken or none."""
    if kind not in dict(RaterGroup.KINDS):
        raise NotPossible(phrase("That is neither a group nor a skill."))
    name = _name(name)
    try:
        with transaction.atomic():
            row = RaterGroup.objects.create(project=project, name=name, kind=kind)
            audit.record(verb="group made", obj=row, actor=actor, data={"kind": kind})
    except IntegrityError:
        raise NotPossible(_taken(name)) from None
    return row


def rename(*, group: RaterGroup, name: str, actor: User | None = None) -> None:
    """Raises NotPossible for a name that is taken or none."""
    name = _name(name)
    if name == group.name:
        return
    try:
        with transaction.atomic():
            RaterGroup.objects.filter(pk=group.pk).update(name=name)
            audit.record(verb="group renamed", obj=group, actor=actor)
    except IntegrityError:
        raise NotPossible(_taken(name)) from None
    group.name = name


def remove(*, group: RaterGroup, actor: User | None = None) -> None:
    """The group and who was in it are gone; people and labels stay. Raises NotPossible while a
    campaign or an invitation names it: they would be open to everybody."""
    with transaction.atomic():
        held = RaterGroup.objects.select_for_update().filter(pk=group.pk).first()
        if held is None:
            return
        if Campaign.objects.filter(wanted_groups=held).exists():
            raise NotPossible(
                phrase("A campaign asks for %(name)s: change that first.", name=held.name)
            )
        if Invitation.objects.filter(groups=held).exists():
            raise NotPossible(
                phrase("An invitation leads into %(name)s, so it stays.", name=held.name)
            )
        audit.record(verb="group removed", obj=held, actor=actor)
        held.delete()


def put_in(*, group: RaterGroup, users: Collection[User], actor: User | None = None) -> int:
    """These people are in the group from now on; how many were not. Who is in stays as they are.
    Raises NotPossible for somebody who has no role in the project."""
    members = set(
        User.objects.filter(memberships__project=group.project_id, kind="person").values_list(
            "pk", flat=True
        )
    )
    if {user.pk for user in users} - members:
        raise NotPossible(phrase("Only people of this project can be in its groups."))
    added = 0
    with transaction.atomic():
        for user in sorted(users, key=lambda user: user.pk):
            _row, made = GroupMember.objects.get_or_create(
                group=group, user=user, defaults={"by": actor}
            )
            if made:
                added += 1
                _record("put into group", group, user, actor)
    return added


def take_out(*, group: RaterGroup, users: Collection[User], actor: User | None = None) -> int:
    """These people are not in the group any more; how many were. Cards in their hands stay."""
    removed = 0
    with transaction.atomic():
        for user in sorted(users, key=lambda user: user.pk):
            count, _each = GroupMember.objects.filter(group=group, user=user).delete()
            if count:
                removed += 1
                _record("taken out of group", group, user, actor)
    return removed


def _record(verb: str, group: RaterGroup, user: User, actor: User | None) -> None:
    data = {"group": group.pk, "kind": group.kind}
    audit.record(verb=verb, obj=user, project=group.project, actor=actor, data=data)


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise NotPossible(phrase("A name has 1 to %(longest)s characters.", longest=LONGEST_NAME))
    return name


def _taken(name: str) -> str:
    return phrase("There is a group or skill named %(name)s already.", name=name)
