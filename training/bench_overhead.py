"""CPU seconds of a step, against what no run can do without.

    python -m training.bench_overhead FOLDER

SFT and DPO, which train through TRL: a run here, with its metrics written at every step, against
a bare script of the same trainer on the same rows, which writes nothing. Both must end with the
same weights to the bit. A reward model of pairs: our loop against TRL's RewardTrainer. PPO: a
round against its own sampling, its forward passes and its steps alone. Panels and checkpoints are
left out: how often they are wanted is an option. FOLDER holds a policy; prints JSON lines as
training.bench_reward does.
"""

from __future__ import annotations

import abc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from models_runtime import loading, world
from models_runtime.chat import Encoded
from models_runtime.interleaving import medians
from models_runtime.jobdir import JobDir
from models_runtime.records import PromptRecord, Sampler
from training.bench_reward import PROMPTS, against_trl, answered, say
from training.configs import Selection, parse
from training.data import Encoder
from training.methods.ppo import PPO, Collector
from training.reward_sources import Length
from training.rollouts import Padded, Prompts, backend_of, batches_by_length, context_of, draw
from training.run_guards import Watched
from training.task import Task
from training.trl_adapter import LibraryLoss, fit_dpo, fit_sft, peer
from training.value import ActorCritic

BATCH, STEPS = 32, 12
ROUNDS = 3  # A B B A each: six times either
RATE = 1e-3
SEED = 7
ROLLOUTS, PASSES, LONGEST = 128, 4, 64
OURS = {
    "learning_rate": RATE,
    "epochs": 1,
    "batch_size": BATCH,
    "schedule": "constant",
    "warmup": 0.0,
    "weight_decay": 0.0,
    "save_every": 1000,
    "panel": 0,
    "guard": "off",
}
THEIRS = {
    "learning_rate": RATE,
    "per_device_train_batch_size": BATCH,
    "lr_scheduler_type": "constant",
    "seed": SEED,
    "data_seed": SEED,
}
UNGUARDED = {
    name: -1.0 for name in ("guard_kl", "guard_valid_text", "guard_length_growth", "guard_chosen")
}


def main(folder: Path) -> None:
    """Measure runs on the policy in folder and print the results. Raises SystemExit where a run
    here ends with other weights than the bare script."""
    loading.use_one_thread_when_asked()
    with tempfile.TemporaryDirectory() as scratch:
        for name, kind in (("sft", SFT), ("dpo", DPO)):
            say(f"overhead.{name}.step", against_bare(kind(folder, Path(scratch) / name)))
        encoder = Encoder(loading.load_tokenizer(folder), 512)
        pairs = answered(encoder, 2)
        say("overhead.reward.epoch", against_trl(folder, encoder, pairs, PROMPTS, rounds=ROUNDS))
        say("overhead.ppo.round", against_its_floor(folder, Path(scratch) / "ppo"))


@dataclass
class Trained(abc.ABC):
    """Both sides of one method; each call trains a fresh copy of the policy, and leaves its
    weights."""

    folder: Path
    scratch: Path
    weights: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokenizer = loading.load_tokenizer(self.folder)
        self.encoder = Encoder(self.tokenizer, 512)
        self.jobs = 0

    def ours(self) -> float:
        """CPU seconds a step of a run as its job does it."""
        return self._clocked("ours", self.train_ours)

    def theirs(self) -> float:
        """CPU seconds a step of the bare script."""
        return self._clocked("theirs", self.train_theirs)

    @abc.abstractmethod
    def train_ours(self, model: Any) -> None:
        """As the job does it."""

    @abc.abstractmethod
    def train_theirs(self, model: Any) -> None:
        """By the library's trainer alone."""

    def task(self, method: str, **options: Any) -> Task:
        return task_in(self.scratch, method, {**OURS, **options})

    def _clocked(self, side: str, train: Callable[[Any], None]) -> float:
        model = loading.load_policy(self.folder, for_training=True)
        with peer.clocked() as seconds:
            train(model)
        state = model.state_dict()
        self.weights[side] = {name: one.detach().clone() for name, one in state.items()}
        (taken,) = seconds
        return taken / STEPS


class SFT(Trained):
    """On the demo world's demonstrations."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rows = world.corpus(0, BATCH * STEPS)

    def train_ours(self, model: Any) -> None:
        rows = [self.encoder.encode(row.messages, row.completion) for row in self.rows]
        fit_sft(
            self.task("sft"),
            model,
            self.tokenizer,
            [{"input_ids": r.ids, "completion_mask": r.completion_mask} for r in rows if r],
        )

    def train_theirs(self, model: Any) -> None:
        rows = [{"prompt": r.messages, "completion": said(r.completion)} for r in self.rows]
        peer.sft(model, self.tokenizer, rows, self.scratch / "bare", **THEIRS)


class DPO(Trained):
    """On each demonstration over its own words in disorder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        draws = random.Random(0)
        self.rows = [
            (row.messages, row.completion, disordered(row.completion, draws))
            for row in world.corpus(0, BATCH * STEPS)
        ]
        self.reference = loading.load_policy(self.folder, for_training=True).eval()

    def train_ours(self, model: Any) -> None:
        rows = []
        for messages, *answers in self.rows:
            chosen, rejected = (self.encoder.encode(messages, one) for one in answers)
            if chosen is not None and rejected is not None:
                start = chosen.prompt_length
                rows.append(
                    {
                        "prompt_ids": chosen.ids[:start],
                        "chosen_ids": chosen.ids[start:],
                        "rejected_ids": rejected.ids[start:],
                    }
                )
        task, loss = self.task("dpo"), LibraryLoss("sigmoid", 0.1)
        fit_dpo(task, model, lambda: self.reference, self.tokenizer, rows, loss, same_start=True)

    def train_theirs(self, model: Any) -> None:
        rows = [
            {"prompt": messages, "chosen": said(chosen), "rejected": said(rejected)}
            for messages, chosen, rejected in self.rows
        ]
        folder = self.scratch / "bare"
        peer.dpo(model, self.reference, self.tokenizer, rows, folder, beta=0.1, **THEIRS)


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def disordered(text: str, draws: random.Random) -> str:
    words = text.split()
    return " ".join(draws.sample(words, len(words)))


def task_in(folder: Path, method: str, options: dict[str, Any]) -> Task:
    """A task in a job directory of its own, without the options that the method lacks."""
    taken = sum(1 for _ in folder.glob("job-*")) if folder.exists() else 0
    job = JobDir(folder / f"job-{taken}", 1, "")
    job.folder.mkdir(parents=True)
    (job.root / "inputs.json").write_text("[]", encoding="utf-8")
    return Task(job, method, parse(method, options), Selection(), SEED)


def against_bare(trained: Trained) -> dict[str, float]:
    """The medians of both sides. Raises SystemExit where the weights differ."""
    found = medians({"ours": trained.ours, "theirs": trained.theirs}, rounds=ROUNDS)
    ours, theirs = trained.weights["ours"], trained.weights["theirs"]
    wrong = [name for name, one in ours.items() if not torch.equal(one, theirs[name])]
    if wrong:
        raise SystemExit(f"A run here and the bare script end with other weights: {wrong[0]}.")
    return found


# -- PPO -----------------------------------------------------------------------------------------


def against_its_floor(folder: Path, scratch: Path) -> dict[str, float]:
    """CPU seconds of a round."""
    acts = {"ours": lambda: ppo_round(folder, scratch), "theirs": lambda: floor_round(folder)}
    return medians(acts, rounds=ROUNDS)


def asked() -> list[PromptRecord]:
    rows = world.corpus(1, ROLLOUTS)
    return [PromptRecord(number, row.messages, row.item) for number, row in enumerate(rows)]


def ppo_round(folder: Path, scratch: Path) -> float:
    """Sampled, rewarded, credited and learned from, as a job does it."""
    options = {
        **OURS,
        **UNGUARDED,
        "rounds": 1,
        "rollouts": ROLLOUTS,
        "epochs": PASSES,
        "max_new_tokens": LONGEST,
        "reward": "length",
        "temperature": 0.8,
    }
    task = task_in(scratch, "ppo", options)
    model, reference, encoder = actors(folder)
    watched = Watched.of(task, [], encoder)
    collector = Collector(task, model, reference, encoder, asked(), Length(LONGEST), watched)
    loop = PPO(task, model, collector)
    begun = time.process_time()
    loop.run()
    return time.process_time() - begun


def floor_round(folder: Path) -> float:
    """The same round's sampling, its forward passes and its optimiser steps, and nothing else."""
    model, reference, encoder = actors(folder)
    prompts = Prompts(asked(), encoder.tokenizer, context_of(model.policy), LONGEST)
    backend = backend_of(model.policy, encoder.tokenizer, 128)
    sampler = Sampler("policy", 1, 0.8, 1.0, LONGEST, SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    begun = time.process_time()
    places = prompts.of_round(0, ROLLOUTS, SEED)
    rows, _ = draw(lambda: None, backend, prompts, places, sampler, 0)
    with torch.no_grad():
        for indices in batches_by_length(rows):
            batch = Padded.of([rows[place] for place in indices], model.policy.device)
            model(batch.ids, batch.attention)
            reference(input_ids=batch.ids, attention_mask=batch.attention)
    for _ in range(PASSES):
        for start in range(0, len(rows), BATCH):
            step(model, optimizer, rows[start : start + BATCH])
    return time.process_time() - begun


def step(model: ActorCritic, optimizer: torch.optim.Optimizer, rows: Sequence[Encoded]) -> None:
    """Forward, backward and an update, of the least that depends on every logit and value."""
    batch = Padded.of(rows, model.policy.device)
    logits, values = model(batch.ids, batch.attention)
    (batch.logps(logits, 0.8).mean() + values.mean()).backward()
    optimizer.step()
    optimizer.zero_grad()


def actors(folder: Path) -> tuple[ActorCritic, Any, Encoder]:
    """A policy with a value model of its own, the reference, and the encoder."""
    policy = loading.load_policy(folder, for_training=True)
    trunk: Any = loading.load_policy(folder, for_training=True).base_model
    reference = loading.load_policy(folder, for_training=True)
    encoder = Encoder(loading.load_tokenizer(folder), 512)
    return ActorCritic(policy, trunk).eval(), reference, encoder


if __name__ == "__main__":
    main(Path(sys.argv[1]))
