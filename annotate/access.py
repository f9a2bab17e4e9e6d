"""The only way a view gets a row.

Another's object does not exist (404, the same answer as for an id that was never given). A
member of the project with another role is told so (403).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, resolve_url

from labeling import admission
from labeling.models import (
    Assignment,
    Campaign,
    CardQuestion,
    Comparison,
    Contest,
    Conversation,
    Exclusion,
    Flag,
    Gold,
    GoldResult,
    Invitation,
    Iteration,
    Label,
    Membership,
    PayDispute,
    Qualification,
    RaterGroup,
    Seat,
    SendBack,
    Snapshot,
    Token,
    User,
    Webhook,
    WebhookMessage,
)
from labeling.standing import Standing
from models_runtime.models import Checkpoint, Job, Project
from training.models import Evaluation, PairGraph, TrainingRun

STAFF = ("lead", "researcher")
View = Callable[..., HttpResponseBase]


class SignedInRequest(HttpRequest):
    """What a view behind ``signed_in`` receives."""

    user: User


def signed_in(view: View) -> View:
    """Sends a visitor to the sign-in page. A script's request gets 401 and the address instead:
    a redirect would be followed and the sign-in page put where the next card belongs."""

    @functools.wraps(view)
    def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=401, headers={"HX-Redirect": resolve_url("sign-in")})
        return redirect_to_login(request.get_full_path())

    return gate


def narrowed(user: User, project: Project) -> User:
    """The same person with the roles of one project alone: whom a token acts for."""
    user._only_project = project.pk  # type: ignore[attr-defined]
    return user


def roles(user: User) -> set[str]:
    """Every role the user has in any project, in one query a request."""
    if not hasattr(user, "_roles"):
        user._roles = set(_memberships(user).values_list("role", flat=True))  # type: ignore[attr-defined]
    held: set[str] = user._roles  # type: ignore[attr-defined]
    return held


def require_role(user: User, *wanted: str) -> None:
    """Raises PermissionDenied unless the user has one of the roles somewhere."""
    if not roles(user) & set(wanted):
        raise PermissionDenied


def projects(user: User, *wanted: str) -> QuerySet[Project]:
    """The projects in which the user has one of the roles."""
    rows = _memberships(user).filter(role__in=wanted)
    return Project.objects.filter(pk__in=rows.values("project"))


def campaigns_for_rater(user: User) -> QuerySet[Campaign]:
    """What a rater may see: everything but drafts, and what is for others."""
    rows = (
        Campaign.objects.filter(project__in=projects(user, "rater"))
        .exclude(state="draft")
        .exclude(question=None)
    )
    rows = admission.for_rater(rows, user)
    return rows.select_related("question", "guideline", "project")


def campaign_for_rater(user: User, slug: str) -> Campaign:
    return get_object_or_404(campaigns_for_rater(user), slug=slug)


def _own_cards(public_id: UUID, user: int) -> QuerySet[Assignment]:
    rows = Assignment.objects.select_related(
        "comparison", "campaign__question", "campaign__guideline"
    ).defer("campaign__guideline__markdown")
    return rows.filter(
        public_id=public_id,
        rater=user,
        campaign__project__memberships__user=user,
        campaign__project__memberships__role="rater",
    )


_OWN_CARDS = Standing(_own_cards, public_id=UUID, user=int)


def assignment_for_rater(user: User, public_id: UUID) -> Assignment:
    """One's own card, in a project where one still rates. A talk's pair is no card."""
    found = _OWN_CARDS.rows(public_id=public_id, user=user.pk)
    if not found:
        raise Http404
    assignment = found[0]
    campaign, comparison = assignment.campaign, assignment.comparison
    # Looked at here: every answer passes, and in SQL these cost it a tenth more to write.
    if comparison.conversation_id or not campaign.question_id or campaign.state == "draft":
        raise Http404
    assignment.rater, comparison.campaign = user, campaign
    return assignment


def campaign_worked_in(user: User, slug: str) -> Campaign:
    """Where one has a seat, whatever one's roles are now: what was earned stays one's own."""
    return get_object_or_404(Campaign.objects.filter(seats__rater=user), slug=slug)


def own_pay_dispute(user: User, public_id: UUID) -> PayDispute:
    """To take back."""
    rows = PayDispute.objects.select_related("campaign__project", "rater")
    return get_object_or_404(rows, rater=user, public_id=public_id)


def conversation_for_rater(user: User, public_id: UUID) -> Conversation:
    """One's own talk with a live model, in a project where one still rates."""
    rows = Conversation.objects.select_related(
        "question", "campaign__question", "campaign__guideline", "rater"
    )
    own = rows.filter(rater=user, campaign__in=campaigns_for_rater(user))
    return get_object_or_404(own, public_id=public_id)


def campaigns_for_staff(user: User) -> QuerySet[Campaign]:
    rows = Campaign.objects.filter(project__in=projects(user, *STAFF))
    return rows.select_related("question", "guideline", "project", "first_policy")


def campaign_for_staff(user: User, slug: str) -> Campaign:
    """To look at, as lead or researcher of its project."""
    campaign = get_object_or_404(
        Campaign.objects.select_related(
            "question", "guideline", "project", "first_policy", "budget"
        ),
        slug=slug,
    )
    _require_member(user, campaign.project_id, STAFF)
    return campaign


def campaign_for_lead(user: User, slug: str) -> Campaign:
    """To open, pause, close, freeze."""
    return _for_role(campaign_for_staff(user, slug), user, "lead")


def flag_for_lead(user: User, slug: str, pk: int) -> Flag:
    """To settle."""
    campaign = campaign_for_lead(user, slug)
    rows = Flag.objects.select_related("comparison__campaign__project")
    return get_object_or_404(rows, pk=pk, comparison__campaign=campaign)


def comparison_for_lead(user: User, slug: str, pk: int) -> Comparison:
    """To decide about."""
    campaign = campaign_for_lead(user, slug)
    rows = Comparison.objects.select_related("prompt", "iteration", "conversation")
    comparison: Comparison = get_object_or_404(rows, pk=pk, campaign=campaign)
    comparison.campaign = campaign
    return comparison


def label_of(comparison: Comparison, pk: int) -> Label:
    """One of its labels, to send back."""
    rows = Label.objects.select_related("assignment__comparison", "set_aside")
    label = get_object_or_404(rows, pk=pk, comparison=comparison)
    label.comparison = comparison
    return label


def send_back_for_lead(user: User, slug: str, pk: int) -> SendBack:
    """To take back."""
    campaign = campaign_for_lead(user, slug)
    rows = SendBack.objects.select_related("label__comparison__campaign", "label__assignment")
    return get_object_or_404(rows, pk=pk, campaign=campaign)


def raters_of(campaign: Campaign) -> QuerySet[User]:
    """Everybody who has worked in a campaign."""
    worked = Seat.objects.filter(campaign=campaign, answered__gt=0)
    return User.objects.filter(pk__in=worked.values("rater")).order_by("username", "pk")


def rater_for_lead(user: User, slug: str, public_id: UUID) -> tuple[Campaign, User]:
    """Somebody who has worked in one's campaign, to exclude labels of."""
    campaign = campaign_for_lead(user, slug)
    seats = Seat.objects.filter(campaign=campaign)
    rows = User.objects.filter(pk__in=seats.values("rater"))
    return campaign, get_object_or_404(rows, public_id=public_id)


def exclusion_for_lead(user: User, slug: str, pk: int) -> Exclusion:
    """To lift."""
    campaign = campaign_for_lead(user, slug)
    rows = Exclusion.objects.select_related("campaign__project")
    return get_object_or_404(rows, pk=pk, campaign=campaign)


def gold_for_lead(user: User, slug: str, public_id: UUID) -> Gold:
    """An item with a known answer, to correct or retire."""
    campaign = campaign_for_lead(user, slug)
    rows = Gold.objects.select_related("campaign__question", "comparison__prompt")
    return get_object_or_404(rows, public_id=public_id, campaign=campaign)


def contest_for_lead(user: User, slug: str, pk: int) -> Contest:
    """A rater's objection to such an item, to decide."""
    campaign = campaign_for_lead(user, slug)
    rows = Contest.objects.select_related("campaign__project", "result__gold__campaign__project")
    return get_object_or_404(rows, pk=pk, campaign=campaign)


def work_for_lead(user: User, slug: str, pk: int) -> Comparison:
    """A card of the campaign's work, to make an item of."""
    campaign = campaign_for_lead(user, slug)
    rows = Comparison.objects.select_related("prompt", "campaign__question")
    return get_object_or_404(rows, pk=pk, campaign=campaign, purpose="work", conversation=None)


def seated_for_lead(user: User, slug: str, public_id: UUID) -> tuple[Campaign, User]:
    """Somebody who began to work in the campaign, to let in or train anew."""
    campaign = campaign_for_lead(user, slug)
    rows = User.objects.filter(seats__campaign=campaign, kind="person")
    return campaign, get_object_or_404(rows, public_id=public_id)


def result_for_rater(user: User, public_id: UUID) -> GoldResult:
    """What an own answer came to, where one is told and still rates."""
    rows = GoldResult.objects.select_related("gold__campaign__project")
    own = rows.filter(rater=user, shows=True, gold__campaign__in=campaigns_for_rater(user))
    return get_object_or_404(own, label__public_id=public_id)


def verdict_for_rater(user: User, public_id: UUID) -> Qualification:
    """How an own test ended."""
    rows = Qualification.objects.select_related("campaign")
    own = rows.filter(rater=user, campaign__in=campaigns_for_rater(user))
    return get_object_or_404(own, public_id=public_id)


def rater_of_campaign_for_lead(user: User, slug: str, public_id: UUID) -> tuple[Campaign, User]:
    """Whoever has worked in one's campaign, to see what they earned there."""
    campaign: Campaign = campaign_for_lead(user, slug)
    rows = User.objects.filter(seats__campaign=campaign)
    return campaign, get_object_or_404(rows, public_id=public_id)


def pay_dispute_for_lead(user: User, slug: str, public_id: UUID) -> PayDispute:
    """To answer."""
    campaign = campaign_for_lead(user, slug)
    rows = PayDispute.objects.select_related("campaign__project", "rater")
    return get_object_or_404(rows, public_id=public_id, campaign=campaign)


def card_question_for_lead(user: User, slug: str, public_id: UUID) -> CardQuestion:
    """To answer."""
    campaign = campaign_for_lead(user, slug)
    rows = CardQuestion.objects.select_related("campaign__project", "campaign__question", "rater")
    return get_object_or_404(rows, public_id=public_id, campaign=campaign)


def campaign_for_researcher(user: User, slug: str) -> Campaign:
    return _for_role(campaign_for_staff(user, slug), user, "researcher")


def iteration_for_staff(user: User, slug: str, number: int) -> Iteration:
    campaign = campaign_for_staff(user, slug)
    rows = campaign.iterations.select_related("campaign__project", "policy", "snapshot", "parent")
    return get_object_or_404(rows, number=number)


def iteration_for_researcher(user: User, slug: str, number: int) -> Iteration:
    """To start runs in, retry, promote or reject."""
    iteration = iteration_for_staff(user, slug, number)
    _require_role_in(user, iteration.campaign.project_id, ("researcher",))
    return iteration


def job_for_staff(user: User, pk: int) -> Job:
    job = get_object_or_404(Job.objects.select_related("project"), pk=pk)
    _require_member(user, job.project_id, STAFF)
    return job


def job_for_researcher(user: User, pk: int) -> Job:
    """To stop or retry."""
    return _for_role(job_for_staff(user, pk), user, "researcher")


def checkpoints_for_staff(user: User) -> QuerySet[Checkpoint]:
    rows = Checkpoint.objects.filter(project__in=projects(user, *STAFF))
    return rows.select_related("parent", "project", "job")


def checkpoint_for_staff(user: User, pk: int) -> Checkpoint:
    rows = Checkpoint.objects.select_related("parent", "project", "job")
    checkpoint = get_object_or_404(rows, pk=pk)
    _require_member(user, checkpoint.project_id, STAFF)
    return checkpoint


def graph_for_staff(user: User, pk: int) -> PairGraph:
    rows = PairGraph.objects.select_related(
        "iteration__campaign__project", "iteration__policy", "iteration__snapshot"
    )
    graph = get_object_or_404(rows, pk=pk)
    _require_member(user, graph.iteration.campaign.project_id, STAFF)
    return graph


def graph_for_researcher(user: User, pk: int) -> PairGraph:
    """To stop, go on with or cancel."""
    graph = graph_for_staff(user, pk)
    _require_role_in(user, graph.iteration.campaign.project_id, ("researcher",))
    return graph


def snapshots_for_staff(user: User) -> QuerySet[Snapshot]:
    rows = Snapshot.objects.filter(project__in=projects(user, *STAFF))
    return rows.select_related("campaign", "iteration")


def snapshot_for_staff(user: User, pk: int) -> Snapshot:
    snapshot = get_object_or_404(Snapshot.objects.select_related("campaign", "iteration"), pk=pk)
    _require_member(user, snapshot.project_id, STAFF)
    return snapshot


def runs_for_staff(user: User) -> QuerySet[TrainingRun]:
    rows = TrainingRun.objects.filter(project__in=projects(user, *STAFF))
    found = rows.select_related("project", "campaign", "iteration", "snapshot", "job", "output")
    return found.prefetch_related("parts")


def run_for_staff(user: User, pk: int) -> TrainingRun:
    rows = TrainingRun.objects.select_related(
        "project", "campaign", "iteration", "snapshot", "job", "output"
    )
    run = get_object_or_404(rows, pk=pk)
    _require_member(user, run.project_id, STAFF)
    return run


def run_for_researcher(user: User, pk: int) -> TrainingRun:
    """To stop or continue."""
    return _for_role(run_for_staff(user, pk), user, "researcher")


def evaluations_for_staff(user: User) -> QuerySet[Evaluation]:
    rows = Evaluation.objects.filter(project__in=projects(user, *STAFF))
    return rows.select_related("iteration__campaign", "checkpoint", "job")


def evaluation_for_staff(user: User, pk: int) -> Evaluation:
    rows = Evaluation.objects.select_related("iteration__campaign", "checkpoint", "job")
    evaluation = get_object_or_404(rows, pk=pk)
    _require_member(user, evaluation.project_id, STAFF)
    return evaluation


def own_token(user: User, pk: int) -> Token:
    """To revoke."""
    return get_object_or_404(Token.objects.select_related("project"), user=user, pk=pk)


def projects_led(user: User) -> QuerySet[Project]:
    """Whose people this user answers for."""
    require_role(user, "lead")
    return projects(user, "lead").order_by("name", "pk")


def project_for_lead(user: User, slug: str) -> Project:
    """To add people to."""
    project = get_object_or_404(Project, slug=slug)
    _require_member(user, project.pk, ("lead",))
    return project


def member_for_lead(user: User, slug: str, public_id: UUID) -> tuple[Project, User]:
    """Somebody of one's project, to give roles, a password, or leave to sign in."""
    project = project_for_lead(user, slug)
    rows = User.objects.filter(memberships__project=project, kind="person").distinct()
    return project, get_object_or_404(rows, public_id=public_id)


def group_for_lead(user: User, slug: str, pk: int) -> RaterGroup:
    """To rename, and to put people in."""
    project = project_for_lead(user, slug)
    rows = RaterGroup.objects.select_related("project")
    return get_object_or_404(rows, pk=pk, project=project)


def invitation_for_lead(user: User, slug: str, pk: int) -> Invitation:
    """To withdraw."""
    project = project_for_lead(user, slug)
    return get_object_or_404(Invitation, pk=pk, project=project)


def webhook_for_lead(user: User, pk: int) -> Webhook:
    """To look at, change, test, switch off."""
    row = get_object_or_404(Webhook.objects.select_related("project"), pk=pk)
    _require_member(user, row.project_id, ("lead",))
    return row


def webhook_message_for_lead(user: User, pk: int, message: int) -> WebhookMessage:
    """To send again."""
    webhook = webhook_for_lead(user, pk)
    return get_object_or_404(webhook.messages.select_related("webhook__project"), pk=message)


def can(user: User, project_id: int, role: str) -> bool:
    """Whether to draw a button; the view behind it asks again."""
    return role in _roles_in(user, project_id)


def _for_role(row: Any, user: User, role: str) -> Any:
    _require_role_in(user, row.project_id, (role,))
    return row


def _require_member(user: User, project_id: int, wanted: tuple[str, ...]) -> None:
    """404 for whoever has no role in the project, 403 for a member with another one."""
    if not _roles_in(user, project_id):
        raise Http404
    _require_role_in(user, project_id, wanted)


def _require_role_in(user: User, project_id: int, wanted: tuple[str, ...]) -> None:
    if not _roles_in(user, project_id) & set(wanted):
        raise PermissionDenied


def _roles_in(user: User, project_id: int) -> set[str]:
    held = _memberships(user).filter(project=project_id)
    return set(held.values_list("role", flat=True))


def _memberships(user: User) -> QuerySet[Membership]:
    held = Membership.objects.filter(user=user)
    only = getattr(user, "_only_project", None)
    return held if only is None else held.filter(project=only)
