"""``python manage.py rate_checkpoints RUN --step 50 --step 75``: put checkpoints of a run that is
still under way to raters; without a step, say which there are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.management.commands.train import chosen
from models_runtime import resumable
from models_runtime.states import StaleState
from training import checkpoint_batches
from training.configs import CheckpointsConfig
from training.models import TrainingRun


class Command(BaseCommand):
    help = "Publish and sample chosen checkpoints of a run, for raters to compare."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="its number, as in run-7")
        parser.add_argument("--step", type=int, action="append", default=[], help="repeatable")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="an option, repeatable: against, comparisons, prompts, prompt_set, k, tag",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        related = ("job", "campaign", "iteration__policy", "project")
        run = TrainingRun.objects.filter(pk=options["run"]).select_related(*related).first()
        if run is None:
            raise CommandError(f"There is no run {options['run']}.")
        if not options["step"]:
            steps = ", ".join(map(str, resumable.steps(run.job))) or "none"
            self.stdout.write(f"Checkpoints of run-{run.pk} that can be had now: {steps}.")
            return
        try:
            told = chosen(CheckpointsConfig, options["set"])
            row = checkpoint_batches.ask(run, options["step"], told)
        except (StaleState, ValueError) as error:
            raise CommandError(str(error)) from error
        waits_for = row.batch.job if row.batch else row.publishing or row.keeping
        assert waits_for is not None, "a batch waits for one of its three jobs"
        self.stdout.write(f"Steps {row.options['steps']} wait for job {waits_for.pk}.")
