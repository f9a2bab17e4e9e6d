"""The job directory: where the row side and the tensor side meet, and how a job is told to stop.

    DIR/job.json              {"job": id, "kind": str, "seed": int, "config": {...}}
    DIR/inputs.json           [Input, ...]
    DIR/token                 the token of the current attempt; another one in it ends this one
    DIR/attempt-N/            all that attempt N writes
        progress.json  metrics.jsonl  log.txt
        panel.jsonl           what a policy in training answers to the same few prompts
        memory.json           what a training run was estimated to need, and needed, in bytes
        tensorboard/          event files, where the run asks for them
        checkpoints/step-S/   resumable training state, complete once manifest.json is in it
        shards/               finished shards of a sample job
        relayed.jsonl         what the worker asked somebody else's model for it, and the answers
        spent.jsonl           how often it has asked so far
        output/               the artefact: weights + tokenizer, or completions, or a report
        ranks/R               how process R of several ended, where training.launch started them
        result.json           written last: its presence means the attempt finished
        error.json            {"sentence": str}: why it could not, in one sentence for a person;
                              "phrase" beside it where other languages can say it too

A process is started as ``python -m MODULE DIR`` with CONCORD_ATTEMPT and CONCORD_TOKEN in its
environment and a pipe on standard input, on which the worker writes a byte for every heartbeat
it could store. No byte for CONCORD_LEASE seconds, or end of file, means that nobody owns this
attempt any more. Run by hand, without a token, there is no leash and the attempt is the next
free number.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import hashlib
import json
import math
import os
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from models_runtime import phrases
from models_runtime.phrases import phrase
from models_runtime.records import Input, Progress, jsonl_line
from models_runtime.sentences import not_installed, without_paths

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 64
EXIT_NO_SPACE = 74  # a status of its own: there may be no room for a sentence
EXIT_RETRY = 75
EXIT_FENCED = 76
MANIFEST = "manifest.json"
RANKS = "ranks"
LAUNCHED = "CONCORD_LAUNCHED"  # set by training.launch for the processes that train together
LEAST_FREE_BYTES = 1 << 20
DISK_FULL = phrase(
    "The disk that holds the job directory is full: free some space, then start the job again."
)
OUT_OF_MEMORY = phrase(
    "The job did not fit into memory: use a smaller batch, shorter texts or a smaller model."
)
# The system's words, and what torch.save makes of them.
_FULL = ("No space left on device", "PytorchStreamWriter failed writing", "unexpected pos")


class BadInput(Exception):
    """The job can never succeed as it is configured; the message is a sentence for a person."""


class Stopped(Exception):
    """The worker asked this attempt to checkpoint and end."""


def sha256_of(path: Path) -> str:
    """Hex sha256 of one file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def manifest_of(folder: Path) -> dict[str, str]:
    """{relative path: sha256} of every file below folder but the manifest itself."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): sha256_of(p) for p in files}


def write_atomically(path: Path, text: str) -> None:
    """Replace path by text; a reader or a crash sees the old or the new, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def publish(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``folder``, with a sha256 manifest, when the block ends.

    Every file is synced, then the manifest, then the rename, then the parent: written in place,
    25 of 40 checkpoints killed at a random moment were torn; this way none.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for path in sorted(p for p in temporary.rglob("*") if p.is_file()):
            path.chmod(0o644)  # safetensors are written 0600; the web process is another user
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        write_atomically(temporary / MANIFEST, json.dumps(manifest_of(temporary), sort_keys=True))
        fsync_folder(temporary)
        os.replace(temporary, folder)
        fsync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_complete(folder: Path) -> bool:
    """Whether folder has a manifest and every file in it has the sha256 stated there."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return isinstance(manifest, dict) and manifest == manifest_of(folder)
    except (OSError, ValueError):
        return False


def told(failure: dict[str, Any]) -> str:
    """The sentence of an error.json, as the phrase that it is where it is one; "" for none."""
    return phrases.restored(str(failure.get("phrase") or failure.get("sentence") or ""))


@dataclasses.dataclass
class JobDir:
    """One attempt's view of its job directory (tensor side)."""

    root: Path
    attempt: int
    token: str
    leash_seconds: float = 60.0
    rank: int = 0  # among the processes that train together; the others read, and write nothing
    ranks: int = 1
    stop_requested: threading.Event = dataclasses.field(default_factory=threading.Event)
    # What this process reads in the place of a named input, once it has made that of it.
    instead: dict[str, Path] = dataclasses.field(default_factory=dict)
    # Given (step, row) of every metrics row, once it is written.
    listeners: list[Callable[[int, dict[str, Any]], None]] = dataclasses.field(
        default_factory=list
    )

    @classmethod
    def open(cls, argument: str) -> JobDir:
        """The job directory a child was started on; the leash is fastened when it has a token."""
        root = Path(argument).resolve()
        if not (root / "job.json").is_file():
            raise BadInput(f"{root} is not a job directory: it has no job.json.")
        attempt = int(os.environ.get("CONCORD_ATTEMPT") or cls._next_attempt(root))
        job = cls(root, attempt, os.environ.get("CONCORD_TOKEN", ""))
        job.leash_seconds = float(os.environ.get("CONCORD_LEASE", "60"))
        if LAUNCHED in os.environ:  # the launcher's own names
            job.rank, job.ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        job.folder.mkdir(exist_ok=True)
        signal.signal(signal.SIGTERM, job._on_sigterm)
        if job.token:
            _die_with_parent()
            watch = job._watch_token if LAUNCHED in os.environ else job._watch_leash
            threading.Thread(target=watch, daemon=True).start()
        return job

    @staticmethod
    def _next_attempt(root: Path) -> int:
        return max((n for n, _ in _attempts(root)), default=0) + 1

    @property
    def folder(self) -> Path:
        return self.root / f"attempt-{self.attempt}"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def spec(self) -> dict[str, Any]:
        """job.json as data: job, kind, seed, config."""
        spec: dict[str, Any] = json.loads((self.root / "job.json").read_text(encoding="utf-8"))
        return spec

    def inputs(self) -> dict[str, Input]:
        rows = json.loads((self.root / "inputs.json").read_text(encoding="utf-8"))
        return {row["name"]: Input(**row) for row in rows}

    def input_path(self, name: str) -> Path:
        """The local path of a named input. Raises BadInput with its name when there is none."""
        if name in self.instead:
            return self.instead[name]
        inputs = self.inputs()
        if name not in inputs:
            raise BadInput(phrase("The job has no input named %(name)s.", name=name))
        return Path(inputs[name].path)

    def attempts(self) -> list[tuple[int, Path]]:
        """(number, folder) of this and every earlier attempt, newest first."""
        rows = [row for row in _attempts(self.root) if row[0] <= self.attempt]
        return sorted(rows, reverse=True)

    def newest_checkpoint(self) -> Path | None:
        """The newest complete checkpoint of any attempt: most steps first, torn ones ignored."""
        found = [
            (int(path.name.removeprefix("step-")), number, path)
            for number, folder in self.attempts()
            for path in (folder / "checkpoints").glob("step-*")
        ]
        for _, _, path in sorted(found, reverse=True):
            if is_complete(path):
                return path
        return None

    def progress(self, progress: Progress) -> None:
        self.end_if_fenced()
        if self.rank:
            return
        write_atomically(self.folder / "progress.json", jsonl_line(progress))

    def log_metrics(self, step: int, **values: float | int | str | None) -> None:
        """Append one metrics row: {"step": S, name: value, ...}; non-finite values become null."""
        self.end_if_fenced()
        if self.rank:
            return
        row = {"step": step, **{name: _finite(value) for name, value in values.items()}}
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(jsonl_line(row))
        for listener in self.listeners:
            listener(step, row)

    def finish(self, result: dict[str, Any]) -> None:
        """Write result.json, the last act of an attempt. Non-finite values, as the KL of a policy
        that diverged, become null: no database takes them for JSON."""
        self.end_if_fenced()
        if self.rank:
            return
        text = json.dumps(_finite(result), sort_keys=True, allow_nan=False)
        write_atomically(self.folder / "result.json", text)

    def fail(self, sentence: str) -> None:
        path = self.folder / "error.json"
        if self.rank and path.exists():
            return
        said = {"sentence": sentence}
        if isinstance(sentence, phrases.Phrase):
            said["phrase"] = phrases.stored(sentence)
        write_atomically(path, json.dumps(said))

    def check_stop(self) -> None:
        """Raise Stopped when the worker has asked for an end: call between units of work."""
        if self.stop_requested.is_set():
            raise Stopped

    def is_current(self) -> bool:
        try:
            return not self.token or (self.root / "token").read_text("utf-8") == self.token
        except OSError:
            return False

    def end_if_fenced(self) -> None:
        """A process that was frozen while its attempt was taken away must not go on writing until
        its watch wakes up: that was seen to be ten steps and a checkpoint."""
        if not self.is_current():
            os._exit(EXIT_FENCED)

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop_requested.set()

    def _watch_leash(self) -> None:
        """End the process once nobody owns the attempt: parent gone, frozen, or fenced."""
        heard = time.monotonic()
        while True:
            ready, _, _ = select.select([sys.stdin.fileno()], [], [], 1.0)
            if ready:
                if not os.read(sys.stdin.fileno(), 4096):
                    os._exit(EXIT_FENCED)
                heard = time.monotonic()
            if time.monotonic() - heard > self.leash_seconds or not self.is_current():
                os._exit(EXIT_FENCED)

    def _watch_token(self) -> None:
        """End one of several processes once the attempt is nobody's; the launcher has a leash."""
        while True:
            time.sleep(1.0)
            self.end_if_fenced()


def _attempts(root: Path) -> list[tuple[int, Path]]:
    names = [p for p in root.glob("attempt-*") if p.name.removeprefix("attempt-").isdigit()]
    return [(int(p.name.removeprefix("attempt-")), p) for p in names]


def _finite(value: Any) -> Any:
    """The value, and what is nested in it, with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _finite(nested) for key, nested in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(nested) for nested in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _die_with_parent() -> None:
    """Linux: SIGKILL when the parent goes (PR_SET_PDEATHSIG); elsewhere the pipe alone tells."""
    if not sys.platform.startswith("linux"):
        return
    parent = int(os.environ.get("CONCORD_PARENT", "0"))
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    if parent and os.getppid() != parent:  # it went before the call above took hold
        os._exit(EXIT_FENCED)


def run_entry(main: Callable[[JobDir], None]) -> int:
    """Run a job entry on the folder that the command line names; the exit status says how it went.

    0 done, 75 stopped on request (queue it again), 64 it can never succeed as configured or does
    not fit into memory (error.json holds one sentence for a person), 74 the disk is full, 1
    anything else (error.json as well; the traceback goes to standard error, which is log.txt).
    """
    if len(sys.argv) != 2:
        sys.stderr.write("This entry takes one argument, the job directory.\n")
        return EXIT_BAD_INPUT
    return run_in(sys.argv[1], main)


def run_in(folder: str, main: Callable[[JobDir], None]) -> int:
    """run_entry on a given job directory, for an entry whose command line names something else."""
    try:
        job = JobDir.open(folder)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BAD_INPUT
    status = _status(job, main)
    if job.ranks > 1:
        with contextlib.suppress(OSError):
            write_atomically(job.folder / RANKS / str(job.rank), str(status))
    return status


def _status(job: JobDir, main: Callable[[JobDir], None]) -> int:
    try:
        main(job)
    except (Stopped, KeyboardInterrupt):
        return EXIT_RETRY
    except Exception as error:
        status, sentence = explain(error, job.root)
        with contextlib.suppress(OSError):  # a full disk refuses the log as well
            traceback.print_exc()
        _report_failure(job, sentence)
        return status
    return EXIT_DONE


def explain(error: BaseException, folder: Path) -> tuple[int, str]:
    """(exit status, one sentence for a person) for what ended a job working in folder."""
    if isinstance(error, BadInput):
        return EXIT_BAD_INPUT, without_paths(phrases.of(error))
    if isinstance(error, ImportError):
        return EXIT_FAILED, not_installed(error.name)
    if _is_out_of_memory(error):
        return EXIT_BAD_INPUT, OUT_OF_MEMORY
    if _is_disk_full(error, folder):
        return EXIT_NO_SPACE, DISK_FULL
    text = without_paths(" ".join(str(error).split()))[:200]
    return EXIT_FAILED, phrase(
        "The job stopped unexpectedly (%(kind)s: %(text)s).", kind=type(error).__name__, text=text
    )


def _is_out_of_memory(error: BaseException) -> bool:
    """torch is recognised by name and words, so that this file need not import it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk or a quota is full: by its number or in its words
    (safetensors wraps it, torch.save tells no more than that a write failed)."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in _FULL)


def has_no_room(folder: Path) -> bool:
    """Whether the disk that holds folder has less left than any job needs."""
    return shutil.disk_usage(folder).free < LEAST_FREE_BYTES


def _is_disk_full(error: BaseException, folder: Path) -> bool:
    return is_full(error) or (isinstance(error, RuntimeError) and has_no_room(folder))


def _report_failure(job: JobDir, sentence: str) -> None:
    """A full disk may refuse both; the worker then looks at the disk itself."""
    with contextlib.suppress(OSError):
        job.fail(sentence)
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{sentence}\n")
