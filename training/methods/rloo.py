"""REINFORCE with a leave-one-out baseline (Ahmadian et al., 2024) through TRL.

Every answer's advantage is its reward, with beta times the log-ratio to the reference taken off,
less the mean of its prompt's other answers. Its optimum is the policy that beta states.
"""

from __future__ import annotations

from training.grouped import train_grouped
from training.task import Task
from training.trl_adapter.online import fit_rloo


def train(task: Task) -> None:
    """Inputs policy, reference, prompts, snapshot, and by the option ``reward`` reward_model and
    safety_model -> a policy."""
    train_grouped(task, fit_rloo)
