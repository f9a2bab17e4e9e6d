"""Every address of the browser face. tests/annotate/test_url_matrix.py declares who may do what
with each of them; an address that it does not know fails the tests."""

from django.urls import URLPattern, URLResolver, path

from annotate.views import account, health, rate

urlpatterns: list[URLPattern | URLResolver] = [
    path("", account.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("sign-in/", account.sign_in, name="sign-in"),
    path("sign-out/", account.sign_out, name="sign-out"),
    path("account/", account.account, name="account"),
    path("rate/", rate.queue, name="queue"),
    path("rate/<slug:slug>/", rate.card, name="card"),
    path("rate/<slug:slug>/undo/", rate.undo, name="undo"),
    path("rate/<slug:slug>/guidelines/", rate.guidelines, name="guidelines"),
    path("answers/<uuid:public_id>/", rate.submit, name="submit"),
    path("answers/<uuid:public_id>/skip/", rate.skip, name="skip"),
    path("answers/<uuid:public_id>/flag/", rate.flag, name="flag"),
]
