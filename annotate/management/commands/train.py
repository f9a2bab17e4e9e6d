"""``python manage.py train METHOD --snapshot ID --set beta=.1``: start a run on frozen labels, or
on a weighted mixture: ``--snapshot 3=2 --snapshot 7=1 --filter least_agreement=.7``. With a recipe
(online_dpo, contrast) in METHOD's place: rounds on pairs that models make."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.method_titles import SCORERS
from labeling.models import Iteration, Snapshot
from training import on_request, pair_graphs
from training.configs import METHODS, Filters
from training.configs.recipes import RECIPES

FILTERS = [field.name for field in dataclasses.fields(Filters)]
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Command(BaseCommand):
    help = "Start a run of a training method on the labels of a snapshot."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("method", help=", ".join([*METHODS, *RECIPES]))
        parser.add_argument(
            "--snapshot",
            action="append",
            required=True,
            metavar="ID[=WEIGHT]",
            help="its number, as in its page's address; repeated, rows are drawn by the weights",
        )
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"what is left out, repeatable: {', '.join(FILTERS)}",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="an option, repeatable",
        )

        parser.add_argument(
            "--seed", type=int, help="the iteration's own without one", metavar="N"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        method = options["method"]
        role = "reward_model" if method in SCORERS else "policy"
        mixture = _mixture(options["snapshot"])
        iteration = _iteration([snapshot for snapshot, _ in mixture], role)
        if method in RECIPES:
            self._carry_out(method, iteration, mixture, options)
            return
        try:
            run = on_request.start_run(
                iteration=iteration,
                role=role,
                method=method,
                options=chosen(METHODS[method][1] if method in METHODS else None, options["set"]),
                filters=chosen(Filters, options["filter"], "--filter"),
                mixture=mixture,
                seed=options["seed"],
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"run-{run.pk} of {method} waits for a worker as job {run.job.pk}.")

    def _carry_out(
        self,
        recipe: str,
        iteration: Iteration,
        mixture: list[tuple[Snapshot, float]],
        options: dict[str, Any],
    ) -> None:
        if options["seed"] is not None:
            raise CommandError(f"{recipe} is a graph of runs, each with a seed: it takes none.")
        if options["filter"] or len(mixture) > 1:
            raise CommandError(
                f"{recipe} learns from pairs that models make: it takes no filter and no mixture."
            )
        try:
            graph = pair_graphs.start(
                iteration=iteration, recipe=recipe, options=chosen(RECIPES[recipe], options["set"])
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        job = pair_graphs.current_job(graph)
        assert job is not None
        self.stdout.write(f"{recipe} {graph.pk} began: its first job is {job.pk}.")


def _mixture(named: list[str]) -> list[tuple[Snapshot, float]]:
    """The snapshots with their weights, as named. Raises CommandError."""
    found = []
    for text in named:
        number, _, weight = text.partition("=")
        try:
            asked = int(number), float(weight or 1)
        except ValueError as error:
            raise CommandError(f"Write --snapshot ID or ID=WEIGHT, not {text}.") from error
        snapshot = Snapshot.objects.filter(pk=asked[0]).first()
        if snapshot is None:
            raise CommandError(f"There is no snapshot {asked[0]}.")
        found.append((snapshot, asked[1]))
    return found


def _iteration(snapshots: list[Snapshot], role: str) -> Iteration:
    """Raises CommandError unless an iteration would take up what such a run makes."""
    try:
        return on_request.iteration_on(snapshots, role)
    except on_request.NotNow as error:
        raise CommandError(str(error)) from error


def chosen(kind: type[Any] | None, settings: list[str], option: str = "--set") -> dict[str, Any]:
    """The options by name, each of the type of its default; what does not fit stays a text, and
    the check of the options says what it should be."""
    defaults = {field.name: field.default for field in dataclasses.fields(kind)} if kind else {}
    chosen = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CommandError(f"Write {option} NAME=VALUE, not {option} {setting}.")
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
