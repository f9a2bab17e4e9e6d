"""What a run of these options would need of memory, and whether several processes share it, as
its form says before it is started. Whether the memory is free, the worker looks when the run
begins (training.headroom)."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotate import numerals
from models_runtime import artifacts, model_folder
from models_runtime.folders import Outside
from models_runtime.models import Checkpoint
from training import configs, memory
from training.memory import Dimensions, Load

ON = (False, True)  # without an accelerator, and with one


def needed(policy: Checkpoint, method: str, options: dict[str, Any]) -> str:
    """One sentence, for rows as long as they may be; empty where the model does not say how wide
    and deep it is, or the options are none."""
    try:
        config = configs.parse(method, options)
        model = _dimensions(policy)
    except (ValueError, LookupError, OSError, artifacts.Damaged, Outside):
        return ""
    length = min(config.max_length, int(policy.facts.get("context_length") or config.max_length))
    found = [memory.need(method, config, model, Load(length, accelerator=on)) for on in ON]
    said = _(
        "With these options and rows of %(length)s tokens, the longest there may be, it would "
        "need about %(cpu)s of memory on a CPU, or %(accelerator)s on an accelerator, beside the "
        "models that score. Where it cannot fit it is refused when it begins."
    )
    return said % {
        "length": numerals.whole(length),
        "cpu": memory.shown(found[0].total),
        "accelerator": memory.shown(found[1].total),
    }


def in_one_process(method: str) -> str:
    """That accelerators will not share the run, where they share others'; else empty."""
    if not settings.TRAINING_LAUNCH or method in configs.TOGETHER:
        return ""
    return _(
        "Training is spread over several processes here (CONCORD_LAUNCH), but a run of this "
        "method goes on in one: only %(methods)s can share a batch."
    ) % {"methods": ", ".join(configs.TOGETHER)}


def _dimensions(policy: Checkpoint) -> Dimensions:
    with artifacts.open_file(policy.uri, model_folder.CONFIG) as handle:
        stated = json.loads(handle.read(model_folder.MOST_BYTES[model_folder.CONFIG]))
    return Dimensions.of(stated, int(policy.facts["parameters"]))
