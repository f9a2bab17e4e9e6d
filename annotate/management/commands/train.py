"""``python manage.py train METHOD --snapshot ID --set beta=.1``: start a run on frozen labels."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.method_titles import SCORERS
from labeling.models import Iteration, Snapshot
from training import runs
from training.configs import METHODS

TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Command(BaseCommand):
    help = "Start a run of a training method on the labels of a snapshot."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("method", help=", ".join(METHODS))
        parser.add_argument(
            "--snapshot", type=int, required=True, help="its number, as in its page's address"
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="an option, repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        method = options["method"]
        role = "reward_model" if method in SCORERS else "policy"
        iteration = _iteration(options["snapshot"], role)
        try:
            run = runs.start_run(
                iteration=iteration,
                role=role,
                method=method,
                options=_chosen(method, options["set"]),
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"run-{run.pk} of {method} waits for a worker as job {run.job.pk}.")


def _iteration(number: int, role: str) -> Iteration:
    """The iteration whose labels the snapshot holds. Raises CommandError unless it would still
    take up what such a run makes."""
    snapshot = Snapshot.objects.filter(pk=number).first()
    if snapshot is None:
        raise CommandError(f"There is no snapshot {number}.")
    iteration = Iteration.objects.filter(snapshot=snapshot).order_by("-number").first()
    if iteration is None:
        raise CommandError(
            f"Snapshot {number} was frozen for no iteration, so there is no policy to train: name "
            "one that an iteration trains on."
        )
    if not runs.is_taken_up(iteration, role):
        states = ", ".join(runs.TAKEN_UP_IN[role])
        name = f"Iteration {iteration.number} of {iteration.campaign.name}"
        raise CommandError(
            f"{name} is {iteration.state}: such a run starts while it is in {states} and its "
            "campaign is not closed."
        )
    return iteration


def _chosen(method: str, settings: list[str]) -> dict[str, Any]:
    """The options by name, each of the type of its default; what does not fit stays a text, and
    the check of the options says what it should be."""
    kind = METHODS[method][1] if method in METHODS else None
    defaults = {field.name: field.default for field in dataclasses.fields(kind)} if kind else {}
    chosen = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CommandError(f"Write --set NAME=VALUE, not --set {setting}.")
        chosen[name] = _typed(value, type(defaults.get(name, "")))
    return chosen


def _typed(text: str, kind: type) -> Any:
    if kind is bool:
        return TRUTH.get(text.lower(), text)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text
