"""The whole loop without people: sample, label, train, evaluate, promote, again.

Simulated raters answer through the same services as the browser; the workers of the running
stack do the rest. Started on its own, manage.py starts a stack for it first.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from annotate import demo, loop_report
from labeling import simulation
from labeling.models import Campaign, Iteration
from models_runtime.jobdir import explain, write_atomically
from training import pipeline

POLL_SECONDS = 0.5

# One iteration may go further than each of several: what it forgets, no later one brings back.
OF_MANY_TURNS: dict[str, dict[str, Any]] = {"raft": {"learning_rate": 0.05, "k": 12}}


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--iterations", type=int, default=3)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--report", default="", help="write the figures to this JSON file")
        parser.add_argument("--method", default="raft", help="training method of the policy")
        parser.add_argument("--labels", type=int, default=700, help="comparisons an iteration")
        parser.add_argument("--policy", default="", help="a model of your own: FOLDER or ORG/NAME")
        parser.add_argument("--timeout", type=int, default=3600, help="seconds an iteration")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["iterations"] < 1 or options["labels"] < 1:
            raise CommandError("--iterations and --labels must be at least 1.")
        campaign = self._campaign(options)
        self.stdout.write(loop_report.header())
        report: dict[str, Any] = {
            "seed": options["seed"],
            "method": options["method"],
            "iterations": [],
        }
        for _ in range(options["iterations"]):
            start = time.monotonic()
            iteration = self._turn(campaign, options)
            figures = loop_report.figures(iteration)
            self.stdout.write(loop_report.line(figures, time.monotonic() - start))
            self.stdout.flush()
            report["iterations"].append(figures)
            report["self_win_rate"] = figures["self_win_rate"]
            report["strength_slope"] = loop_report.strength_slope([report])
            self._write(options["report"], report)

    def _campaign(self, options: dict[str, Any]) -> Campaign:
        project = demo.ensure_project("loop", "Unattended loop")
        try:
            policy = demo.ensure_policy(project, options["policy"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(explain(error, settings.DATA_DIR)[1]) from error
        return demo.create_campaign(
            project=project,
            policy=policy,
            name=f"Unattended loop, seed {options['seed']}",
            plan={
                "comparisons": options["labels"],
                "target_labels": _labels(options["labels"]),
                "count_simulated": True,
                **_sampling(options["labels"]),
                "seed": options["seed"],
                "method": options["method"],
                "options": {} if options["policy"] else OF_MANY_TURNS.get(options["method"], {}),
                "repeat": False,
            },
            gate={"win_rate": 0.5},
        )

    def _turn(self, campaign: Campaign, options: dict[str, Any]) -> Iteration:
        """One iteration, from sampling to the gate's decision."""
        iteration = pipeline.start_iteration(campaign)
        self._wait(iteration, {"collecting"}, options["timeout"])
        simulation.label_as_simulated(
            campaign=campaign, count=_labels(options["labels"]), seed=options["seed"]
        )
        self._wait(iteration, {"promoted", "rejected"}, options["timeout"])
        return iteration

    def _wait(self, iteration: Iteration, states: set[str], timeout: int) -> None:
        """Until the workers have brought the iteration to one of states."""
        deadline = time.monotonic() + timeout
        while iteration.state not in states:
            if iteration.state == "failed":
                raise CommandError(f"Iteration {iteration.number} failed: {iteration.error}")
            if time.monotonic() > deadline:
                raise CommandError(
                    f"Iteration {iteration.number} is still {iteration.state} after {timeout} s."
                )
            time.sleep(POLL_SECONDS)
            iteration.refresh_from_db()

    def _write(self, path: str, report: dict[str, Any]) -> None:
        if path:
            write_atomically(Path(path), json.dumps(report, indent=2, sort_keys=True) + "\n")


def _sampling(comparisons: int) -> dict[str, int]:
    """Samples enough for that many distinct pairs: three answers of the demo's first policy to
    one prompt make 1.8 on average, since some are identical."""
    return {"k": 3, "prompts": max(50, round(comparisons * 0.62))}


def _labels(comparisons: int) -> int:
    """Labels that fill the comparisons: a tenth of them is labelled twice."""
    return comparisons + round(comparisons * 0.1)
