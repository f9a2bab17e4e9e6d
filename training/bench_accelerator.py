"""How much of an accelerator's arithmetic fine-tuning uses, and what a run here adds to a bare
script of the same trainer.

    python -m training.bench_accelerator FOLDER

A random Llama of a billion parameters, its weights in float32 and its arithmetic in bfloat16, on
rows of 1,024 tokens. Model FLOPs utilisation counts six operations a parameter and token
(Chowdhery et al., 2022, appendix B, without attention) and nothing of what is computed twice to
save memory.
Prints JSON lines as training.bench_reward does; without a CUDA device it says so and ends with 1.
FOLDER holds a policy, whose tokenizer is taken.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from models_runtime.interleaving import medians
from models_runtime.loading import load_tokenizer
from training.bench_overhead import OURS, RATE, SEED, task_in
from training.bench_reward import say
from training.trl_adapter import fit_sft, peer

ROWS, BATCH, LENGTH = 96, 8, 1024
ROUNDS = 3
# Dense bfloat16 operations a second, by what the device's name holds (NVIDIA's data sheets).
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}


def main(folder: Path) -> None:
    """Measure both sides and print the results. Raises SystemExit where there is nothing to
    measure on."""
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here to measure on.")
    tokenizer = load_tokenizer(folder)
    with tempfile.TemporaryDirectory() as scratch:
        sides = Sides(tokenizer, Path(scratch))
        found = medians({"ours": sides.ours, "theirs": sides.theirs}, rounds=ROUNDS)
    say("accelerator.sft.step", found, unit="s")
    name = torch.cuda.get_device_name()
    peak = next((most for kind, most in PEAKS.items() if kind in name), None)
    if peak is None:
        sys.stderr.write(f"The arithmetic that {name} is capable of is not known here.\n")
        return
    work = 6 * sides.parameters * BATCH * LENGTH / peak
    used = {side: work / seconds for side, seconds in found.items()}
    say("accelerator.sft.mfu", used, unit="of its peak")


class Sides:
    """A run here and a bare script; each call trains a model drawn anew from one seed."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, scratch: Path) -> None:
        self.tokenizer = tokenizer
        self.scratch = scratch
        self.parameters = 0
        draws = torch.Generator().manual_seed(SEED)
        ids = torch.randint(len(tokenizer), (ROWS, LENGTH), generator=draws).tolist()
        self.rows = [{"input_ids": one, "completion_mask": [1] * LENGTH} for one in ids]

    def ours(self) -> float:
        options = {**OURS, "batch_size": BATCH}
        task = task_in(self.scratch, "sft", options)
        return self._seconds(lambda model: fit_sft(task, model, self.tokenizer, self.rows))

    def theirs(self) -> float:
        settings = {
            "learning_rate": RATE,
            "per_device_train_batch_size": BATCH,
            "lr_scheduler_type": "constant",
            "seed": SEED,
            "data_seed": SEED,
            "use_cpu": False,
            "bf16": True,
            "activation_checkpointing": True,
            "dataloader_pin_memory": True,
        }
        folder = self.scratch / "bare"
        return self._seconds(
            lambda model: peer.sft(model, self.tokenizer, self.rows, folder, **settings)
        )

    def _seconds(self, train: Any) -> float:
        """Of a step."""
        model = self._model()
        with peer.clocked(_clock) as found:
            train(model)
        (taken,) = found
        del model
        torch.cuda.empty_cache()
        return taken / (ROWS // BATCH)

    def _model(self) -> Any:
        """TinyLlama's shape: .97 billion parameters beside the embeddings."""
        torch.manual_seed(SEED)
        config = LlamaConfig(
            vocab_size=len(self.tokenizer),
            hidden_size=2048,
            intermediate_size=5632,
            num_hidden_layers=22,
            num_attention_heads=32,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
            bos_token_id=None,
        )
        with torch.device("cuda"):
            model: Any = LlamaForCausalLM(config)
        self.parameters = sum(one.numel() for one in model.parameters())
        return model.train()


def _clock() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
