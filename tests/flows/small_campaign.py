"""A small campaign on a running stack: ``python -m tests.flows.small_campaign ITERATIONS``

Plays what people do (start an iteration, rate) on the data folder that the environment names;
the stack's own workers do all the rest. Ends when the last iteration was promoted.
"""

from __future__ import annotations

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from annotate import demo  # noqa: E402  after setup()
from labeling import simulation  # noqa: E402  after setup()
from labeling.models import Campaign, Iteration  # noqa: E402  after setup()
from training import pipeline  # noqa: E402  after setup()

PROMPTS, K = 96, 4
LABELS = 66
PLAN = {
    "prompts": PROMPTS,  # three shards
    "k": K,
    "comparisons": 60,
    "target_labels": LABELS,
    "count_simulated": True,
    "repeat": False,
    # Long enough, in steps, to be interrupted between two checkpoints.
    "reward": {"epochs": 6, "batch_size": 4, "save_every": 4},
    "options": {"prompts": 160, "k": 2, "epochs": 2, "batch_size": 8, "save_every": 4},
    "evaluation": {"samples_per_prompt": 2},
    # What so little training makes of the policy is not what these tests are about.
    "guards": {"valid_text": -1.0, "kl": -1.0, "length_growth": -1.0, "duplicates": -1.0},
}
# What a job says whose worker was killed too often for it to get anywhere.
WORKER_LOST = "The worker that ran the job disappeared."


def main(iterations: int) -> None:
    project = demo.ensure_project()
    campaign = demo.create_campaign(
        project=project,
        policy=demo.ensure_policy(project),
        name="Small",
        plan=PLAN,
        gate={"win_rate": 0.0},
    )
    for _ in range(iterations):
        rate(campaign)


def rate(campaign: Campaign) -> None:
    iteration = pipeline.start_iteration(campaign)
    wait(iteration, "collecting")
    given = simulation.label_as_simulated(campaign=campaign, count=LABELS, seed=0)
    sys.stdout.write(f"{given} labels\n")
    wait(iteration, "promoted")


def wait(iteration: Iteration, state: str) -> None:
    while iteration.state != state:
        if iteration.state == "failed" and iteration.error == WORKER_LOST:
            sys.stdout.write("A job lost its worker three times, so its lead presses Retry.\n")
            pipeline.retry_iteration(iteration)
        elif iteration.state in ("failed", "rejected"):
            raise SystemExit(f"Iteration {iteration.number} {iteration.state}: {iteration.error}")
        time.sleep(0.3)
        iteration.refresh_from_db()


if __name__ == "__main__":
    main(int(sys.argv[1]))
