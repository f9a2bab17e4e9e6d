"""The entry ``python -m models_runtime.hub DIR``: fetch a model's folder from a model hub.

Config ``{"repository": "ORG/NAME", "to": folder}``; result.json ``{"revision", "bytes"}``. Only
what loading reads is fetched, from the top of the repository: safetensors, JSON, tokenizer files
and templates; never a pickle or code, whatever else lies there. A download that broke off goes on
where it was. HF_ENDPOINT and HF_TOKEN are the hub library's own variables.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, constants, errors, snapshot_download
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import disable_progress_bars

from models_runtime.jobdir import BadInput, JobDir, run_entry
from models_runtime.records import Progress

FETCHED = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
# Folders hold other formats; consolidated weights are the same ones a second time.
PASSED_OVER = ("*/*", "consolidated*")
LOOK_UP_SECONDS = 15.0
SHOWN_EVERY = 1.0
# The first that fits: each of the hub's own errors is also one of those below it.
SENTENCES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((errors.HFValidationError,), "{name} is not a name that a model can have."),
    (
        (errors.GatedRepoError,),
        "{name} is gated: accept its terms at {hub} and set HF_TOKEN.",
    ),
    (
        (errors.RepositoryNotFoundError,),
        "{name} is not a folder here, and the model hub at {hub} has no model of that name (or it "
        "is private: then set HF_TOKEN).",
    ),
    (
        (errors.HfHubHTTPError,),
        "{name} is not a folder here, and the model hub at {hub} answered with an error.",
    ),
    (
        (errors.HTTPError, TimeoutError, errors.LocalEntryNotFoundError),
        "{name} is not a folder here, and the model hub at {hub} cannot be reached: download the "
        "model on another machine and name its folder.",
    ),
)


def main(job: JobDir) -> None:
    config = job.spec()["config"]
    name, folder = str(config["repository"]), Path(config["to"])
    disable_progress_bars()
    with _in_a_sentence(name):
        found = look_up(name)
        size = _size(name, found)
        _require_space(name, size, folder)
        with _showing(job, folder, size):
            fetch(name, str(found.sha), folder)
    job.finish({"revision": found.sha, "bytes": size})


def look_up(name: str) -> ModelInfo:
    """What the hub says about a repository. Raises TimeoutError when it says nothing: the
    library's own limit is one for each address, and asking for addresses has none."""
    answers: queue.Queue[ModelInfo | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(HfApi().model_info(name, timeout=LOOK_UP_SECONDS, files_metadata=True))
        except Exception as error:  # whatever it is, it belongs to the thread that waits
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=LOOK_UP_SECONDS)
    except queue.Empty:
        raise TimeoutError("no answer") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def fetch(name: str, revision: str, folder: Path) -> None:
    """Download one revision into folder, and nothing but the model."""
    snapshot_download(
        name,
        revision=revision,
        local_dir=folder,
        allow_patterns=list(FETCHED),
        ignore_patterns=list(PASSED_OVER),
    )
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the library's notes for going on


def _size(name: str, found: ModelInfo) -> int:
    """Bytes that will be fetched. Raises BadInput when there are no weights among them."""
    wanted = {
        file.rfilename: file.size or 0
        for file in found.siblings or []
        if any(fnmatch(file.rfilename, pattern) for pattern in FETCHED)
        and not any(fnmatch(file.rfilename, pattern) for pattern in PASSED_OVER)
    }
    if not any(file.endswith(".safetensors") for file in wanted):
        raise BadInput(f"{name} has no weights in safetensors on the model hub.")
    return sum(wanted.values())


def _require_space(name: str, size: int, folder: Path) -> None:
    """Room for the download and for the copy in the artefact store."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free + _bytes_in(folder)
    if free < 2 * size:
        raise BadInput(
            f"{name} needs {2 * size / 1e9:.1f} GB of disk while it is registered, and "
            f"{free / 1e9:.1f} GB are free."
        )


@contextlib.contextmanager
def _showing(job: JobDir, folder: Path, size: int) -> Iterator[None]:
    """Progress in megabytes while the block runs."""
    over = threading.Event()

    def show() -> None:
        while not over.wait(SHOWN_EVERY):
            job.progress(Progress(_bytes_in(folder) >> 20, size >> 20, "MB"))

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _bytes_in(folder: Path) -> int:
    """What lies there; a file may be renamed between being listed and being looked at."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


@contextlib.contextmanager
def _in_a_sentence(name: str) -> Iterator[None]:
    """What the hub or the network answers, as BadInput."""
    try:
        yield
    except Exception as error:
        for kinds, sentence in SENTENCES:
            if isinstance(error, kinds):
                raise BadInput(sentence.format(name=name, hub=constants.ENDPOINT)) from error
        raise


if __name__ == "__main__":
    sys.exit(run_entry(main))
