"""Every address, every role, every verb, against a declared matrix. An address that is not
declared here fails, so nothing is published without saying who may use it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from annotate import notice_mail
from labeling import (
    card_questions,
    checks,
    contests,
    exclusions,
    groups,
    invitations,
    labels,
    leases,
    notices,
    send_backs,
    snapshots,
    tokens,
    webhooks,
)
from labeling.checks import Checks
from labeling.models import (
    Assignment,
    Conversation,
    Iteration,
    Notice,
    PayDispute,
    Qualification,
    Snapshot,
    Token,
)
from models_runtime.models import Job
from tests.checks import claim, make_gold, say
from tests.factories import CampaignFactory, Cast, open_comparisons
from tests.rating import answer
from tests.talks import CONVERSATION
from training.models import PairGraph, PairRound, TrainingRun

ROLES = ("anonymous", "outsider", "rater", "lead", "researcher")
VERBS = ("get", "head", "post", "put", "patch", "delete")
YES, SIGN_IN, NO, NOTHING = "yes", "sign-in", 403, 404

# Who may use an address: anonymous, outsider, rater, lead, researcher.
ANYONE = dict.fromkeys(ROLES, YES)
MEMBERS = dict(zip(ROLES, (SIGN_IN, YES, YES, YES, YES), strict=True))
RATERS = dict(zip(ROLES, (SIGN_IN, NO, YES, NO, NO), strict=True))
THIS_RATER = dict(zip(ROLES, (SIGN_IN, NOTHING, YES, NOTHING, NOTHING), strict=True))
ANY_STAFF = dict(zip(ROLES, (SIGN_IN, YES, NO, YES, YES), strict=True))
ANY_LEAD = dict(zip(ROLES, (SIGN_IN, YES, NO, YES, NO), strict=True))
STAFF = dict(zip(ROLES, (SIGN_IN, NOTHING, NO, YES, YES), strict=True))
LEAD = dict(zip(ROLES, (SIGN_IN, NOTHING, NO, YES, NO), strict=True))
RESEARCHER = dict(zip(ROLES, (SIGN_IN, NOTHING, NO, NO, YES), strict=True))

SAFE, POST = ("get", "head"), ("post",)
MATRIX: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "home": (SAFE, MEMBERS),
    "healthz": (SAFE, ANYONE),
    "sign-in": (SAFE + POST, ANYONE),
    "sign-out": (POST, ANYONE),
    "language": (POST, ANYONE),
    "account": (SAFE + POST, MEMBERS),
    "account-about": (POST, MEMBERS),
    "tokens": (SAFE + POST, MEMBERS),
    "revoke-token": (POST, THIS_RATER),
    "api-document": (SAFE, ANYONE),
    **dict.fromkeys(("api-nothing", "api-nothing-here"), (VERBS, dict.fromkeys(ROLES, NOTHING))),
    "queue": (SAFE, RATERS),
    "card": (SAFE, THIS_RATER),
    "ahead": (SAFE, THIS_RATER),
    "recent": (SAFE, THIS_RATER),
    "undo": (POST, THIS_RATER),
    "guidelines": (SAFE, THIS_RATER),
    "preview-text": (POST, THIS_RATER),
    "care": (SAFE + POST, THIS_RATER),
    "consent": (SAFE + POST, THIS_RATER),
    "confirm-guidelines": (SAFE + POST, THIS_RATER),
    "coming-in": (SAFE + POST, ANYONE),
    "join": (SAFE, ANYONE),
    "ask-password": (SAFE + POST, ANYONE),
    "new-password": (SAFE + POST, ANYONE),
    "password-set": (SAFE, ANYONE),
    "talk-start": (SAFE + POST, THIS_RATER),
    "talk": (SAFE, THIS_RATER),
    "talk-say": (POST, THIS_RATER),
    "talk-judge": (POST, THIS_RATER),
    "talk-rate": (POST, THIS_RATER),
    "talk-undo": (POST, THIS_RATER),
    "talk-again": (POST, THIS_RATER),
    "talk-flag": (POST, THIS_RATER),
    "talk-end": (POST, THIS_RATER),
    "told": (POST, THIS_RATER),
    "told-verdict": (POST, THIS_RATER),
    "submit": (POST, THIS_RATER),
    "skip": (POST, THIS_RATER),
    "flag": (POST, THIS_RATER),
    "renew": (POST, THIS_RATER),
    "release": (POST, THIS_RATER),
    "campaigns": (SAFE, ANY_STAFF),
    "new-campaign": (SAFE + POST, ANY_LEAD),
    "campaign": (SAFE, STAFF),
    "move-campaign": (POST, LEAD),
    "iterate": (POST, STAFF),
    "freeze": (POST, LEAD),
    "simulate": (POST, LEAD),
    "settle-flag": (POST, LEAD),
    "upload-prompts": (POST, LEAD),
    "wording": (SAFE, STAFF),
    "campaign-care": (SAFE + POST, LEAD),
    "campaign-pay": (SAFE + POST, LEAD),
    "board": (SAFE + POST, THIS_RATER),
    "campaign-board": (SAFE + POST, LEAD),
    "ask": (POST, THIS_RATER),
    "card-questions": (SAFE, LEAD),
    "answer-question": (POST, LEAD),
    "unshare-answer": (POST, LEAD),
    "results": (SAFE, MEMBERS),
    "statement": (SAFE, MEMBERS),
    "statement-csv": (SAFE, MEMBERS),
    "dispute-pay": (POST, THIS_RATER),
    "withdraw-dispute": (POST, THIS_RATER),
    "payroll": (SAFE, LEAD),
    "payroll-csv": (SAFE, LEAD),
    "close-payroll": (POST, LEAD),
    "rater-statement": (SAFE, LEAD),
    "answer-dispute": (POST, LEAD),
    "payrolls": (SAFE, ANY_LEAD),
    "payrolls-csv": (SAFE, ANY_LEAD),
    "campaign-overlap": (SAFE + POST, LEAD),
    "campaign-order": (SAFE + POST, LEAD),
    "campaign-queue": (SAFE + POST, LEAD),
    "campaign-budget": (SAFE + POST, LEAD),
    "budget-csv": (SAFE, LEAD),
    "campaign-quotas": (SAFE + POST, LEAD),
    "quotas-csv": (SAFE, LEAD),
    "campaign-pilot": (SAFE + POST, LEAD),
    "widen-pilot": (POST, LEAD),
    "revise-pilot": (POST, LEAD),
    "clone-campaign": (SAFE + POST, LEAD),
    "preview-campaign": (SAFE, STAFF),
    "campaign-checks": (SAFE, STAFF),
    "settle-checks": (POST, LEAD),
    "checks-csv": (SAFE, STAFF),
    "upload-gold": (POST, LEAD),
    "new-gold": (SAFE + POST, LEAD),
    "gold": (SAFE + POST, LEAD),
    "gold-act": (POST, LEAD),
    "decide-contest": (POST, LEAD),
    "rater-act": (POST, LEAD),
    "campaign-texts": (SAFE, STAFF),
    "review": (SAFE, LEAD),
    "review-item": (SAFE, LEAD),
    **dict.fromkeys(("decide", "undo-decision", "redact", "send-back"), (POST, LEAD)),
    "take-send-back": (POST, LEAD),
    "exclusions": (SAFE, LEAD),
    "exclude": (SAFE + POST, LEAD),
    "lift-exclusion": (POST, LEAD),
    "labels": (SAFE, STAFF),
    "quality": (SAFE, STAFF),
    "count-quality": (POST, STAFF),
    "aggregation": (POST, LEAD),
    "quality-csv": (SAFE, STAFF),
    "campaign-suggestions": (SAFE, STAFF),
    "upload-suggestions": (POST, LEAD),
    "suggesters": (POST, LEAD),
    "repaired": (SAFE, STAFF),
    "revise-question": (SAFE + POST, LEAD),
    "revise-guidelines": (SAFE + POST, LEAD),
    "export": (SAFE, STAFF),
    "iteration": (SAFE, STAFF),
    "promote": (POST, RESEARCHER),
    "reject": (POST, RESEARCHER),
    "retry-iteration": (POST, RESEARCHER),
    "pause-iteration": (POST, RESEARCHER),
    "new-run": (SAFE + POST, RESEARCHER),
    "new-graph": (SAFE + POST, RESEARCHER),
    "graph": (SAFE, STAFF),
    "graph-act": (POST, RESEARCHER),
    "rows": (SAFE, STAFF),
    "audit": (SAFE, ANY_STAFF),
    "audit-export": (SAFE, ANY_STAFF),
    "notices": (SAFE, MEMBERS),
    "read-notices": (POST, MEMBERS),
    "notice-settings": (SAFE + POST, MEMBERS),
    "end-mail": (SAFE + POST, ANYONE),
    "open-notice": (POST, THIS_RATER),
    "mark-notice": (POST, THIS_RATER),
    "webhooks": (SAFE, ANY_LEAD),
    "add-webhook": (POST, LEAD),
    "webhook": (SAFE + POST, LEAD),
    "webhook-act": (POST, LEAD),
    "webhook-again": (POST, LEAD),
    "people": (SAFE, ANY_LEAD),
    "add-person": (SAFE + POST, LEAD),
    "person-roles": (POST, LEAD),
    "person-password": (POST, LEAD),
    "person-link": (POST, LEAD),
    "person": (SAFE, LEAD),
    "person-data": (SAFE, LEAD),
    "person-anonymise": (POST, LEAD),
    "person-erase": (POST, LEAD),
    "own-data": (SAFE, MEMBERS),
    "invitations": (SAFE + POST, LEAD),
    "revoke-invitation": (POST, LEAD),
    "project-consent": (SAFE + POST, LEAD),
    "groups": (SAFE + POST, LEAD),
    "group": (SAFE, LEAD),
    "rename-group": (POST, LEAD),
    "change-members": (POST, LEAD),
    "remove-group": (POST, LEAD),
    "person-may-enter": (POST, LEAD),
    "jobs": (SAFE, ANY_STAFF),
    "job": (SAFE, STAFF),
    "job-metrics": (SAFE, STAFF),
    "job-act": (POST, RESEARCHER),
    "rate-checkpoints": (SAFE + POST, RESEARCHER),
    "checkpoints": (SAFE, ANY_STAFF),
    "checkpoint": (SAFE, STAFF),
    "checkpoint-card": (SAFE, STAFF),
    "snapshot": (SAFE, STAFF),
    "snapshot-file": (SAFE, STAFF),
}


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and pattern.namespace == "api":
            continue  # tests/annotate/api declares its own
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        else:
            yield str(pattern.name)


def test_every_address_is_declared() -> None:
    assert sorted(names(get_resolver().url_patterns)) == sorted(MATRIX)


TALK = [name for name in MATRIX if name.startswith("talk") and name != "talk-start"]


def talk_of(cast: Cast) -> Conversation:
    return Conversation.objects.create(
        campaign=cast.campaign,
        rater=cast.rater,
        question=CampaignFactory(parts=CONVERSATION).question,
        speakers=[{"checkpoint": cast.campaign.first_policy_id}] * 2,
    )


def job_of_a_run(snapshot: Snapshot) -> Job:
    job = Job.objects.create(project=snapshot.project, kind="train")
    TrainingRun.objects.create(
        project=job.project, campaign=snapshot.campaign, iteration=Iteration.objects.get(),
        role="policy", method="dpo", snapshot=snapshot, job=job,
    )  # fmt: skip
    return job


def notice_addresses(cast: Cast) -> dict[str, dict[str, Any]]:
    notices.tell([cast.rater], "work", key="matrix", text="There is work.")
    one = {"pk": Notice.objects.get(key="matrix").pk}
    link = notice_mail.end_link(cast.rater, "work").rstrip("/")
    return {
        "open-notice": one,
        "mark-notice": {**one, "verb": "read"},
        "end-mail": {"token": link.rpartition("/")[2]},
    }


def webhook_addresses(cast: Cast) -> dict[str, dict[str, Any]]:
    types = ["campaign.moved"]
    url = "https://receiver.example/"
    made = webhooks.add(project=cast.project, url=url, types=types, actor=cast.lead)
    message = webhooks.test(made, actor=cast.lead)
    return {
        "webhook": {"pk": made.pk},
        "webhook-act": {"pk": made.pk, "verb": "test"},
        "webhook-again": {"pk": made.pk, "message": message.pk},
    }


def graph_of(cast: Cast) -> PairGraph:
    iteration = Iteration.objects.get()
    options = {"weak_prompt": "Be rude."}
    made = PairGraph.objects.create(iteration=iteration, recipe="contrast", options=options)
    job = Job.objects.create(project=cast.project, kind="sample")
    PairRound.objects.create(graph=made, number=1, policy=iteration.policy, sampling=job)
    return made


def token_of(cast: Cast) -> Token:
    made, _secret = tokens.make(
        user=cast.rater, project=cast.project, name="Mine", scopes=["runs:read"], days=1
    )
    return made


def ways_in(cast: Cast) -> dict[str, dict[str, Any]]:
    """Arguments of what leads into a project, and of its groups."""
    terms = invitations.Terms(name="Students")
    made, token = invitations.make(project=cast.project, terms=terms, actor=cast.lead)
    group = groups.make(project=cast.project, name="Students", kind="group")
    team = {"slug": cast.project.slug}
    one = {**team, "pk": group.pk}
    link = default_token_generator.make_token(cast.other_rater)
    return {
        "join": {"token": token},
        "password-set": {"public_id": cast.other_rater.public_id, "token": link},
        "revoke-invitation": {**team, "pk": made.pk},
        **dict.fromkeys(("invitations", "project-consent", "groups"), team),
        **dict.fromkeys(("group", "rename-group", "remove-group"), one),
        "change-members": {**one, "verb": "put"},
        **dict.fromkeys(("consent", "confirm-guidelines", "campaign-queue"), {"slug": "helpful"}),
    }


def review_addresses(cast: Cast) -> dict[str, dict[str, Any]]:
    """Of a lead's review, each leading to a row of its own."""
    label = answer(cast.rater, cast.campaign, "0:better")
    sent = send_backs.send_back(label=label, text="Look again.", actor=cast.lead)
    excluded = exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.rater,
        from_at=label.created_at,
        reason="quality",
        actor=cast.lead,
    )
    slug = {"slug": "helpful"}
    item = {**slug, "pk": label.comparison_id}
    return {
        **dict.fromkeys(("review", "exclusions"), slug),
        **dict.fromkeys(("review-item", "decide", "undo-decision", "redact", "send-back"), item),
        "take-send-back": {**slug, "pk": sent.pk},
        "exclude": {**slug, "public_id": cast.rater.public_id},
        "lift-exclusion": {**slug, "pk": excluded.pk},
    }


def check_addresses(cast: Cast) -> dict[str, dict[str, Any]]:
    """Of training, test and gold, each leading to a row of its own."""
    [item] = make_gold(cast.campaign, 1, "training")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    label = say(claim(cast.rater, cast.campaign))
    checks.settle(campaign=cast.campaign, settings=Checks())
    contest = contests.open_contest(result=label.result, text="No.", rater=cast.rater)
    verdict = Qualification.objects.create(
        rater=cast.rater, campaign=cast.campaign, right=1, asked=1, pass_mark=80, passed=True
    )
    slug = {"slug": "helpful"}
    return {
        **dict.fromkeys(("campaign-checks", "settle-checks", "upload-gold", "checks-csv"), slug),
        "new-gold": {**slug, "pk": cast.campaign.comparisons.filter(purpose="work")[0].pk},
        "gold": {**slug, "public_id": item.public_id},
        "gold-act": {**slug, "public_id": item.public_id, "act": "up"},
        "decide-contest": {**slug, "pk": contest.pk},
        "rater-act": {**slug, "public_id": cast.rater.public_id, "act": "let-in"},
        "told": {"public_id": label.public_id},
        "told-verdict": {"public_id": verdict.public_id},
    }


def question_of(assignment: Assignment) -> dict[str, Any]:
    asked = card_questions.ask(assignment=assignment, text="Which one?")
    return {"slug": "helpful", "public_id": asked.public_id}


def disputed(cast: Cast) -> PayDispute:
    day = datetime.date(2026, 3, 1)
    said = {"campaign": cast.campaign, "rater": cast.rater, "starts": day, "ends": day}
    return PayDispute.objects.create(**said, state="declined")


@pytest.fixture
def addresses(cast: Cast) -> dict[str, str]:
    """An address for every name, each leading to a row of the cast's project."""
    open_comparisons(cast.campaign, 6)
    checked = check_addresses(cast)
    answer(cast.rater, cast.campaign, "0:better")
    assignment = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert assignment is not None
    cast.campaign.shows_board = True
    cast.campaign.save(update_fields=["shows_board"])
    snapshot = snapshots.freeze(campaign=cast.campaign)
    raised = labels.flag(assignment=assignment, code="broken")
    job = Job.objects.create(project=cast.project, kind="train")
    slug, own = {"slug": "helpful"}, {"public_id": assignment.public_id}
    one = {**slug, "number": Iteration.objects.get().number}
    team = {"slug": cast.project.slug}
    person = {**team, "public_id": cast.other_rater.public_id}
    arguments: dict[str, dict[str, Any]] = {
        "add-person": team,
        **dict.fromkeys(("person-roles", "person-password", "person-link"), person),
        **dict.fromkeys(("person", "person-data", "person-anonymise", "person-erase"), person),
        **ways_in(cast),
        "person-may-enter": {**person, "verb": "deactivate"},
        **dict.fromkeys(("card", "undo", "guidelines", "campaign", "iterate"), slug),
        **dict.fromkeys(("ahead", "recent", "talk-start"), slug),
        **dict.fromkeys(("preview-text", "care", "campaign-care", "campaign-pay"), slug),
        **dict.fromkeys(("campaign-budget", "budget-csv", "campaign-quotas", "quotas-csv"), slug),
        **dict.fromkeys(("campaign-pilot", "widen-pilot", "revise-pilot", "clone-campaign"), slug),
        **dict.fromkeys(("preview-campaign", "campaign-texts"), slug),
        **dict.fromkeys(("dispute-pay", "payroll", "payroll-csv", "close-payroll"), slug),
        **dict.fromkeys(("board", "campaign-board", "card-questions"), slug),
        "ask": own,
        **dict.fromkeys(("answer-question", "unshare-answer"), question_of(assignment)),
        "rater-statement": {**slug, "public_id": cast.rater.public_id},
        "answer-dispute": {**slug, "public_id": disputed(cast).public_id},
        "withdraw-dispute": {"public_id": disputed(cast).public_id},
        **dict.fromkeys(("quality", "count-quality", "campaign-overlap", "labels"), slug),
        "campaign-order": slug,
        "aggregation": slug,
        **review_addresses(cast),
        "quality-csv": {**slug, "source": "person"},
        **dict.fromkeys(TALK, {"public_id": talk_of(cast).public_id}),
        **dict.fromkeys(("freeze", "simulate", "upload-prompts"), slug),
        **dict.fromkeys(("wording", "revise-question", "revise-guidelines"), slug),
        **dict.fromkeys(("campaign-suggestions", "upload-suggestions"), slug),
        **dict.fromkeys(("suggesters", "repaired"), slug),
        **dict.fromkeys(("submit", "skip", "flag", "renew", "release"), own),
        **dict.fromkeys(("iteration", "promote", "reject", "retry-iteration"), one),
        **dict.fromkeys(("job", "job-metrics"), {"pk": job.pk}),
        "rate-checkpoints": {"pk": job_of_a_run(snapshot).pk},
        "settle-flag": {**slug, "pk": raised.pk, "verb": "resolve"},
        "move-campaign": {**slug, "verb": "pause"},
        "export": {**slug, "source": "person", "suffix": "jsonl"},
        "pause-iteration": {**one, "verb": "pause"},
        "new-run": {**one, "method": "dpo"},
        "new-graph": {**one, "recipe": "contrast"},
        "graph": {"pk": graph_of(cast).pk},
        "graph-act": {"pk": graph_of(cast).pk, "verb": "stop"},
        "audit-export": {"suffix": "csv"},
        "api-nothing-here": {"rest": "v1/nothing"},
        "revoke-token": {"pk": token_of(cast).pk},
        **notice_addresses(cast),
        **checked,
        "add-webhook": team,
        **webhook_addresses(cast),
        "rows": {**one, "kind": "labels"},
        "job-act": {"pk": job.pk, "verb": "stop"},
        **dict.fromkeys(("checkpoint", "checkpoint-card"), {"pk": cast.campaign.first_policy_id}),
        "snapshot": {"pk": snapshot.pk},
        "snapshot-file": {"pk": snapshot.pk, "name": "labels.jsonl"},
    }
    return {name: reverse(name, kwargs=arguments.get(name)) for name in MATRIX}


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_who_may_do_what(role: str, addresses: dict[str, str], cast: Cast) -> None:
    wrong = []
    for name, (allowed, audience) in MATRIX.items():
        for verb in VERBS:
            client = Client()
            if role != "anonymous":
                client.force_login(getattr(cast, role))
            response = getattr(client, verb)(addresses[name])
            expected = audience[role] if verb in allowed else 405
            if not fits(response, expected):
                wrong.append(f"{verb} {name}: {response.status_code}, not {expected}")
    assert wrong == []


def fits(response: Any, expected: str | int) -> bool:
    """Whether a response is what the matrix says; "yes" is any answer to the act itself, which
    for an empty form is a refusal of the form."""
    to_sign_in = response.status_code == 302 and "/sign-in/?next=" in response["Location"]
    if expected == SIGN_IN:
        return to_sign_in
    if expected == YES:
        return response.status_code in (200, 204, 302, 400, 409) and not to_sign_in
    return response.status_code == expected


def test_an_id_that_was_never_given_looks_like_another_s(client: Any, cast: Cast) -> None:
    """The same status and the same body, so that nobody can count what others have."""
    job = Job.objects.create(project=cast.project, kind="train")
    client.force_login(cast.outsider)
    theirs = client.get(f"/jobs/{job.pk}/")
    never = client.get(f"/jobs/{job.pk + 999}/")
    assert (theirs.status_code, theirs.content) == (404, never.content)


def test_the_content_policy_is_on_every_answer(client: Any, cast: Cast) -> None:
    client.force_login(cast.lead)
    for path in ("/campaigns/", "/nothing/", "/rate/", "/sign-out/", "/healthz"):
        policy = client.get(path)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_no_page_has_a_script_or_style_of_its_own(client: Any, cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    client.force_login(cast.rater)
    body = client.get("/rate/helpful/").content.decode()
    for forbidden in ("<style", "style=", "onclick=", "<script>", "javascript:"):
        assert forbidden not in body
