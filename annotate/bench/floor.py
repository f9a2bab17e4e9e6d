"""The least that a request which stores something can do: one indexed SELECT, one INSERT."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from labeling.models import Comparison
from models_runtime.models import AuditEvent


def store(request: HttpRequest, pk: int) -> HttpResponse:
    comparison = Comparison.objects.get(pk=pk)
    AuditEvent.objects.create(verb="measured", object_type="comparison", object_id=comparison.pk)
    return HttpResponse("stored")


urlpatterns = [path("store/<int:pk>/", store)]
