"""Every address of the browser face. tests/annotate/test_url_matrix.py declares who may do what
with each of them; an address that it does not know fails the tests."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from annotate.views import (
    account,
    care,
    checkpoints,
    downloads,
    graphs,
    health,
    language,
    lead,
    pay,
    people,
    quality,
    rate,
    research,
    setup,
    suggestions,
    talk,
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


class Settle(OneOf):
    regex = "resolve|discard"


class JobAct(OneOf):
    regex = "stop|retry|cancel|again"


class GraphAct(OneOf):
    regex = "|".join(pair_graphs.ACTS)


class MayEnter(OneOf):
    regex = "deactivate|reactivate"


class Source(OneOf):
    regex = "person|all"


class Suffix(OneOf):
    regex = "jsonl|parquet"


register_converter(Source, "source")
register_converter(Suffix, "suffix")
register_converter(MayEnter, "may_enter")
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
    path("rate/<slug:slug>/care/", care.own_care, name="care"),
    path("rate/<slug:slug>/preview-text/", writing.preview_text, name="preview-text"),
    path("answers/<uuid:public_id>/", rate.submit, name="submit"),
    path("answers/<uuid:public_id>/skip/", rate.skip, name="skip"),
    path("answers/<uuid:public_id>/flag/", rate.flag, name="flag"),
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
    path("preview/", setup.preview, name="preview-campaign"),
    path("texts/", writing.campaign_texts, name="campaign-texts"),
    path("quality/", quality.quality, name="quality"),
    path("quality/count/", quality.count_quality, name="count-quality"),
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
    path("<may_enter:verb>/", people.may_enter, name="person-may-enter"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", account.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("sign-in/", account.sign_in, name="sign-in"),
    path("sign-out/", account.sign_out, name="sign-out"),
    path("account/", account.account, name="account"),
    path("language/", language.choose, name="language"),
    *rating,
    *talking,
    path("campaigns/", lead.campaign_list, name="campaigns"),
    path("campaigns/new/", setup.new_campaign, name="new-campaign"),
    path("campaigns/<slug:slug>/", include(one_campaign)),
    path("people/", people.people, name="people"),
    path("people/<slug:slug>/", people.add, name="add-person"),
    path("people/<slug:slug>/<uuid:public_id>/", include(one_person)),
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
