"""Endpoints as rows: servers of others that speak OpenAI's protocol, for live talks and as judges
of what a run samples."""

from __future__ import annotations

import os
import re
from dataclasses import asdict

from django.db import models
from django.utils import timezone

from models_runtime import audit, outbound, probing
from models_runtime.child import without_secrets
from models_runtime.models import Checkpoint, Endpoint, Project
from models_runtime.serving import Address, Unanswered


def add(
    *,
    project: Project,
    name: str,
    base_url: str,
    model_name: str,
    key_variable: str = "",
    force: bool = False,
    actor: models.Model | None = None,
) -> Endpoint:
    """Remember a server under a name that campaigns may use for a model, with what it can do,
    which it is asked first. ``key_variable`` names the environment variable that holds its key
    wherever talks are answered; the key itself is stored nowhere. Repeating it changes nothing.
    Raises ValueError with one sentence; for a server that talks cannot use, unless with
    ``force``, as long as somebody answers at its address."""
    if not name or not name.isprintable() or len(name) > 120:
        raise ValueError("An endpoint's name has 1 to 120 visible characters.")
    if Checkpoint.objects.filter(project=project, name=name).exists():
        raise ValueError(f"There is already a checkpoint named {name}.")
    found = Endpoint.objects.filter(project=project, name=name).first()
    if found is not None:
        stored = (found.base_url, found.model_name, found.key_variable)
        if stored == (base_url, model_name, key_variable):
            return found
        raise ValueError(f"There is already an endpoint named {name} at another address.")
    _check_variable(key_variable)
    try:
        connection, _path = outbound.connect(base_url)
    except outbound.Unreachable as error:
        raise ValueError(str(error)) from error
    connection.close()
    key = os.environ[key_variable] if key_variable else ""
    verdict = probing.probe(Address(base_url, model_name, key))
    if verdict.problem and not force:
        raise ValueError(f"Talks cannot use this server. {verdict.problem}")
    made = Endpoint.objects.create(
        project=project,
        name=name,
        base_url=base_url,
        model_name=model_name,
        key_variable=key_variable,
        probe=asdict(verdict),
        probed_at=timezone.now(),
    )
    audit.record(verb="endpoint added", obj=made, actor=actor)
    return made


def verdict_on(endpoint: Endpoint) -> probing.Verdict:
    """What it could do when it was asked."""
    return probing.Verdict(**endpoint.probe)


def address_of(endpoint: Endpoint) -> Address:
    """Where it answers, with its key. Raises Unanswered where the key is not set."""
    name = endpoint.key_variable
    if name and not os.environ.get(name):
        raise Unanswered(f"{name}, which holds the key of {endpoint.name}, is not set here.")
    key = os.environ[name] if name else ""
    return Address(endpoint.base_url, endpoint.model_name, key)


def _check_variable(name: str) -> None:
    """One whose name keeps it from the processes that run models (child.without_secrets)."""
    if not name:
        return
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,79}", name) or without_secrets({name: ""}):
        raise ValueError(f"{name} is no name for a key: capitals that end in _KEY, say.")
    if not os.environ.get(name):
        raise ValueError(f"{name} is not set. Set it here, and where talks are answered.")
