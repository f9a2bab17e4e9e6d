"""Every address of the browser face. tests/annotate/test_url_matrix.py declares who may do what
with each of them; an address that it does not know fails the tests."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from annotate.api import app as api
from annotate.views import (
    account,
    aggregation,
    audit,
    boards,
    card_questions,
    care,
    checkpoints,
    checks,
    confirming,
    consent,
    downloads,
    exclusions,
    gold,
    graphs,
    groups,
    health,
    inviting,
    joining,
    label_list,
    language,
    lead,
    limits,
    notices,
    ordering,
    overlap,
    pay,
    payroll,
    people,
    person,
    pilots,
    quality,
    rate,
    research,
    results,
    review,
    setup,
    statement,
    suggestions,
    talk,
    tokens,
    told,
    webhooks,
    wording,
    writing,
)
from training import pair_graphs


class OneOf:
    """A word of a fixed list; anything else is no address."""

    regex = ""

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class Move(OneOf):
    regex = "|".join(lead.MOVES)


class Pause(OneOf):
    regex = "pause|resume"


class PutOrTake(OneOf):
    regex = "|".join(groups.CHANGES)


class Settle(OneOf):
    regex = "resolve|discard"


class JobAct(OneOf):
    regex = "stop|retry|cancel|again"


class GraphAct(OneOf):
    regex = "|".join(pair_graphs.ACTS)


class MayEnter(OneOf):
    regex = "deactivate|reactivate"


class GoldAct(OneOf):
    regex = "retire|restore|up|down"


class RaterAct(OneOf):
    regex = "again|let-in|train"


class Source(OneOf):
    regex = "person|all"


class Suffix(OneOf):
    regex = "jsonl|parquet"


class WebhookAct(OneOf):
    regex = "test|on|off|secret|remove"


class NoticeMark(OneOf):
    regex = "read|unread"


class AuditSuffix(OneOf):
    regex = "|".join(audit.TYPES)


register_converter(WebhookAct, "webhook_act")
register_converter(NoticeMark, "notice_mark")
register_converter(AuditSuffix, "audit_suffix")
register_converter(GoldAct, "gold_act")
register_converter(RaterAct, "rater_act")
register_converter(Source, "source")
register_converter(Suffix, "suffix")
register_converter(MayEnter, "may_enter")
register_converter(PutOrTake, "put_or_take")
register_converter(Move, "move")
register_converter(Pause, "pause")
register_converter(JobAct, "act")
register_converter(GraphAct, "graph_act")
register_converter(Settle, "settle")

rating: list[URLPattern | URLResolver] = [
    path("rate/", rate.queue, name="queue"),
    path("rate/<slug:slug>/", rate.card, name="card"),
    path("rate/<slug:slug>/ahead/", rate.ahead, name="ahead"),
    path("rate/<slug:slug>/recent/", rate.recent, name="recent"),
    path("rate/<slug:slug>/undo/", rate.undo, name="undo"),
    path("rate/<slug:slug>/guidelines/", rate.guidelines, name="guidelines"),
    path("rate/<slug:slug>/board/", boards.board, name="board"),
    path("rate/<slug:slug>/care/", care.own_care, name="care"),
    path("rate/<slug:slug>/consent/", consent.consent, name="consent"),
    path("rate/<slug:slug>/confirm/", confirming.confirming, name="confirm-guidelines"),
    path("rate/<slug:slug>/preview-text/", writing.preview_text, name="preview-text"),
    path("told/<uuid:public_id>/", told.told, name="told"),
    path("verdicts/<uuid:public_id>/", told.told_verdict, name="told-verdict"),
    path("answers/<uuid:public_id>/", rate.submit, name="submit"),
    path("answers/<uuid:public_id>/skip/", rate.skip, name="skip"),
    path("answers/<uuid:public_id>/flag/", rate.flag, name="flag"),
    path("answers/<uuid:public_id>/ask/", card_questions.ask, name="ask"),
    path("answers/<uuid:public_id>/renew/", rate.renew, name="renew"),
    path("answers/<uuid:public_id>/release/", rate.release, name="release"),
]
talking: list[URLPattern | URLResolver] = [
    path("talk/<slug:slug>/", talk.start, name="talk-start"),
    path("talks/<uuid:public_id>/", talk.talk, name="talk"),
    path("talks/<uuid:public_id>/say/", talk.say, name="talk-say"),
    path("talks/<uuid:public_id>/judge/", talk.judge, name="talk-judge"),
    path("talks/<uuid:public_id>/rate/", talk.rate, name="talk-rate"),
    path("talks/<uuid:public_id>/undo/", talk.undo, name="talk-undo"),
    path("talks/<uuid:public_id>/again/", talk.again, name="talk-again"),
    path("talks/<uuid:public_id>/flag/", talk.flag, name="talk-flag"),
    path("talks/<uuid:public_id>/end/", talk.end, name="talk-end"),
]
one_iteration: list[URLPattern | URLResolver] = [
    path("", research.iteration, name="iteration"),
    path("promote/", research.promote, name="promote"),
    path("reject/", research.reject, name="reject"),
    path("retry/", research.retry, name="retry-iteration"),
    path("<pause:verb>/", research.pause, name="pause-iteration"),
    path("runs/<slug:method>/", research.new_run, name="new-run"),
    path("recipes/<slug:recipe>/", graphs.new_graph, name="new-graph"),
    path("rows/<slug:kind>/", research.rows, name="rows"),
]
one_campaign: list[URLPattern | URLResolver] = [
    path("", lead.campaign, name="campaign"),
    path("<move:verb>/", lead.move, name="move-campaign"),
    path("iterate/", lead.iterate, name="iterate"),
    path("freeze/", lead.freeze, name="freeze"),
    path("simulate/", lead.simulate, name="simulate"),
    path("flags/<int:pk>/<settle:verb>/", lead.settle_flag, name="settle-flag"),
    path("prompts/", lead.upload, name="upload-prompts"),
    path("wording/", wording.wording, name="wording"),
    path("care/", care.campaign_care, name="campaign-care"),
    path("pay/", pay.campaign_pay, name="campaign-pay"),
    path("board/", boards.campaign_board, name="campaign-board"),
    path("questions/", card_questions.questions, name="card-questions"),
    path("questions/<uuid:public_id>/", card_questions.answer, name="answer-question"),
    path("questions/<uuid:public_id>/unshare/", card_questions.unshare, name="unshare-answer"),
    path("payroll/", payroll.payroll, name="payroll"),
    path("payroll/payroll.csv", payroll.payroll_csv, name="payroll-csv"),
    path("payroll/close/", payroll.close, name="close-payroll"),
    path("payroll/<uuid:public_id>/", payroll.rater_statement, name="rater-statement"),
    path("disputes/<uuid:public_id>/", payroll.answer, name="answer-dispute"),
    path("overlap/", overlap.campaign_overlap, name="campaign-overlap"),
    path("order/", ordering.campaign_order, name="campaign-order"),
    path("queue/", groups.campaign_queue, name="campaign-queue"),
    path("budget/", limits.campaign_budget, name="campaign-budget"),
    path("budget.csv", limits.budget_csv, name="budget-csv"),
    path("quotas/", limits.campaign_quotas, name="campaign-quotas"),
    path("quotas.csv", limits.quotas_csv, name="quotas-csv"),
    path("pilot/", pilots.campaign_pilot, name="campaign-pilot"),
    path("pilot/widen/", pilots.widen_pilot, name="widen-pilot"),
    path("pilot/revise/", pilots.revise_pilot, name="revise-pilot"),
    path("clone/", setup.clone, name="clone-campaign"),
    path("checks/", checks.campaign_checks, name="campaign-checks"),
    path("checks/checks.csv", checks.answers_csv, name="checks-csv"),
    path("checks/settle/", checks.settle_checks, name="settle-checks"),
    path("checks/import/", checks.upload_gold, name="upload-gold"),
    path("checks/from/<int:pk>/", gold.new_gold, name="new-gold"),
    path("checks/<uuid:public_id>/", gold.edit_gold, name="gold"),
    path("checks/<uuid:public_id>/<gold_act:act>/", checks.gold_act, name="gold-act"),
    path("checks/contests/<int:pk>/", checks.decide, name="decide-contest"),
    path("checks/raters/<uuid:public_id>/<rater_act:act>/", checks.rater_act, name="rater-act"),
    path("preview/", setup.preview, name="preview-campaign"),
    path("texts/", writing.campaign_texts, name="campaign-texts"),
    path("review/", review.review, name="review"),
    path("review/<int:pk>/", review.review_item, name="review-item"),
    path("review/<int:pk>/decide/", review.decide, name="decide"),
    path("review/<int:pk>/undo/", review.undo_decision, name="undo-decision"),
    path("review/<int:pk>/redact/", review.redact, name="redact"),
    path("review/<int:pk>/send-back/", review.send_back, name="send-back"),
    path("sent-back/<int:pk>/take-back/", review.take_send_back, name="take-send-back"),
    path("exclusions/", exclusions.campaign_exclusions, name="exclusions"),
    path("exclusions/<int:pk>/lift/", exclusions.lift, name="lift-exclusion"),
    path("raters/<uuid:public_id>/exclude/", exclusions.exclude, name="exclude"),
    path("labels/", label_list.labels, name="labels"),
    path("quality/", quality.quality, name="quality"),
    path("quality/count/", quality.count_quality, name="count-quality"),
    path("quality/aggregation/", aggregation.aggregation, name="aggregation"),
    path("quality/<slug:source>.csv", quality.quality_csv, name="quality-csv"),
    path("suggestions/", suggestions.campaign_suggestions, name="campaign-suggestions"),
    path("suggestions/import/", suggestions.upload, name="upload-suggestions"),
    path("suggestions/by/", suggestions.suggesters, name="suggesters"),
    path("suggestions/repaired.csv", suggestions.repaired_csv, name="repaired"),
    path("question/", wording.question, name="revise-question"),
    path("guidelines/", wording.guidelines, name="revise-guidelines"),
    path("export/<source:source>.<suffix:suffix>", downloads.export, name="export"),
    path("<int:number>/", include(one_iteration)),
]
one_person: list[URLPattern | URLResolver] = [
    path("roles/", people.roles, name="person-roles"),
    path("password/", people.password, name="person-password"),
    path("", person.person, name="person"),
    path("data.zip", person.data_of, name="person-data"),
    path("anonymise/", person.anonymise, name="person-anonymise"),
    path("erase/", person.erase, name="person-erase"),
    path("link/", inviting.password_link, name="person-link"),
    path("<may_enter:verb>/", people.may_enter, name="person-may-enter"),
]

one_group: list[URLPattern | URLResolver] = [
    path("", groups.group, name="group"),
    path("rename/", groups.rename, name="rename-group"),
    path("remove/", groups.remove, name="remove-group"),
    path("<put_or_take:verb>/", groups.change_members, name="change-members"),
]
coming_in: list[URLPattern | URLResolver] = [
    path("join/", joining.coming_in, name="coming-in"),
    path("join/<str:token>/", joining.join, name="join"),
    path("password/", joining.ask, name="ask-password"),
    path("password/new/", joining.new_password, name="new-password"),
    path("password/<uuid:public_id>/<str:token>/", joining.password_link, name="password-set"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", account.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("sign-in/", account.sign_in, name="sign-in"),
    path("sign-out/", account.sign_out, name="sign-out"),
    *coming_in,
    *api.urlpatterns,
    path("account/", account.account, name="account"),
    path("account/data.zip", person.own_data, name="own-data"),
    path("account/about/", account.about, name="account-about"),
    path("account/tokens/", tokens.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke, name="revoke-token"),
    path("account/results/", results.results, name="results"),
    path("account/statement/", statement.statement, name="statement"),
    path("account/statement.csv", statement.statement_csv, name="statement-csv"),
    path("account/statement/<slug:slug>/", statement.dispute, name="dispute-pay"),
    path("account/disputes/<uuid:public_id>/", statement.withdraw, name="withdraw-dispute"),
    path("payroll/", payroll.all_payrolls, name="payrolls"),
    path("payroll/payroll.csv", payroll.all_payrolls_csv, name="payrolls-csv"),
    path("language/", language.choose, name="language"),
    *rating,
    *talking,
    path("campaigns/", lead.campaign_list, name="campaigns"),
    path("campaigns/new/", setup.new_campaign, name="new-campaign"),
    path("campaigns/<slug:slug>/", include(one_campaign)),
    path("audit/", audit.log, name="audit"),
    path("audit/log.<audit_suffix:suffix>", audit.export, name="audit-export"),
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_all, name="read-notices"),
    path("notices/settings/", notices.settings, name="notice-settings"),
    path("notices/no-mail/<str:token>/", notices.end_mail, name="end-mail"),
    path("notices/<int:pk>/", notices.open_notice, name="open-notice"),
    path("notices/<int:pk>/<notice_mark:verb>/", notices.mark, name="mark-notice"),
    path("webhooks/", webhooks.webhooks, name="webhooks"),
    path("webhooks/of/<slug:slug>/", webhooks.add, name="add-webhook"),
    path("webhooks/<int:pk>/", webhooks.webhook, name="webhook"),
    path("webhooks/<int:pk>/<webhook_act:verb>/", webhooks.act, name="webhook-act"),
    path("webhooks/<int:pk>/<int:message>/again/", webhooks.send_again, name="webhook-again"),
    path("people/", people.people, name="people"),
    path("people/<slug:slug>/", people.add, name="add-person"),
    path("people/<slug:slug>/<uuid:public_id>/", include(one_person)),
    path("people/<slug:slug>/invitations/", inviting.invitation_list, name="invitations"),
    path(
        "people/<slug:slug>/invitations/<int:pk>/revoke/",
        inviting.revoke,
        name="revoke-invitation",
    ),
    path("people/<slug:slug>/consent/", inviting.project_consent, name="project-consent"),
    path("people/<slug:slug>/groups/", groups.group_list, name="groups"),
    path("people/<slug:slug>/groups/<int:pk>/", include(one_group)),
    path("jobs/", research.job_list, name="jobs"),
    path("jobs/<int:pk>/", research.job, name="job"),
    path("jobs/<int:pk>/metrics.csv", research.job_metrics, name="job-metrics"),
    path("jobs/<int:pk>/rate/", checkpoints.rate_checkpoints, name="rate-checkpoints"),
    path("jobs/<int:pk>/<act:verb>/", research.job_act, name="job-act"),
    path("checkpoints/", research.checkpoint_list, name="checkpoints"),
    path("graphs/<int:pk>/", graphs.graph, name="graph"),
    path("graphs/<int:pk>/<graph_act:verb>/", graphs.graph_act, name="graph-act"),
    path("checkpoints/<int:pk>/", research.checkpoint, name="checkpoint"),
    path("checkpoints/<int:pk>/README.md", research.checkpoint_card, name="checkpoint-card"),
    path("snapshots/<int:pk>/", research.snapshot, name="snapshot"),
    path("snapshots/<int:pk>/<str:name>", downloads.snapshot_file, name="snapshot-file"),
]
