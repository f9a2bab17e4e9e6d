"""Every address of the browser face. tests/annotate/test_url_matrix.py declares who may do what
with each of them; an address that it does not know fails the tests."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from annotate.views import account, downloads, health, lead, people, rate, research, wording


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
    regex = "stop|retry|cancel"


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
register_converter(Settle, "settle")

rating: list[URLPattern | URLResolver] = [
    path("rate/", rate.queue, name="queue"),
    path("rate/<slug:slug>/", rate.card, name="card"),
    path("rate/<slug:slug>/undo/", rate.undo, name="undo"),
    path("rate/<slug:slug>/guidelines/", rate.guidelines, name="guidelines"),
    path("answers/<uuid:public_id>/", rate.submit, name="submit"),
    path("answers/<uuid:public_id>/skip/", rate.skip, name="skip"),
    path("answers/<uuid:public_id>/flag/", rate.flag, name="flag"),
    path("answers/<uuid:public_id>/renew/", rate.renew, name="renew"),
]
one_iteration: list[URLPattern | URLResolver] = [
    path("", research.iteration, name="iteration"),
    path("promote/", research.promote, name="promote"),
    path("reject/", research.reject, name="reject"),
    path("retry/", research.retry, name="retry-iteration"),
    path("<pause:verb>/", research.pause, name="pause-iteration"),
    path("runs/<slug:method>/", research.new_run, name="new-run"),
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
    *rating,
    path("campaigns/", lead.campaign_list, name="campaigns"),
    path("campaigns/new/", lead.new_campaign, name="new-campaign"),
    path("campaigns/<slug:slug>/", include(one_campaign)),
    path("people/", people.people, name="people"),
    path("people/<slug:slug>/", people.add, name="add-person"),
    path("people/<slug:slug>/<uuid:public_id>/", include(one_person)),
    path("jobs/", research.job_list, name="jobs"),
    path("jobs/<int:pk>/", research.job, name="job"),
    path("jobs/<int:pk>/metrics.csv", research.job_metrics, name="job-metrics"),
    path("jobs/<int:pk>/<act:verb>/", research.job_act, name="job-act"),
    path("checkpoints/", research.checkpoint_list, name="checkpoints"),
    path("checkpoints/<int:pk>/", research.checkpoint, name="checkpoint"),
    path("snapshots/<int:pk>/", research.snapshot, name="snapshot"),
    path("snapshots/<int:pk>/<str:name>", downloads.snapshot_file, name="snapshot-file"),
]
