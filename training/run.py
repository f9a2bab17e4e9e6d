"""The job entry ``python -m training.run DIR``: train by a method, evaluate a policy, publish
checkpoints of a run, reward sampled answers.

    job.json   {"job", "kind": "train" | "evaluate" | "publish" | "reward", "seed", "config"}
    train      config {"method", "options", "select": {"split", "fold", "iteration",
               "filters"}, "mixture": [{"input", "number", "weight", "own"}]}
    evaluate   config: the fields of configs.EvaluationConfig
    publish    config {"method", "options", "steps"} of the run whose checkpoints they are
    reward     config {"recipe", "options"} of the graph whose answers they are

Imports nothing of a web framework or a queue, so a failed run is repeated by hand.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import torch

from models_runtime.jobdir import BadInput, JobDir, run_entry
from models_runtime.loading import check_tokenizer, use_one_thread_when_asked
from models_runtime.phrases import of
from training.configs import METHODS, BadOption, Selection, parse, parse_mixture
from training.event_files import write_beside
from training.headroom import look
from training.prompt_tuning import prompted
from training.task import Task


def main(job: JobDir) -> None:
    """Run the job. Raises BadInput with one sentence for a configuration that cannot run."""
    use_one_thread_when_asked()
    if job.ranks > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # or all would load onto the first
    spec = job.spec()
    runners = {"train": train, "evaluate": evaluate, "publish": publish, "reward": reward}
    if spec.get("kind") not in runners:
        kinds = ", ".join(runners)
        raise BadInput(f"A training job's kind is one of {kinds}, not {spec.get('kind')!r}.")
    try:
        runners[spec["kind"]](job, spec)
    except BadOption as error:
        raise BadInput(of(error)) from error


def train(job: JobDir, spec: dict[str, Any]) -> None:
    """Check the options and that the policy can end an answer, save the resolved config, then
    hand over to the method."""
    config = spec.get("config", {})
    method = str(config.get("method"))
    options = parse(method, config.get("options", {}))
    selection = Selection.parse(config.get("select", {}))
    mixture = parse_mixture(config.get("mixture", []))
    task = Task(job, method, options, selection, int(spec.get("seed", 0)), mixture=mixture)
    task.write_config()
    check_tokenizer(
        job.input_path("policy")
    )  # a folder may be older than the check on registering
    if options.tensorboard and not job.rank:
        write_beside(job)
    trained_by = import_module(METHODS[method][0])
    look(task)
    with prompted(task):
        trained_by.train(task)


def evaluate(job: JobDir, spec: dict[str, Any]) -> None:
    """Sampling and judging are loaded here, so that a training job does not pay for them."""
    import_module("training.evaluation").run(job, spec)


def publish(job: JobDir, spec: dict[str, Any]) -> None:
    import_module("training.publishing").run(job, spec)


def reward(job: JobDir, spec: dict[str, Any]) -> None:
    import_module("training.rewarding").run(job, spec)


if __name__ == "__main__":
    sys.exit(run_entry(main))
