"""The process that does a job's work, as its worker holds it: one leash, one log, one group."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.1  # only where the system has no pidfd
_TAIL_BYTES = 8192
# By their names, since what else a person's environment holds cannot be listed: PGPASSWORD,
# AWS_SECRET_ACCESS_KEY, ADMIN_PASSWORD and HF_TOKEN were all seen in a training process.
_SECRET = re.compile(r"SECRET|PASSW|TOKEN|CREDENTIAL|_KEY|DATABASE_URL|REDIS_URL|BROKER_URL")
_NO_SECRETS = {"TOKENIZERS_PARALLELISM"}


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process may know that runs models and has no business with anybody's account."""
    return {
        name: value
        for name, value in environment.items()
        if name in _NO_SECRETS or not _SECRET.search(name.upper())
    }


@dataclass
class Child:
    """A started child. Standard input is the leash that models_runtime.jobdir describes."""

    process: subprocess.Popen[bytes]
    log: Path
    pidfd: int | None
    status: int | None = None  # exit status, or minus the signal that ended it
    cpu_seconds: float = 0.0  # its own and that of the children it waited for; known at its end

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start command in a process group of its own, so that a terminal's Ctrl-C and the
        worker's signals reach it only through us, and its own children end with it. Of our open
        files it gets ``pass_fds`` alone."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**env, "CONCORD_PARENT": str(os.getpid())},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        return cls(process, log, _pidfd(process.pid))

    def wait(self, seconds: float) -> int | None:
        """The status once the child has ended, at once when it does; None after seconds."""
        if self.pidfd is not None:
            if select.select([self.pidfd], [], [], seconds)[0]:
                self._reap(0)
            return self.status
        until = time.monotonic() + seconds
        while not self._reap(os.WNOHANG) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return self.status

    def beat(self) -> None:
        """One byte on the leash. A full or closed pipe is no error: wait() tells the end."""
        assert self.process.stdin is not None
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self.process.stdin.fileno(), b".")

    def terminate(self) -> None:
        """Ask the child to checkpoint and end."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Make sure that nothing of it is left, and wait for it."""
        self._signal_group(signal.SIGKILL)
        if self.status is None:
            self._reap(0)
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        assert self.process.stdin is not None
        self.process.stdin.close()

    def last_line(self) -> str:
        """The last line of its log that is not blank."""
        with self.log.open("rb") as handle:
            handle.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            lines = handle.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _reap(self, options: int) -> bool:
        """os.wait4 rather than Popen.wait: it also says what the child cost."""
        if self.status is not None:
            return True
        pid, status, usage = os.wait4(self.process.pid, options)
        if not pid:
            return False
        self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, on Linux."""
    return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
