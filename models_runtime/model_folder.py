"""What a model's folder may hold, one rule for both sides: safetensors, nothing that runs when
it is read, and a configuration that asks for no more than the weights can fill.

It is read before any library sees the folder: a billion layers are refused here, not allocated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from models_runtime.folders import files_in

PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}
CODE = {".py", ".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".sh"}
# Names another folder whose weights are loaded first: nothing here would have checked those.
ADAPTER = "adapter_config.json"
INDEX = ".safetensors.index.json"
CONFIG = "config.json"
LONGEST_HEADER = 100_000_000  # the safetensors format's own limit, in bytes
# A tokenizer.json of 262,000 words is about 35 MB; a config.json, some kilobytes.
MOST_BYTES = {CONFIG: 4 << 20}
MOST_BYTES_OF_TEXT = 64 << 20
TEXTS = (".json", ".jinja", ".txt", ".model", ".tiktoken")
# So much is let through whatever the weights say, since a default may stand in a small model's
# config.json and costs little: a thousand empty layers took 2 s and 80 MB to be refused.
FEWEST_LAYERS, LEAST_WIDTH, LEAST_CONTEXT = 1000, 1 << 16, 1 << 13
WIDTHS = ("_size", "_dim", "_heads", "_experts", "_rank", "n_head", "n_embd", "n_inner", "d_model")
CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")

Shapes = dict[str, list[int]]  # {tensor name: shape}


def refuse_unsafe(folder: Path) -> None:
    """Raise ValueError, naming the file, unless folder holds safetensors and nothing that runs
    when it is read: no pickles, no code, no links that lead out, no auto_map, no weights that
    are kept elsewhere, and no text or configuration of an absurd size."""
    if not folder.is_dir():
        raise ValueError(f"There is no model folder at {folder}.")
    files = files_in(folder)
    for name, path in files.items():
        _refuse_file(name, path)
    if not any(name.endswith(".safetensors") for name in files):
        raise ValueError("The model folder has no weights in safetensors.")
    refuse_bomb(folder)


def refuse_bomb(folder: Path) -> None:
    """Raise ValueError when config.json counts layers, widths or positions that the weights in
    folder cannot fill. A folder without one is for the library to refuse."""
    path = folder / CONFIG
    if not path.is_file():
        return
    shapes = read_shapes(folder)
    config = json.loads(path.read_text(encoding="utf-8"))
    largest = max((n for shape in shapes.values() for n in shape), default=0)
    rotary = any(key.startswith(("rope", "rotary")) for key, _ in _numbers(config))
    for key, number in _numbers(config):
        if number > _most(key, len(shapes), largest, rotary):
            raise ValueError(f"{CONFIG} asks for {key} {number:g}, which the weights do not have.")


def read_shapes(folder: Path) -> Shapes:
    """The shapes in the safetensors headers. Raises ValueError unless every byte that they promise
    is there."""
    files = sorted(folder.glob("*.safetensors"))
    index = folder / f"model{INDEX}"
    if index.is_file():
        data = _json_of(index.name, index)
        _refuse_weights_elsewhere(index.name, data)
        files = [folder / name for name in sorted(set(data["weight_map"].values()))]
    if not files:
        raise ValueError("The model folder has no weights in safetensors.")
    shapes: Shapes = {}
    for file in files:
        shapes.update(_read_header(file))
    return shapes


def _read_header(file: Path) -> Shapes:
    """Format: 8 bytes little-endian header length, JSON header, then the tensors' bytes."""
    if not file.is_file():
        raise ValueError(f"The weights are incomplete: {file.name} is missing.")
    size = file.stat().st_size
    with file.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        raw = handle.read(length) if length <= min(size, LONGEST_HEADER) else b""
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        end = 8 + length + max(entry["data_offsets"][1] for entry in header.values())
        shapes = {name: [int(n) for n in entry["shape"]] for name, entry in header.items()}
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ValueError(f"{file.name} is torn or not a safetensors file.") from error
    if end != size:
        raise ValueError(f"{file.name} is torn: {size} bytes instead of {end}.")
    return shapes


def _most(key: str, tensors: int, largest: int, rotary: bool) -> float:
    """The largest number that may stand under key. A layer has a tensor of its own, and a width is
    a tensor's (packed weights have an eighth of it at the least). Positions are rows of a table or
    sides of a mask, unless they are rotary."""
    if key.endswith(("layers", "n_layer", "_blocks", "depth")):
        return max(FEWEST_LAYERS, tensors)
    if key.endswith(WIDTHS):
        return max(LEAST_WIDTH, 8 * largest)
    if key in CONTEXTS and not rotary:
        return max(LEAST_CONTEXT, largest)
    return float("inf")


def _numbers(data: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """(key, number) of all that is nested in data; an element of a list goes by the list's key, a
    null as 0."""
    if isinstance(data, dict):
        pairs: Iterable[tuple[str, Any]] = data.items()
    elif isinstance(data, list):
        pairs = ((key, nested) for nested in data)
    else:
        yield key, data if isinstance(data, int | float) else 0
        return
    for name, nested in pairs:
        yield from _numbers(nested, name)


def _refuse_file(name: str, path: Path) -> None:
    if "\\" in name or not name.isprintable():  # no store takes the one, no page shows the other
        raise ValueError(f"The file name {ascii(name)} holds characters that are refused.")
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & PICKLES:
        raise ValueError(
            f"{name} may run code when it is read (a pickle): only safetensors are "
            "accepted, so convert the model or remove the file."
        )
    if suffixes & CODE:
        raise ValueError(f"{name} is code: model folders that bring their own are refused.")
    if path.name == ADAPTER:
        raise ValueError(f"{name} makes it an adapter: merge it into its model first.")
    most = MOST_BYTES.get(path.name, MOST_BYTES_OF_TEXT)
    if path.suffix in TEXTS and path.stat().st_size > most:
        raise ValueError(f"{name} is larger than any model's, {most >> 20} MiB: it is refused.")
    if path.suffix == ".json":
        _refuse_json(name, path)


def _refuse_json(name: str, path: Path) -> None:
    """tokenizer.json can be large, and its vocabulary may hold any word, so only the keys of the
    outermost object count."""
    data = _json_of(name, path)
    if isinstance(data, dict) and "auto_map" in data:
        raise ValueError(f"{name} asks for code of its own (auto_map), which is refused.")
    if name.endswith(INDEX):
        _refuse_weights_elsewhere(name, data)


def _json_of(name: str, path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{Path(name).name} is not valid JSON.") from error


def _refuse_weights_elsewhere(name: str, data: Any) -> None:
    """An index says which file holds which tensor: an address like ../other/model.safetensors
    would be read, and belongs to no manifest."""
    shards = data.get("weight_map") if isinstance(data, dict) else None
    if not isinstance(shards, dict):
        raise ValueError(f"{name} names no weights.")
    for shard in shards.values():
        if not isinstance(shard, str) or "/" in shard or "\\" in shard:
            raise ValueError(f"{name} names weights outside the model folder: {ascii(shard)}.")
