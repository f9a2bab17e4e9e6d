"""A talk process beside the live server of a browser test, on its database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from models_runtime import artifacts, registry
from models_runtime.models import Checkpoint, Project
from tests.factories import CampaignFactory

POLICY = Path(settings.BASE_DIR) / "models_runtime" / "demo_policy"


def demo_checkpoint(project: Project, name: str = "demo-policy") -> Checkpoint:
    """The shipped policy, registered; its weights lie in the artefact store."""
    return registry.register(project=project, kind="policy", folder=POLICY, name=name)


def talking_campaign(parts: dict[str, Any], **campaign: Any) -> Any:
    made = CampaignFactory(parts=parts, first_policy=None, **campaign)
    made.first_policy = demo_checkpoint(made.project)
    made.save()
    return made


class TalkProcess:
    """``python manage.py talk`` on the test database."""

    def __init__(self, **environment: str) -> None:
        self.environment = environment
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        database = connection.settings_dict
        url = f"sqlite:///{database['NAME']}"
        if connection.vendor == "postgresql":
            url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        return subprocess.Popen(
            [sys.executable, "manage.py", "talk"],
            cwd=settings.BASE_DIR,
            env={
                **os.environ,
                "DATABASE_URL": url,
                "CONCORD_ARTIFACTS": artifacts.root(),
                **self.environment,
            },
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.process = self._start()

    def end(self) -> int:
        """Ask it to end, as the launcher does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)
