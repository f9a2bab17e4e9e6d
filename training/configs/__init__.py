"""What a training or evaluation job may be told: one dataclass a method, read by both sides.

Defaults are those that worked for the method's authors (docs: METHODS); a model of a few
hundred thousand parameters needs other learning rates, which ``suggested`` returns. One file a
family of methods; ``registry`` names them all.
"""

from __future__ import annotations

from training.configs.base import BadOption, Optimisation, OwnLoop, build, option
from training.configs.checkpoints import CheckpointsConfig
from training.configs.evaluation import EvaluationConfig, Guards, parse_evaluation
from training.configs.filters import Filters
from training.configs.mixture import ALONE, Part, parse_mixture
from training.configs.preferences import DPOConfig
from training.configs.registry import METHODS, SMALL_MODEL, TOGETHER, Config, parse, suggested
from training.configs.reward import RegressionConfig, RewardConfig
from training.configs.selection import Selectable, Selection
from training.configs.supervised import RAFTConfig, SFTConfig

__all__ = [
    "ALONE",
    "METHODS",
    "SMALL_MODEL",
    "TOGETHER",
    "BadOption",
    "CheckpointsConfig",
    "Config",
    "DPOConfig",
    "EvaluationConfig",
    "Filters",
    "Guards",
    "Optimisation",
    "OwnLoop",
    "Part",
    "RAFTConfig",
    "RegressionConfig",
    "RewardConfig",
    "SFTConfig",
    "Selectable",
    "Selection",
    "build",
    "option",
    "parse",
    "parse_evaluation",
    "parse_mixture",
    "suggested",
]
