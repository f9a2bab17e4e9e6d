"""The tensor side's benchmarks: programs of their own that print a JSON line for each figure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from annotate.bench.place import Place
from annotate.bench.results import Measured
from annotate.demo import POLICY_FOLDER

PROGRAMS = {
    "sampler": "models_runtime.bench_sampling",
    "reward_model": "training.bench_reward",
    "overhead": "training.bench_overhead",
    "accelerator": "training.bench_accelerator",
}


def measure(place: Place, program: str) -> Iterator[Measured]:
    """Run one of PROGRAMS on the demo's policy. Raises place.Failed."""
    for line in place.run("-m", PROGRAMS[program], str(POLICY_FOLDER)).splitlines():
        yield Measured(**json.loads(line))
