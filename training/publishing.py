"""The publish job: checkpoints that a run resumes from, as policies that anybody can load.

Inputs: policy (what the run began with) and step-S for each step; output: a folder step-S each. A
checkpoint holds what is trained: the whole policy, a policy with a value model beside it, or an
adapter, which is merged as at the end of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from models_runtime.jobdir import BadInput, JobDir, publish
from models_runtime.loading import load_tokenizer, save_policy
from models_runtime.phrases import phrase
from models_runtime.records import Progress
from training.configs import Selection, parse
from training.loop import STATE
from training.prompt_tuning import prompted
from training.task import Task
from training.trl_adapter.base import ADAPTERS

BESIDE_A_VALUE = (
    "policy."  # begins the policy's names in an actor with its critic (training.value)
)


def run(job: JobDir, spec: dict[str, Any]) -> None:
    """config: {"method", "options", "steps"}. Raises BadInput, BadOption."""
    config = spec["config"]
    options = parse(config["method"], config["options"])
    steps: list[int] = config["steps"]
    with publish(job.output) as output:
        for number, step in enumerate(steps, start=1):
            job.check_stop()
            task = Task(job, config["method"], options, Selection(), int(spec.get("seed", 0)))
            with prompted(task):
                model = policy_at(task, job.input_path(f"step-{step}"))
                tokenizer = load_tokenizer(job.input_path("policy"))
                save_policy(model, tokenizer, output / f"step-{step}")
            job.progress(Progress(number, len(steps), "checkpoints"))
    job.finish({"steps": steps})


def policy_at(task: Task, checkpoint: Path) -> Any:
    """The policy as it was when the checkpoint was saved, its adapter merged. Raises BadInput
    where the checkpoint does not hold it."""
    model: Any = task.policy_to_train().eval()
    weights, adapters = _trained(checkpoint)
    missing, unexpected = model.load_state_dict(_of_the_policy(weights), strict=False)
    frozen = task.adapters.frozen
    trained = {name for name, one in model.named_parameters() if id(one) not in frozen}
    if unexpected or trained & set(missing):
        raise BadInput(phrase("The checkpoint does not hold the policy that the run trains."))
    task.adapters.take_up(adapters)
    model.tie_weights()
    return task.merged(model)


def _trained(checkpoint: Path) -> tuple[Mapping[str, Tensor], list[dict[str, Any]]]:
    """The weights that were saved, and what adapters keep beside; of our loop, or of TRL's."""
    for name in (STATE, ADAPTERS):
        if (checkpoint / name).is_file():
            # weights_only: data of our own, of a verified manifest; reading it runs no code.
            state = torch.load(checkpoint / name, map_location="cpu", weights_only=True)
            return state["model"], state.get("adapters", [])
    weights: dict[str, Tensor] = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        weights |= load_file(path)
    return weights, []


def _of_the_policy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without a value model's; a policy's own names never begin like an actor's."""
    if not any(name.startswith(BESIDE_A_VALUE) for name in weights):
        return dict(weights)
    return {
        name.removeprefix(BESIDE_A_VALUE): one
        for name, one in weights.items()
        if name.startswith(BESIDE_A_VALUE)
    }
