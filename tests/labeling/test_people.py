"""The people of a project: what a lead can do for them, and what nobody can."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from labeling import people
from labeling.models import Membership, User
from labeling.people import NotPossible
from models_runtime.models import AuditEvent, Project
from tests.factories import Cast, MembershipFactory, ProjectFactory

PASSWORD_FORM = re.compile(r"^([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}$")


def roles_of(user: User, project: Project) -> set[str]:
    held = Membership.objects.filter(user=user, project=project)
    return set(held.values_list("role", flat=True))


def verbs() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.order_by("id").values_list("verb", "data")
    return [(verb, data.get("role", "")) for verb, data in rows]


def test_somebody_new_has_the_roles_and_the_password_that_is_returned(cast: Cast) -> None:
    made = people.add(
        project=cast.project, username=" ada ", roles=["rater", "lead"], actor=cast.lead
    )
    assert made.user.username == "ada"
    assert PASSWORD_FORM.match(made.password)
    assert User.objects.get(username="ada").check_password(made.password)
    assert roles_of(made.user, cast.project) == {"rater", "lead"}
    assert verbs() == [("person added", ""), ("role given", "rater"), ("role given", "lead")]
    assert {event.actor_id for event in AuditEvent.objects.all()} == {cast.lead.pk}


@pytest.mark.parametrize(
    ("name", "roles", "sentence"),
    [
        ("", ["rater"], "A name has letters"),
        ("two words", ["rater"], "A name has letters"),
        ("a" * 151, ["rater"], "A name has letters"),
        ("ada", [], "Choose at least one role."),
        ("ada", ["boss"], "There is no role boss: rater, lead, researcher."),
        ("Rater", ["lead"], "rater is here already: change their roles in the list."),
        ("outsider", ["rater"], "There is somebody named outsider already, whom"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    cast: Cast, name: str, roles: list[str], sentence: str
) -> None:
    before = User.objects.count(), Membership.objects.count()
    with pytest.raises(NotPossible, match=re.escape(sentence)):
        people.add(project=cast.project, username=name, roles=roles, actor=cast.lead)
    assert (User.objects.count(), Membership.objects.count()) == before
    assert not AuditEvent.objects.exists()


def test_somebody_of_another_project_that_one_leads_keeps_their_password(cast: Cast) -> None:
    other = MembershipFactory(user=cast.lead, role="lead").project
    made = people.add(project=other, username="rater", roles=["rater"], actor=cast.lead)
    assert (made.user, made.password) == (cast.rater, "")
    assert roles_of(cast.rater, other) == {"rater"}


def test_roles_are_given_and_taken_and_both_are_written_down(cast: Cast) -> None:
    people.set_roles(
        project=cast.project, user=cast.rater, roles=["lead", "researcher"], actor=cast.lead
    )
    people.set_roles(
        project=cast.project, user=cast.rater, roles=["lead", "researcher"], actor=cast.lead
    )
    assert roles_of(cast.rater, cast.project) == {"lead", "researcher"}
    assert verbs() == [
        ("role taken", "rater"),
        ("role given", "lead"),
        ("role given", "researcher"),
    ]


def test_a_project_keeps_an_active_lead(cast: Cast) -> None:
    second = MembershipFactory(project=cast.project, role="lead").user
    people.set_roles(project=cast.project, user=cast.lead, roles=["rater"], actor=cast.lead)
    for roles in (["rater"], ["researcher"]):
        with pytest.raises(NotPossible, match="is the only lead of"):
            people.set_roles(project=cast.project, user=second, roles=roles, actor=second)
    boss = MembershipFactory(project=cast.project, user__is_superuser=True).user
    with pytest.raises(NotPossible, match="is the only lead of"):
        people.deactivate(project=cast.project, user=second, actor=boss)
    assert User.objects.get(pk=second.pk).is_active


def test_a_lead_takes_over_nobody_who_works_elsewhere(cast: Cast) -> None:
    """A new password would open the other project's door to this lead."""
    MembershipFactory(user=cast.rater)
    hashed = cast.rater.password
    for act in (people.reset_password, people.deactivate, people.reactivate):
        with pytest.raises(NotPossible, match="rater has work beyond the projects you lead"):
            act(project=cast.project, user=cast.rater, actor=cast.lead)
    admin = MembershipFactory(project=cast.project, user__is_superuser=True).user
    with pytest.raises(NotPossible, match="beyond the projects you lead"):
        people.reset_password(project=cast.project, user=admin, actor=cast.lead)
    cast.rater.refresh_from_db()
    assert (cast.rater.password, cast.rater.is_active) == (hashed, True)


def test_nobody_deactivates_themselves(cast: Cast) -> None:
    with pytest.raises(NotPossible, match="another lead can"):
        people.deactivate(project=cast.project, user=cast.lead, actor=cast.lead)


def test_simulated_raters_are_not_among_the_people(cast: Cast) -> None:
    MembershipFactory(user__kind="simulated", project=cast.project)
    names = [user.username for user in people.members(cast.project)]
    assert names == ["lead", "other_rater", "rater", "researcher"]


def command(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_commands_make_a_project_and_its_people() -> None:
    with pytest.raises(CommandError, match="There is no project yet: make one with add_project"):
        command("add_user", "ada", "--role", "lead")
    assert "add_user NAME --role lead --project safety" in command("add_project", "safety")
    said = command("add_user", "ada", "--role", "researcher", "--role", "lead")
    assert said.startswith("ada is lead and researcher in safety.\nPassword, shown this once: ")
    ada = User.objects.get()
    assert ada.check_password(said.split(": ")[1].strip())
    assert command("add_user", "ada", "--role", "rater") == "ada is rater in safety.\n"
    assert roles_of(ada, Project.objects.get()) == {"rater", "lead", "researcher"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add_project", "taken"), "There is a project named taken already."),
        (("add_project", "a b"), "a b cannot name a project: letters, digits and hyphens"),
        (("add_project", "x" * 51), "at most 50 of them"),
        (("add_user", "ada", "--role", "lead"), r"several projects \(other, taken\): name one"),
        (("add_user", "ada", "--role", "lead", "--project", "x"), "no project named x: make it"),
        (("add_user", "a b", "--role", "lead", "--project", "other"), "A name has letters"),
    ],
)
def test_wrong_words_to_the_commands(db: Any, arguments: tuple[str, ...], sentence: str) -> None:
    ProjectFactory(slug="taken")
    ProjectFactory(slug="other")
    with pytest.raises(CommandError, match=sentence):
        command(*arguments)
    assert (Project.objects.count(), User.objects.count()) == (2, 0)
