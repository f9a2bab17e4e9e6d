"""A world small enough to train in a second: a random policy, a tokenizer, planted preferences."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models_runtime.jobdir import JobDir
from models_runtime.loading import save_policy
from models_runtime.records import (
    Input,
    Preference,
    PreferenceRecord,
    PromptRecord,
    SnapshotCompletion,
    jsonl_line,
    to_dict,
)
from training import run

WORDS = "the a good bad fine poor answer reply is was very quite so and not what who say tell me"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}<user> {{ message['content'] }} "
    "{% else %}<assistant> {{ message['content'] }}<eos> {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; pad, eos and the roles are apart."""
    specials = ["<pad>", "<unk>", "<eos>", "<user>", "<assistant>"]
    vocabulary = {word: number for number, word in enumerate([*specials, *WORDS.split()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=["<user>", "<assistant>"],
        chat_template=TEMPLATE,
        padding_side="left",
    )


def make_policy(folder: Path, seed: int = 0) -> Path:
    """A random two-layer policy with its tokenizer."""
    tokenizer = make_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    save_policy(LlamaForCausalLM(config), tokenizer, folder)
    return folder


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def preference_records(count: int = 24, answers: int = 2) -> list[PreferenceRecord]:
    """Separable: an answer with more of "good" is always preferred to one with less."""
    strengths = ("significantly", "better", "slightly", "negligibly")
    records = []
    for number in range(count):
        opening = ["the answer is", "a reply was so", "very quite"][number % 3]
        texts = [
            f"{opening} {'good ' * (answers - rank)}{'bad ' * rank}so" for rank in range(answers)
        ]
        completions = [
            SnapshotCompletion(number * 10 + i, t, "c", "eos") for i, t in enumerate(texts)
        ]
        pairs = [
            Preference(completions[i].id, completions[j].id, strengths[number % 4])
            for i in range(answers)
            for j in range(i + 1, answers)
        ]
        records.append(
            PreferenceRecord(
                comparison_id=number,
                prompt_id=number,
                iteration=0,
                item=f"item {number}",
                split="heldout" if number % 6 == 5 else "train",
                fold="judge" if number % 3 == 2 else "policy",
                messages=asked(f"tell me {WORDS.split()[number % 20]}"),
                completions=completions,
                preferences=pairs,
            )
        )
    return records


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(jsonl_line(row) for row in rows), encoding="utf-8")
    return path


def write_snapshot(folder: Path, records: Iterable[PreferenceRecord]) -> Path:
    write_lines(folder / "preferences.jsonl", records)
    return folder


def prompt_records(count: int = 6) -> list[PromptRecord]:
    words = WORDS.split()
    return [PromptRecord(n, asked(f"say {words[n]}"), f"item {n // 2}") for n in range(count)]


def write_job(
    folder: Path, kind: str, config: dict[str, Any], inputs: dict[str, Path], seed: int = 7
) -> Path:
    """A job directory as the worker would lay it out."""
    folder.mkdir(parents=True)
    spec = {"job": 1, "kind": kind, "seed": seed, "config": config}
    (folder / "job.json").write_text(json.dumps(spec), encoding="utf-8")
    rows = [to_dict(Input(n, f"file://{p}", {}, str(p))) for n, p in inputs.items()]
    (folder / "inputs.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


def train(folder: Path, method: str, options: dict[str, Any], **inputs: Path) -> Path:
    """A training job in this process, on a tiny policy and 20 separable pairs unless ``inputs``
    says otherwise; its folder. Raises what its entry would report."""
    given = {"policy": folder / "policy", "snapshot": folder / "snapshot", **inputs}
    if "policy" not in inputs:
        make_policy(given["policy"])
    if "snapshot" not in inputs:
        write_snapshot(given["snapshot"], preference_records())
    given.setdefault("reference", given["policy"])
    config = {"method": method, "options": options}
    root = write_job(folder / "job", "train", config, given)
    run.train(open_job(root), {"config": config, "seed": 7})
    return root


def open_job(folder: Path, attempt: int = 1) -> JobDir:
    """An attempt's view without the leash and the signal handler of a real process."""
    job = JobDir(folder, attempt, "")
    job.folder.mkdir(exist_ok=True)
    return job


def metrics_of(folder: Path, attempt: int = 1) -> list[dict[str, Any]]:
    path = folder / f"attempt-{attempt}" / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def joined_metrics(folder: Path) -> dict[int, dict[str, Any]]:
    """{step: row}, a later attempt's row replacing an earlier one's."""
    numbers = sorted(int(p.name.removeprefix("attempt-")) for p in folder.glob("attempt-*"))
    rows: dict[int, dict[str, Any]] = {}
    for number in numbers:
        if (folder / f"attempt-{number}" / "metrics.jsonl").is_file():
            rows.update({row["step"]: row for row in metrics_of(folder, number)})
    return rows


def result_of(folder: Path, attempt: int = 1) -> dict[str, Any]:
    path = folder / f"attempt-{attempt}" / "result.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result
