"""Event files for TensorBoard, where a run asks for them: its metrics once more, in
attempt-N/tensorboard. The curves that pages draw come from metrics.jsonl and need none of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from models_runtime.jobdir import BadInput, JobDir
from models_runtime.phrases import phrase

FOLDER = "tensorboard"
WRITER = "torch.utils.tensorboard"  # which needs a package that Concord does not
NOT_INSTALLED = phrase(
    "TensorBoard is not installed where this job ran: set tensorboard to false, or install the "
    "package tensorboard there."
)


def write_beside(job: JobDir) -> None:
    """From here on every metrics row of this attempt goes into event files too. Raises BadInput
    where the package is missing, before anything was trained."""
    try:
        module: Any = import_module(WRITER)
    except ImportError as error:
        raise BadInput(NOT_INSTALLED) from error
    writer = module.SummaryWriter(log_dir=str(job.folder / FOLDER))

    def write(step: int, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if isinstance(value, int | float) and name != "step":
                writer.add_scalar(name, value, step)
        writer.flush()  # a run may be killed at any moment

    job.listeners.append(write)
