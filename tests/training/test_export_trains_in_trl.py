"""An exported file is read by ``datasets`` and trains in TRL's own trainers as it is."""

import math
from collections import Counter
from pathlib import Path

import pytest

import models_runtime
from labeling.exports import files, trl
from labeling.exports.trl import Options
from labeling.judgements import Answer, Judged, JudgedCompletion
from models_runtime.records import STRENGTHS, Preference

pytestmark = pytest.mark.training

DEMO_POLICY = Path(models_runtime.__file__).parent / "demo_policy"
PLACES = ["France", "Japan", "Kenya", "Peru"]


def judged(number):
    place = PLACES[number % 4]
    strength = STRENGTHS[number % 4] if number % 5 else None  # a plain choice among them
    completions = [
        JudgedCompletion(1, f"The capital of {place} is known to you, gladly told.", "old"),
        JudgedCompletion(2, "Go away.", "new", "length", False, "Be brief."),
    ]
    answers = [Answer(number, "r", "person", [Preference(1, 2, strength)], [])]
    messages = [{"role": "user", "content": f"What is the capital of {place}? ({number})"}]
    return Judged(
        number, 1, number, place, "train", "policy", "random", messages, completions, answers
    )


@pytest.fixture(params=[".jsonl", ".parquet"])
def dataset(request, tmp_path):
    from datasets import load_dataset

    options = Options(margin="small")
    rows = trl.rows([judged(i) for i in range(8)], options, Counter())
    path = tmp_path / f"preferences{request.param}"
    files.write(rows, trl.columns(options), path)
    kind = {".jsonl": "json", ".parquet": "parquet"}[request.param]
    cache = str(tmp_path / "cache")
    return load_dataset(kind, data_files=str(path), cache_dir=cache)["train"]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(DEMO_POLICY)


def tiny(kind, tokenizer, **more):
    import torch
    from transformers import LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **more,
    )
    return kind(config)


def settings(folder):
    """One step on the CPU; nothing about columns: the file must fit as it is."""
    return {
        "output_dir": str(folder),
        "max_steps": 1,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-2,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "max_length": 256,
        "disable_tqdm": True,
    }


def moved(trainer, model):
    """Train; the loss, and whether any parameter moved."""
    before = [parameter.detach().clone() for parameter in model.parameters()]
    loss = trainer.train().training_loss
    pairs = zip(before, model.parameters(), strict=True)
    return loss, any((old != new.detach()).any() for old, new in pairs)


def test_a_reward_model_trains_one_step_and_uses_the_margin(dataset, tokenizer, tmp_path):
    from transformers import LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    model = tiny(LlamaForSequenceClassification, tokenizer, num_labels=1)
    config = RewardConfig(**settings(tmp_path), activation_checkpointing=False)
    with_margin = RewardTrainer(
        model, args=config, train_dataset=dataset, processing_class=tokenizer
    )
    loss, learned = moved(with_margin, model)
    assert learned
    # Rewards of a fresh model are nearly equal, so -log sigmoid(r_w - r_l - m) = log(1 + e^m).
    expected = [math.log1p(math.exp(margin)) for margin in dataset["margin"]]
    assert loss == pytest.approx(sum(expected) / len(expected), abs=5e-3)
    plain = dataset.remove_columns("margin")  # what an export has by default
    model = tiny(LlamaForSequenceClassification, tokenizer, num_labels=1)
    trainer = RewardTrainer(model, args=config, train_dataset=plain, processing_class=tokenizer)
    assert moved(trainer, model)[0] == pytest.approx(math.log(2), abs=5e-3)


def test_dpo_trains_one_step_from_log_2(dataset, tokenizer, tmp_path):
    from transformers import LlamaForCausalLM
    from trl import DPOConfig, DPOTrainer

    model, reference = (tiny(LlamaForCausalLM, tokenizer) for _ in range(2))
    trainer = DPOTrainer(
        model,
        ref_model=reference,
        args=DPOConfig(**settings(tmp_path), activation_checkpointing=False),
        train_dataset=dataset,
        processing_class=tokenizer,
    )
    loss, learned = moved(trainer, model)
    assert learned
    assert loss == pytest.approx(math.log(2), abs=1e-4)
