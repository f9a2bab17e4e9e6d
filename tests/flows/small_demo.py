"""The demo's cast and a small campaign on a running stack: ``python -m tests.flows.small_demo``

Everybody's password is tests.factories.PASSWORD. The first iteration samples; people do the rest.
"""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402  after setup()

from annotate import demo  # noqa: E402  after setup()
from labeling.models import User  # noqa: E402  after setup()
from tests.factories import PASSWORD  # noqa: E402  after setup()
from training import pipeline  # noqa: E402  after setup()

PLAN = {
    "prompts": 96,
    "k": 4,
    "comparisons": 160,
    "people_only": 30,
    "target_labels": 12,
    "start_training": "person",
    "reward": {"epochs": 1},
    "options": {"prompts": 64, "k": 2, "epochs": 1},
    "evaluation": {"samples_per_prompt": 2},
    # What so little training makes of the policy is not what the flow is about.
    "guards": {"valid_text": -1.0, "kl": -1.0, "length_growth": -1.0, "duplicates": -1.0},
}


def main() -> None:
    project = demo.ensure_project()
    demo.ensure_cast(project)
    User.objects.update(password=make_password(PASSWORD))
    campaign = demo.create_campaign(
        project=project, policy=demo.ensure_policy(project), name="Small", plan=PLAN
    )
    pipeline.start_iteration(campaign)


if __name__ == "__main__":
    main()
