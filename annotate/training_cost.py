"""What a checkpoint's training took: seconds as measured, energy and CO2 as estimates of them"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from annotate import job_bars
from models_runtime.models import Job

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU cores, over all attempts, and of accelerators: wall seconds of the last
    attempt times their number."""

    cpu_seconds: float = 0.0
    device_seconds: float = 0.0

    @property
    def kilowatt_hours(self) -> float:
        """Every second at the power that the settings state, whatever was really drawn."""
        cores = self.cpu_seconds * settings.CPU_WATTS
        return (cores + self.device_seconds * settings.DEVICE_WATTS) / JOULES_PER_KWH

    @property
    def grams(self) -> float:
        """Of CO2 equivalent."""
        return self.kilowatt_hours * settings.GRAMS_PER_KWH


def of(jobs: Iterable[Job]) -> Cost:
    """The sum over the jobs, each counted once."""
    found = list({job.pk: job for job in jobs}.values())
    return Cost(sum(job.cpu_seconds for job in found), sum(map(_device_seconds, found)))


def _device_seconds(job: Job) -> float:
    devices = job.result.get("device") or {}
    return float(devices.get("count", 0)) * (job_bars.took(job) or 0.0)
