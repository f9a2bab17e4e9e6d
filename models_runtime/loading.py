"""Checkpoints: refuse unsafe or broken ones with one sentence, load and save the others.

Weights are safetensors and nothing else, since a pickle runs code when it is read; code that
lies in a model folder is never run (``trust_remote_code`` is never set) and a folder that brings
some is refused. Also a job entry, ``python -m models_runtime.loading DIR``, the registration
check: config ``{"checkpoint": NAME}``, result.json holds the facts of ``check_policy``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models_runtime import model_folder
from models_runtime.jobdir import BadInput, JobDir, run_entry, sha256_of
from models_runtime.phrases import of, phrase

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
_PROBE = "concord probe answer"

transformers.logging.disable_progress_bar()  # a job's log is read by people, not by a terminal
transformers.logging.set_verbosity_error()  # what loading must say, it says as BadInput


@dataclass(frozen=True)
class Place:
    """Where weights are loaded to: the accelerator where there is one, unless a device is named;
    whole, or in four bits each (``four_bits``)."""

    device: torch.device | None = None
    four_bits: bool = False


def four_bits() -> dict[str, Any]:
    """The library's settings for matrices in NF4 whose scales are quantised too (Dettmers et al.,
    2023); embeddings and heads stay whole. Raises BadInput where what it takes is missing."""
    if find_spec("bitsandbytes") is None:
        raise BadInput(
            phrase(
                "The adapter qlora needs the library bitsandbytes, which is not installed where "
                "this run trains: install requirements-qlora.txt there, or choose lora."
            )
        )
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=inference_dtype(),
        llm_int8_skip_modules=["lm_head", "score"],
    )
    return {"quantization_config": config, "device_map": {"": device()}}


def use_one_thread_when_asked() -> None:
    """Two spinning threads on two shared cores are 3-100 times slower than one."""
    if os.environ.get("OMP_NUM_THREADS") == "1":
        torch.set_num_threads(1)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def inference_dtype() -> torch.dtype:
    """bfloat16 on CUDA; float32 on a CPU, where bfloat16 does not pay."""
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer, padding on the left (a tokenizer does not save its side)."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, padding_side="left"
        )
    except Exception as error:
        said = phrase("The tokenizer could not be read (%(why)s).", why=_first_line(error))
        raise BadInput(said) from error
    return tokenizer


def load_policy(
    folder: Path, *, for_training: bool = False, place: Place = Place()
) -> PreTrainedModel:
    """The causal LM in folder, on the accelerator where there is one.

    For inference: eval mode, no gradients, bfloat16 on CUDA and float32 on a CPU. For training:
    float32 weights (updates at lr 1e-6 vanish in bfloat16; autocast does the rest), no cache.
    Raises BadInput on pickles, code, torn files, or weights that do not fit the architecture.
    """
    kind = transformers.AutoModelForCausalLM
    return _load(kind, folder, for_training, new_head=False, place=place)


def policy_without_weights(folder: Path) -> PreTrainedModel:
    """The layers of the policy in folder, and not a byte of its weights: to be looked at."""
    with torch.device("meta"):
        model: PreTrainedModel = transformers.AutoModelForCausalLM.from_config(
            _known_config(folder), trust_remote_code=False
        )
    return model


def load_reward_model(
    folder: Path, *, for_training: bool = False, heads: int = 1, place: Place = Place()
) -> PreTrainedModel:
    """A sequence classifier with an output [batch, heads], read at the last real token.

    From a policy's folder it starts with fresh heads drawn from N(0, 1/(d+1)) (Stiennon et al.
    2020), under the caller's torch seed; from a reward model's folder all weights must be there,
    and it has the heads that it was trained with.
    """
    config = _json_file(folder / "config.json", "config.json")
    fresh = not _architecture(config).endswith("ForSequenceClassification")
    # two labels are the library's default, which it leaves out of the file
    outputs = heads if fresh else len(config.get("id2label") or (0, 1))
    kind = transformers.AutoModelForSequenceClassification
    model = _load(kind, folder, for_training, new_head=fresh, place=place, num_labels=outputs)
    model.config.pad_token_id = load_tokenizer(folder).pad_token_id
    if fresh:
        head: Any = model.score
        width = head.weight.shape[-1]
        torch.nn.init.normal_(head.weight, std=1 / math.sqrt(width + 1))
    return model


def save_policy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Weights, config, tokenizer and chat template into folder (inside jobdir.publish)."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.use_cache = True
    model.save_pretrained(str(folder), safe_serialization=True)
    tokenizer.save_pretrained(str(folder))


save_reward_model = save_policy


def check_policy(folder: Path) -> dict[str, Any]:
    """Facts about a policy's folder; loads no weights.

    architecture, model_type, parameters, context_length, vocabulary, bytes, template_sha256,
    tokenizer_sha256, eos_token, pad_token. Raises BadInput with one sentence.
    """
    shapes = _read_shapes(folder)
    config = _read_config(folder)
    tokenizer = check_tokenizer(folder)
    if len(tokenizer) > config.get_text_config().vocab_size:
        raise BadInput("The tokenizer has more tokens than the model has embeddings.")
    return _facts(folder, config, shapes, tokenizer)


def check_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a policy's folder. Raises BadInput where it cannot say that an answer ends,
    or its chat template does not."""
    tokenizer = _whole_tokenizer(folder)
    _check_template(tokenizer)
    return tokenizer


def context_length(config: transformers.PreTrainedConfig) -> int:
    """Tokens that a model can attend to; 0 when it states no limit."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 0)


def context_length_in(folder: Path) -> int:
    """context_length of the policy or reward model in folder. Raises BadInput."""
    return context_length(_known_config(folder))


def fingerprints(folder: Path, tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """template_sha256 and tokenizer_sha256: what turned text into ids."""
    template = tokenizer.chat_template
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return {
        "template_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "tokenizer_sha256": _tokenizer_sha256(folder),
    }


def _load(
    kind: Any, folder: Path, for_training: bool, *, new_head: bool, place: Place, **settings: Any
) -> PreTrainedModel:
    _read_shapes(folder)
    if place.four_bits:
        settings |= four_bits()
    try:
        model, report = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32 if for_training else inference_dtype(),
            output_loading_info=True,
            **settings,
        )
    except Exception as error:
        said = phrase("The weights could not be loaded (%(why)s).", why=_first_line(error))
        raise BadInput(said) from error
    _refuse_gaps(report, new_head)
    model.config.use_cache = not for_training
    model.train(for_training)
    if place.four_bits:  # lies where it was read to, and whole numbers have no gradient
        return _kept_as_packed(model)
    placed: PreTrainedModel = model.requires_grad_(for_training).to(place.device or device())
    return placed


def _kept_as_packed(model: Any) -> PreTrainedModel:
    """On some CPUs the library packs a matrix anew, with coarser scales, as soon as it is read
    without a gradient: a run that is measured or resumed would train on other weights."""
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return cast(PreTrainedModel, model)


def _refuse_gaps(report: dict[str, Any], new_head: bool) -> None:
    """A weight that is absent would silently be random."""
    missing = sorted(name for name in report["missing_keys"] if name != "score.weight")
    absent_head = not new_head and "score.weight" in report["missing_keys"]
    if missing or absent_head:
        name = missing[0] if missing else "score.weight"
        raise BadInput(
            phrase("The weights do not fit the architecture: %(name)s is missing.", name=name)
        )
    if report.get("mismatched_keys"):
        raise BadInput(
            phrase("The weights do not fit the architecture: a tensor has another shape.")
        )


def _read_shapes(folder: Path) -> model_folder.Shapes:
    """The weights' shapes, from a folder that both sides' rule has passed."""
    try:
        model_folder.refuse_unsafe(folder)
        return model_folder.read_shapes(folder)
    except ValueError as error:
        raise BadInput(of(error)) from error


def _json_file(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        raise BadInput(phrase("The model folder has no %(name)s.", name=name))
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{name} is not valid JSON.") from error
    if not isinstance(data, dict):
        raise BadInput(f"{name} does not hold a JSON object.")
    return data


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def _read_config(folder: Path) -> transformers.PreTrainedConfig:
    """The configuration of a causal LM that the installed library knows."""
    config = _known_config(folder)
    name = _architecture(_json_file(folder / "config.json", "config.json"))
    if not name.endswith(("ForCausalLM", "LMHeadModel")):
        raise BadInput(f"The model is not a causal language model ({name or 'no architecture'}).")
    return config


def _known_config(folder: Path) -> transformers.PreTrainedConfig:
    data = _json_file(folder / "config.json", "config.json")
    try:
        return transformers.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        name = data.get("model_type", "unknown")
        raise BadInput(f"The model type {name} is not known to this version.") from error


def _whole_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise BadInput(phrase("The model folder has no tokenizer."))
    tokenizer = load_tokenizer(folder)
    if tokenizer.eos_token_id is None:
        raise BadInput(phrase("The tokenizer has no end token (EOS)."))
    if tokenizer.pad_token_id is None:
        raise BadInput(
            phrase("The tokenizer has no padding token: set one that is not its end token.")
        )
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        raise BadInput(
            phrase(
                "The tokenizer pads with its end token (EOS), which blinds a reward model to "
                "endings: set another padding token."
            )
        )
    return tokenizer


def _check_template(tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.chat_template:
        raise BadInput(phrase("The tokenizer has no chat template."))
    messages = [{"role": "user", "content": "hello"}]
    answered = [*messages, {"role": "assistant", "content": _PROBE}]
    try:
        prompt = str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
        whole = str(tokenizer.apply_chat_template(answered, tokenize=False))
    except Exception as error:
        said = phrase("The chat template fails (%(why)s).", why=_first_line(error))
        raise BadInput(said) from error
    if "hello" not in prompt or _PROBE not in whole:
        raise BadInput(phrase("The chat template leaves out what the messages say."))
    if tokenizer.eos_token not in whole.split(_PROBE, 1)[1]:
        raise BadInput(
            phrase(
                "The chat template writes no end token (%(token)s) after the assistant's turn, so "
                "a trained policy would never stop.",
                token=str(tokenizer.eos_token),
            )
        )


def _facts(
    folder: Path,
    config: transformers.PreTrainedConfig,
    shapes: dict[str, list[int]],
    tokenizer: PreTrainedTokenizerBase,
) -> dict[str, Any]:
    return {
        "architecture": _architecture(_json_file(folder / "config.json", "config.json")),
        "model_type": config.model_type,
        "parameters": sum(math.prod(shape) for shape in shapes.values()),
        "context_length": context_length(config),
        "vocabulary": len(tokenizer),
        "bytes": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        **fingerprints(folder, tokenizer),
        "eos_token": str(tokenizer.eos_token),
        "pad_token": str(tokenizer.pad_token),
    }


def _tokenizer_sha256(folder: Path) -> str:
    name = next(name for name in TOKENIZER_FILES if (folder / name).is_file())
    return sha256_of(folder / name)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]


def main(job: JobDir) -> None:
    """The registration check: the facts, after the weights have been loaded and run once."""
    use_one_thread_when_asked()
    folder = job.input_path(job.spec()["config"]["checkpoint"])
    facts = check_policy(folder)
    model = load_policy(folder)
    with torch.inference_mode():
        logits = model(torch.zeros((1, 1), dtype=torch.long, device=model.device)).logits
    if not bool(torch.isfinite(logits).all()):
        raise BadInput("The model's outputs are not finite numbers.")
    job.finish(facts)


if __name__ == "__main__":
    sys.exit(run_entry(main))
