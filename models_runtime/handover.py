"""What a running job leaves in the artefact store, so that any host can go on with it: its newest
complete checkpoint and its finished shards.

    store:progress/JOB/attempt-N/checkpoints/step-S/...   a folder; artifact.json comes last
    store:progress/JOB/attempt-N/shards/SHA256/NAME       one object each, checked by its address

The worker copies on a thread of its own, beside the heartbeat; the child knows nothing of it. See
docs/decisions/031-progress-in-the-store.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import link
from pathlib import Path

from models_runtime import artifacts
from models_runtime.artifacts import Beat, Damaged, Manifest
from models_runtime.folders import Outside
from models_runtime.jobdir import MANIFEST, is_complete, sha256_of, write_atomically

HOME = "progress"
# Copying takes this share of a job's time at most; what is superseded meanwhile is never copied.
SHARE = 0.25
RETRY_SECONDS = 30.0
_PIN = ".handed-over"
_CHECKPOINT = re.compile(rf"(attempt-\d+/checkpoints/step-(\d+))/{re.escape(artifacts.MARKER)}")
_SHARD = re.compile(r"(attempt-\d+/shards)/([0-9a-f]{64})/([^./][^/]*)")

log = logging.getLogger(__name__)


class _LetGo(Exception):
    """The attempt is over: what is being copied is of no more use."""


@dataclass(frozen=True)
class Found:
    """What is complete on this disk and not yet in the store; both sorted, oldest first."""

    checkpoint: Path | None
    shards: list[Path]

    def __bool__(self) -> bool:
        return self.checkpoint is not None or bool(self.shards)


@dataclass
class Handover:
    """One attempt's copies of a job's progress.

    ``fetch`` before the child starts; ``look`` and ``begin`` at every heartbeat; ``finish`` when
    the child has ended and the job has not; ``end`` in any case.
    """

    root: Path  # the job directory
    name: str  # the same for every host: Job.dir
    landed: bool = False  # whether anything new has reached the store
    step: int = -1  # of the newest checkpoint in the store
    _kept: list[str] = field(default_factory=list)  # checkpoints in the store, by path below home
    _shards: set[str] = field(default_factory=set)  # shards in the store, by path below root
    _refused: set[Path] = field(default_factory=set)
    _not_before: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def home(self) -> str:
        return f"{HOME}/{self.name}"

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def fetch(self, beat: Beat) -> None:
        """Lay what earlier attempts left in the store into the job directory, where it is not
        there already. What is torn or not what it should be is left out, with a line in the log.

        Raises OSError when the store cannot be read: to begin anew would cost more than to wait.
        """
        for pin in self.root.glob(f"attempt-*/checkpoints/{_PIN}"):  # of a worker that was killed
            shutil.rmtree(pin, ignore_errors=True)
        names = artifacts.files_below(self.home)
        for shard in filter(None, map(_SHARD.fullmatch, names)):
            with self._in_the_log(shard[0]):
                self._fetch_shard(*shard.groups())
            beat()
        found = [match for name in names if (match := _CHECKPOINT.fullmatch(name))]
        self._kept = [match[1] for match in found]
        self._fetch_checkpoint({int(match[2]): match[1] for match in found}, beat)

    def look(self) -> Found:
        """What there is to copy. The newest checkpoint only: the ones before it are of no use."""
        shards = [
            path
            for path in sorted(self.root.glob("attempt-*/shards/[!.]*"))
            if self._below(path) not in self._shards and path not in self._refused
        ]
        newest = max(_checkpoints(self.root), key=_step_of, default=None)
        if newest is None or _step_of(newest) <= self.step or newest in self._refused:
            newest = None
        return Found(newest, shards)

    def begin(self, found: Found) -> None:
        """Copy what was found, unless a copy is under way or it is too early for another."""
        if found and not self.busy and time.monotonic() >= self._not_before:
            self._start(found)

    def finish(self, beat: Beat) -> None:
        """Copy whatever is left, and wait for it: this host may be about to go."""
        self._wait(beat)
        if found := self.look():
            self._start(found)
            self._wait(beat)

    def end(self) -> None:
        """Let go of a copy that is still under way: it ends after its present block."""
        self._over.set()

    def _start(self, found: Found) -> None:
        self._thread = threading.Thread(target=self._copy, args=(found,), daemon=True)
        self._thread.start()

    def _wait(self, beat: Beat) -> None:
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.1)
            beat()

    def _copy(self, found: Found) -> None:
        """Whatever fails here costs the job nothing but its copy, which is tried again later."""
        begun, wait = time.monotonic(), 0.0
        try:
            for shard in found.shards:
                self._put_shard(shard)
            if found.checkpoint is not None:
                self._put_checkpoint(found.checkpoint)
        except _LetGo:
            return
        except Exception:  # of a store that is away, or full: each back end has its own
            if found.checkpoint is None or found.checkpoint.exists():  # else the child pruned it
                log.warning("The progress of %s could not be stored.", self.name, exc_info=True)
                wait = RETRY_SECONDS
        now = time.monotonic()
        self._not_before = now + max(wait, (now - begun) * (1 / SHARE - 1))

    def _put_shard(self, path: Path) -> None:
        self._go_on()
        data, below = path.read_bytes(), self._below(path)
        folder, _, name = below.rpartition("/")
        sha256 = hashlib.sha256(data).hexdigest()
        artifacts.put_bytes(data, f"{self.home}/{folder}/{sha256}/{name}")
        self._shards.add(below)
        self.landed = True

    def _put_checkpoint(self, folder: Path) -> None:
        """The one before goes when this one is whole: at every moment one is."""
        below = self._below(folder)
        with self._in_the_log(below, refuse=folder), _pinned(folder) as pin:
            stated = _stated(pin)
            files = {name: pin / name for name in stated}
            artifacts.put_files(files, f"{self.home}/{below}", self._go_on, stated=stated)
            self.step, self.landed = _step_of(folder), True
            superseded, self._kept = self._kept, [below]
            for key in superseded:
                artifacts.delete_folder(f"{artifacts.SCHEME}{self.home}/{key}")

    def _fetch_shard(self, folder: str, sha256: str, name: str) -> None:
        path = self.root / folder / name
        self._shards.add(self._below(path))
        if path.is_file():
            return
        uri = f"{artifacts.SCHEME}{self.home}/{folder}/{sha256}/{name}"
        with artifacts.open_file(uri) as handle:
            data = handle.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Damaged(f"{name} is not what was stored")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data.decode("utf-8"))

    def _fetch_checkpoint(self, stored: dict[int, str], beat: Beat) -> None:
        """The newest that is whole, unless this disk has one as new."""
        here = max((_step_of(p) for p in _checkpoints(self.root) if is_complete(p)), default=-1)
        for step in sorted(stored, reverse=True):
            if step > here:
                with self._in_the_log(stored[step]):
                    self._lay(stored[step], beat)
                    here = step
            if step <= here:
                self.step = step
                return

    def _lay(self, below: str, beat: Beat) -> None:
        target = self.root / below
        shutil.rmtree(target, ignore_errors=True)  # damaged, or it would not be asked for
        artifacts.fetch_to(f"{artifacts.SCHEME}{self.home}/{below}", target, beat)
        if not is_complete(target):
            shutil.rmtree(target)
            raise Damaged(f"{below} is not what its manifest says")

    @contextlib.contextmanager
    def _in_the_log(self, what: str, refuse: Path | None = None) -> Iterator[None]:
        """What is damaged is passed over: the job has older progress, or begins anew."""
        try:
            yield
        except (Damaged, Outside, UnicodeDecodeError) as error:
            log.warning("%s of %s is passed over: %s", what, self.name, error)
            if refuse is not None:
                self._refused.add(refuse)

    def _go_on(self) -> None:
        if self._over.is_set():
            raise _LetGo

    def _below(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def forget(name: str) -> None:
    """Delete what a job left in the store."""
    artifacts.delete_folder(f"{artifacts.SCHEME}{HOME}/{name}")


def _checkpoints(root: Path) -> list[Path]:
    """Every attempt's checkpoints on this disk that are published."""
    found = root.glob("attempt-*/checkpoints/step-*")
    return [path for path in found if (path / MANIFEST).is_file()]


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def _stated(folder: Path) -> Manifest:
    """The sha256 of a published folder's files, by its own manifest, and of that."""
    path = folder / MANIFEST
    manifest: Manifest = json.loads(path.read_text(encoding="utf-8"))
    return {**manifest, MANIFEST: sha256_of(path)}


@contextlib.contextmanager
def _pinned(folder: Path) -> Iterator[Path]:
    """The folder as hard links of our own: the child prunes its checkpoints, and a copy that takes
    longer than two of them would never come to its end. A disk without links has to do without."""
    pin = folder.with_name(_PIN)
    shutil.rmtree(pin, ignore_errors=True)
    try:
        try:
            shutil.copytree(folder, pin, copy_function=link)
        except OSError:
            yield folder
        else:
            yield pin
    finally:
        shutil.rmtree(pin, ignore_errors=True)
