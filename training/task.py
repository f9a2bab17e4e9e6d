"""What a training method is handed, and how it hands back its checkpoint."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models_runtime.chat import tuned_words
from models_runtime.jobdir import BadInput, JobDir, publish, sha256_of, write_atomically
from models_runtime.loading import (
    Place,
    load_policy,
    load_reward_model,
    load_tokenizer,
    save_policy,
)
from models_runtime.phrases import phrase, together
from training.adapters import Adapters
from training.configs import ALONE, Part, Selection
from training.tuned_words import grow, hide
from training.usage import peak

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MEMORY = "memory.json"
KEPT_CHECKPOINTS = 2  # one to resume from, one in case the newest is found damaged


@dataclass
class Task:
    """One training job: its directory, its checked options, and what it left out of the data.

    ``facts`` are those of the checkpoint that differ from the policy's that training began with.
    ``mixture`` names the frozen sets that it trains on; ``drawn`` holds, for each of several, its
    snapshot, weight, usable rows and drawn rows. ``repeated`` counts the rows that repeat another
    and were kept. ``outcome`` is what else result.json says of how the run went. ``memory`` is
    memory.json: bytes that it was estimated to need, were free, in use before, and at most.
    """

    job: JobDir
    method: str
    config: Any
    selection: Selection
    seed: int
    dropped: Counter[str] = field(default_factory=Counter)
    adapters: Adapters = field(init=False)
    facts: dict[str, Any] = field(default_factory=dict)
    mixture: tuple[Part, ...] = ALONE
    drawn: list[dict[str, Any]] = field(default_factory=list)
    repeated: int = 0
    outcome: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    gathered: dict[str, Any] = field(default_factory=dict)  # weights of which each rank has a part

    def __post_init__(self) -> None:
        self.adapters = Adapters(self.config, self.seed)

    def policy_to_train(self) -> PreTrainedModel:
        """The policy that training starts from, with the adapter that the options ask for."""
        folder = self.job.input_path("policy")
        return self.adapters.put_on(load_policy(folder, for_training=True, place=self.place))

    @property
    def place(self) -> Place:
        """Where weights that stay frozen beside an adapter are loaded to, and in what form."""
        return Place(four_bits=self.config.adapter == "qlora")

    def merged(self, model: Any) -> Any:
        """The model with its adapter in its weights; where those lie in four bits, another model
        that has them in full, on the CPU."""
        if not self.place.four_bits:
            self.adapters.merge()
            return model
        folder, on_cpu = self.job.input_path("policy"), Place(torch.device("cpu"))
        heads = getattr(model, "score", None)
        with torch.random.fork_rng():  # a head that is replaced at once
            whole = (
                load_policy(folder, for_training=True, place=on_cpu)
                if heads is None
                else load_reward_model(
                    folder, for_training=True, heads=heads.out_features, place=on_cpu
                )
            )
        self.adapters.merge_into(whole, model)
        return whole

    def load_reference(self) -> PreTrainedModel:
        """The frozen reference policy, float32 like the one that is trained: in bfloat16 the same
        weights give other log-probabilities. It is not shown words that were tuned for the policy
        alone."""
        folder = self.job.input_path("reference")
        reference = load_policy(folder, for_training=True, place=self.place)
        self.hide_from(reference)
        return reference.eval().requires_grad_(False)

    def hide_from(self, reference: PreTrainedModel) -> None:
        """Let the reference have rows for the tuned words that the policy has and it has not, so
        that both choose among as many tokens, but never be shown them."""
        folders = (self.job.input_path(name) for name in ("policy", "reference"))
        policys, its = (load_tokenizer(folder) for folder in folders)
        known = tuned_words(its)
        words = [number for name, number in tuned_words(policys).items() if name not in known]
        if words:
            grow(reference, words, [0] * len(words), len(its))
            hide(reference, words)

    def starts_as_reference(self) -> bool:
        """Whether the inputs policy and reference hold the same bytes of weights."""
        inputs = self.job.inputs()
        policy, reference = (_weights(Path(inputs[n].path)) for n in ("policy", "reference"))
        return policy == reference

    def first_loss_is_known(self) -> bool:
        """Whether every log-ratio is 0 as training starts; tuned words say something by then."""
        return self.config.adapter != "prompt" and self.starts_as_reference()

    def resolved(self) -> dict[str, Any]:
        """Everything that determined the run, defaults included, as JSON-ready data."""
        return {
            "method": self.method,
            "options": dataclasses.asdict(self.config),
            "select": dataclasses.asdict(self.selection),
            "mixture": [dataclasses.asdict(part) for part in self.mixture],
            "seed": self.seed,
            "inputs": {name: row.sha256 for name, row in sorted(self.job.inputs().items())},
        }

    def write_config(self) -> None:
        """attempt-N/config.json, before step one: a run that dies says what it was."""
        if self.job.rank:
            return
        text = json.dumps(self.resolved(), sort_keys=True, indent=1)
        write_atomically(self.job.folder / "config.json", text)

    def require(self, rows: Sized) -> None:
        """Raise BadInput, saying what was dropped, when no row is left."""
        if not len(rows):
            lost = sorted((+self.dropped).items())
            why = together(", ", [phrase("%(n)s %(why)s", n=n, why=phrase(w)) for w, n in lost])
            raise BadInput(
                phrase(
                    "No row is left to train on (%(why)s).",
                    why=why if lost else phrase("the data are empty"),
                )
            )

    def publish_model(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        files: dict[str, str] | None = None,
    ) -> None:
        """attempt-N/output: weights, tokenizer, training.json (the resolved config) and files.
        Adapters are merged into the weights first."""
        model = self.merged(model)
        if self.job.rank:
            return
        if self.gathered:
            model = load_policy(self.job.input_path("policy"), for_training=True)
            model.load_state_dict(self.gathered)
        with publish(self.job.output) as folder:
            save_policy(model, tokenizer, folder)
            resolved = json.dumps(self.resolved(), sort_keys=True, indent=1)
            for name, text in {"training.json": resolved, **(files or {})}.items():
                (folder / name).write_text(text, encoding="utf-8")

    def finish(self, metrics: dict[str, Any], rows: int, prompts_cut: int) -> None:
        """result.json of a training job."""
        counts = {
            "dropped": dict(+self.dropped),
            "rows": rows,
            "prompts_cut": prompts_cut,
            **({"repeated": self.repeated} if self.repeated else {}),
            **({"mixture": self.drawn} if self.drawn else {}),
        }
        if self.memory and not self.job.rank:  # not in result.json: no run repeats its peak
            self.memory["peak"] = peak()
            write_atomically(self.job.folder / MEMORY, json.dumps(self.memory))
        facts = {"facts": self.facts} if self.facts else {}
        self.job.finish({"metrics": metrics, **counts, **facts, **self.outcome, **_device()})


def _weights(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(folder.glob("*.safetensors"))}


def _device() -> dict[str, Any]:
    """The accelerators that the job held; nothing on a CPU."""
    if not torch.cuda.is_available():
        return {}
    count = torch.cuda.device_count()
    return {"device": {"name": torch.cuda.get_device_name(), "count": count}}


def checkpoint_folder(job: JobDir, step: int) -> Path:
    return job.folder / "checkpoints" / f"step-{step}"


def prune_checkpoints(job: JobDir) -> None:
    """Remove this attempt's checkpoints but the newest two; earlier attempts' are evidence."""
    folders = (job.folder / "checkpoints").glob("step-*")
    by_step = sorted(folders, key=lambda path: int(path.name.removeprefix("step-")))
    for folder in by_step[:-KEPT_CHECKPOINTS]:
        shutil.rmtree(folder)
