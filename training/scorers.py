"""The models that score what a run samples, or teach it: of its iteration, or by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import Model

from labeling.models import Iteration
from models_runtime.models import Checkpoint, Endpoint
from models_runtime.phrases import phrase
from training import configs

R = TypeVar("R", bound=Model)
BY_MODEL = ("model", "piecewise")  # what the option ``reward`` asks a reward model for


def reward_model_of(iteration: Iteration, role: str = "reward_model") -> Checkpoint | None:
    """The reward model that this iteration trained for the policy, or to judge."""
    done = iteration.runs.filter(role=role, output__isnull=False).select_related("output")
    own = own_of(done.order_by("id"), iteration.runs.filter(role="policy").order_by("id").first())
    return own.output if own else None


def own_of(rows: Iterable[R], policy: R | None) -> R | None:
    """Of an iteration's runs of reward models, in their order, the one that its first policy run
    found: the newest before that. Later ones are somebody's, beside it; where there is no other,
    the newest of them."""
    found = list(rows)
    before = [row for row in found if policy is None or row.pk < policy.pk]
    return next(iter((before or found)[::-1]), None)


def needs_reward_model(method: str, config: configs.Config) -> bool:
    """Whether a run of this method rewards answers that it samples by a trained model."""
    if method == "distil":
        return not getattr(config, "safety_model", "")
    return getattr(config, "reward", "") in BY_MODEL


def scorers_of(iteration: Iteration, method: str, config: configs.Config) -> dict[str, Checkpoint]:
    """The run's inputs that judge or teach, by name; none for a method that needs none. Raises
    ValueError, one sentence, where one is not there."""
    if method == "distil":
        return _distilling(iteration, method, config)
    return _rewarding(iteration, method, config) if needs_reward_model(method, config) else {}


def relay_of(iteration: Iteration, config: configs.Config) -> dict[str, Any]:
    """What the job says of the endpoint that its worker asks for it (models_runtime.relay); empty
    where no endpoint judges. Raises ValueError, one sentence, where it is not there."""
    if getattr(config, "reward", "") != "judge":
        return {}
    name = getattr(config, "judge", "")
    found = Endpoint.objects.filter(project=iteration.campaign.project, name=name).first()
    if found is None:
        raise ValueError(
            phrase(
                "There is no endpoint named %(name)s to judge (option judge): add one with "
                "manage.py add_endpoint.",
                name=repr(name),
            )
        )
    bounds = {part: getattr(config, f"judge_{part}") for part in ("calls", "at_once", "seconds")}
    return {"relay": {"endpoint": found.pk, **bounds}}


def _rewarding(iteration: Iteration, method: str, config: configs.Config) -> dict[str, Checkpoint]:
    """The models that reward: of this iteration, and the one that the option names for safety."""
    reward_model = _its_reward_model(iteration, method)
    if getattr(config, "reward", "") != "piecewise":
        return {"reward_model": reward_model}
    return {"reward_model": reward_model, "safety_model": _safety_model(iteration, config)}


def _distilling(
    iteration: Iteration, method: str, config: configs.Config
) -> dict[str, Checkpoint]:
    """What judges safety, by its name or of this iteration, and who teaches where another does."""
    named = getattr(config, "safety_model", "")
    safety = _safety_model(iteration, config) if named else _its_reward_model(iteration, method)
    found = {"safety_model": safety}
    if name := getattr(config, "teacher", ""):
        teacher = _named(iteration, "policy", name)
        if teacher is None:
            raise ValueError(
                phrase("There is no policy named %(name)s to teach.", name=repr(name))
            )
        found["teacher"] = teacher
    return found


def _its_reward_model(iteration: Iteration, method: str) -> Checkpoint:
    reward_model = reward_model_of(iteration)
    if reward_model is None:
        raise ValueError(
            phrase("%(method)s needs a reward model, and none is trained yet.", method=method)
        )
    return reward_model


def _safety_model(iteration: Iteration, config: configs.Config) -> Checkpoint:
    name = getattr(config, "safety_model", "")
    safety = _named(iteration, "reward_model", name)
    if safety is None:
        raise ValueError(
            phrase("There is no reward model named %(name)s to judge safety.", name=repr(name))
        )
    return safety


def policy_named(iteration: Iteration, name: str) -> Checkpoint:
    """The newest policy of the project with that name. Raises ValueError where none is there."""
    found = _named(iteration, "policy", name)
    if found is None:
        raise ValueError(
            phrase("There is no policy named %(name)s whose files are there.", name=repr(name))
        )
    return found


def _named(iteration: Iteration, kind: str, name: str) -> Checkpoint | None:
    """The newest checkpoint of the project with that name whose files are there."""
    named = Checkpoint.objects.filter(
        project=iteration.campaign.project, kind=kind, name=name, state="ready"
    )
    return named.order_by("-id").first()
