"""The one folder that holds all state: made private, locked, with its own secret key."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import IO

LEAST_FREE_BYTES = 64 << 20
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# One of these lies in every folder that Concord, or a restored backup, has used.
OURS = {"run", "secret_key", "concord.sqlite3", "artifacts"}


class CannotStart(Exception):
    """Why Concord cannot start, as one sentence for the person who tried."""


@dataclasses.dataclass
class DataFolder:
    root: Path
    locks: list[IO[str]] = dataclasses.field(default_factory=list)

    @classmethod
    def open(cls, root: Path) -> DataFolder:
        """The folder, closed to others (0700). Raises CannotStart when it cannot be used, or is
        somebody's already: /tmp or a home closed to others would stop other programs."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            _refuse_shared(root)
            if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            root.chmod(0o700)
            for name in ("logs", "run"):
                (root / name).mkdir(exist_ok=True)
        except OSError as error:
            raise CannotStart(_unusable(root, error)) from None
        free = shutil.disk_usage(root).free
        if free < LEAST_FREE_BYTES:
            raise CannotStart(
                f"The disk that holds {root} has {free >> 20} MB left and Concord needs "
                f"{LEAST_FREE_BYTES >> 20} MB: free some space or set CONCORD_DATA to another "
                "folder."
            )
        return cls(root)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    def lock(self, names: list[str]) -> None:
        """Hold one lock for each name until this process ends, however it ends.

        Raises CannotStart when another launcher holds one.
        """
        for name in names:
            handle = (self.run / f"{name}.lock").open("a+", encoding="utf-8")
            self.locks.append(handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                handle.seek(0)
                holder = handle.read().strip() or "unknown"
                raise CannotStart(
                    f"Concord (process {holder}) is already running on {self.root}: stop it "
                    "first, or set CONCORD_DATA to another folder."
                ) from None
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n")
            handle.flush()

    def secret_key(self) -> None:
        """Make the file that settings.py reads when SECRET_KEY is not in the environment.

        Complete when it appears, and never replaced: several launchers may share the folder.
        """
        path = self.root / "secret_key"
        if path.exists():
            return
        draft = self.root / f".secret_key.{os.getpid()}"
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(secrets.token_urlsafe(48) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()


def _refuse_shared(root: Path) -> None:
    there = {path.name for path in root.iterdir()} - {"lost+found"}
    if there and not there & OURS and root.stat().st_mode & 0o077:
        raise CannotStart(
            f"The folder {root} is used for something else (it holds {min(there)}): set "
            "CONCORD_DATA to a folder of its own."
        )


def _unusable(root: Path, error: OSError) -> str:
    if error.errno in DISK_FULL:
        return f"The disk that holds {root} is full: free some space, then start again."
    return (
        f"The data folder {root} cannot be used ({error.strerror}): "
        "set CONCORD_DATA to a folder you can write to."
    )
