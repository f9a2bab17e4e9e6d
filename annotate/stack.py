"""The launcher: python -m annotate.stack demo | serve | loop | backup | restore.

Starts what Concord is made of and ends all of it: a private Redis unless REDIS_URL names one, the
web server, a default and a gpu Celery worker, beat, and the process that has live models answer.
It runs before Django's settings exist, since it makes the data folder and the secret key that
they read. Backup and restore are handed on to manage.py with the same environment.
"""

from __future__ import annotations

import argparse
import dataclasses
import http.client
import os
import secrets
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from annotate import env_file, private_redis
from annotate.data_folder import DISK_FULL, CannotStart, DataFolder
from annotate.processes import Child, Part, StopAsked, Supervisor, cpu_seconds

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("web", "default", "gpu", "beat", "talk")
HANDED_ON = ("backup", "restore")
# First no new requests and no new tasks, then the workers, then what they talk over.
END_ORDER = [["prepare", "loop", "web", "beat"], ["default", "gpu", "talk"], ["redis"]]
CELERY = [sys.executable, "-m", "celery", "-A", "annotate.celery"]
# Python runs one thread of a process at a time, and one that holds SQLite's write lock must not
# wait for seven others: 32 raters met 26 ms (p95) with 2 processes of 4, 107 with 1 of 8.
MOST_WEB_PROCESSES = 4
# A worker says nothing to other workers: rows are the state, and chatter costs CPU.
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
# Our own models are small: threads that wait for each other by spinning cost more than they give.
FRUGAL = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclasses.dataclass
class Options:
    mode: str
    only: list[str]
    policy: str
    rest: list[str]

    @property
    def whole(self) -> bool:
        return set(self.only) == set(PARTS)

    @property
    def of_the_loop(self) -> list[str]:
        """What run_loop is told: all that the launcher does not know, and the model."""
        return [*self.rest, *(["--policy", self.policy] if self.policy else [])]


def options_from(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m annotate.stack", description=__doc__)
    parser.add_argument("mode", choices=("demo", "serve", "loop"))
    parser.add_argument("--only", default=",".join(PARTS), help="serve: parts for this machine")
    parser.add_argument("--policy", default="", help="demo, loop: a model, FOLDER or ORG/NAME")
    known, rest = parser.parse_known_args(argv)
    only = [name.strip() for name in known.only.split(",") if name.strip()]
    if wrong := sorted(set(only) - set(PARTS)):
        raise CannotStart(f"--only knows {', '.join(PARTS)}, not {', '.join(wrong)}.")
    if rest and known.mode != "loop":
        raise CannotStart(f"{known.mode} does not know {rest[0]}.")
    return Options(known.mode, only, known.policy, rest)


def web_part(listener: socket.socket) -> Part:
    """The web server on a port that is taken already, from the environment as it is now."""
    listener.listen(2048)
    descriptor = listener.fileno()
    cores = min(os.cpu_count() or 1, MOST_WEB_PROCESSES)
    command = [sys.executable, "-m", "gunicorn", "annotate.wsgi:application"]
    command += ["--bind", f"fd://{descriptor}", "--worker-class", "gthread"]
    command += ["--workers", os.environ.get("WEB_CONCURRENCY") or str(cores)]
    command += ["--threads", os.environ.get("WEB_THREADS") or "4"]
    command += ["--timeout", "120", "--graceful-timeout", "5", "--no-control-socket"]
    return Part("web", "The web server", command, grace=8, fds=(descriptor,))


def name_to_ask(allowed: str) -> str:
    """A name that Django answers to: the first of ALLOWED_HOSTS, with its patterns resolved
    (.example.org is that domain and all under it, * is any name).

    Raises CannotStart for a pattern that Django would match with nothing.
    """
    names = [name.strip() for name in allowed.split(",") if name.strip()]
    for name in names:
        if "*" in name and name != "*":
            raise CannotStart(
                f"ALLOWED_HOSTS holds {name}, which matches no name: write "
                f"{name.replace('*', '').replace('..', '.')} for a domain and all under it."
            )
    first = names[0] if names else "localhost"
    return "localhost" if first == "*" else first.removeprefix(".")


class Stack:
    """One run of the launcher over one data folder."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.begun = time.monotonic()
        default = ROOT / ".data" / "loop" if options.mode == "loop" else ROOT / ".data"
        self.data = DataFolder.open(Path(os.environ.get("CONCORD_DATA") or default).resolve())
        self.data.lock(options.only)
        self.data.secret_key()
        self.host = os.environ.get("CONCORD_HOST") or "127.0.0.1"
        self.socket = self._bind() if "web" in options.only else None
        self.supervisor = Supervisor(self.data.logs, say)

    def _bind(self) -> socket.socket:
        """Take the port now and keep it: nobody can steal it while the web server restarts."""
        port = os.environ.get("PORT") or ("0" if self.options.mode == "loop" else "8000")
        if not port.isdigit() or int(port) > 65535:
            raise CannotStart(f"PORT is {port}, and a port is a number from 1 to 65535.")
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, int(port)))
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {self.host} cannot be used ({error.strerror}): "
                f"choose another, as in PORT=8080 make {self.options.mode}."
            ) from None
        return listener

    @property
    def port(self) -> int:
        assert self.socket is not None
        number: int = self.socket.getsockname()[1]
        return number

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def set_environment(self) -> None:
        """What every child reads; whatever the person set stays."""
        os.environ["CONCORD_DATA"] = str(self.data.root)
        os.environ["DJANGO_SETTINGS_MODULE"] = "annotate.settings"
        os.environ["CONCORD_STACK"] = "1"  # run_loop must not start a second one
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("PYTHONUNBUFFERED", "1")
        if self.options.mode == "serve":
            return
        for name, value in FRUGAL.items():
            os.environ.setdefault(name, value)

    def start_redis(self) -> None:
        if os.environ.get("REDIS_URL"):
            return
        if not self.options.whole:
            raise CannotStart("With --only, REDIS_URL must name the Redis that all parts share.")
        os.environ["REDIS_URL"] = private_redis.start(self.supervisor, self.data.root).url

    def prepare(self) -> Child:
        """Bring database and static files up to date; returns once parts may start.

        The child says so by a byte on a pipe. By a second one it says that what the mode needs
        is made too (the demo checks its model, while the parts start); then it may go on to
        watch the first samples come in.
        """
        self._news, write = os.pipe()
        argv = [sys.executable, "manage.py", "prepare", self.options.mode, "--ready", str(write)]
        argv += [] if "web" in self.options.only else ["--wait"]
        argv += ["--policy", self.options.policy] if self.options.policy else []
        part = Part("prepare", "Preparing", argv, grace=5, keep=False, show=True, fds=(write,))
        child = self.supervisor.start(part)
        os.close(write)
        self.hear_from(child)
        return child

    def hear_from(self, child: Child) -> None:
        """Wait for the preparing child's next byte. Raises CannotStart when it ends instead."""
        news = self._news
        self.supervisor.look_after(
            lambda: bool(select.select([news], [], [], 0)[0]), listen=[news]
        )
        if not os.read(news, 1):
            self.supervisor.look_after(lambda: not child.alive)
            raise CannotStart(self.sentence_of("prepare"))

    def sentence_of(self, name: str) -> str:
        """What ended a part, from its log: the sentence of a command, else its last line."""
        log = self.data.logs / f"{name}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it wrote nothing"
        sentence = last.removeprefix("CommandError: ")
        if sentence == last:
            sentence = f"The {name} process stopped unexpectedly: {last.rstrip('.')}."
        return f"{sentence} (More in {log}.)"

    def parts(self) -> list[Part]:
        """Web, workers and beat, as far as this machine is to run them."""
        made: dict[str, Callable[[], Part]] = {
            "web": self._web,
            # Threads, not forks: work is in the database, and a job is a subprocess anyway.
            "default": partial(self._worker, "default", "-P", "threads", "-c", "4"),
            # One job at a time, on the main thread, so that SIGTERM reaches it: it checkpoints
            # and goes back into the queue.
            "gpu": partial(self._worker, "gpu", "-P", "solo"),
            "beat": self._beat,
            "talk": self._talk,
        }
        return [made[name]() for name in PARTS if name in self.options.only]

    def _web(self) -> Part:
        assert self.socket is not None
        return web_part(self.socket)

    def _worker(self, queue: str, *pool: str) -> Part:
        command = [*CELERY, "worker", "-Q", queue, "-n", f"{queue}-{os.getpid()}@%h"]
        command += [*pool, "-l", "WARNING", *QUIET]
        return Part(queue, f"The {queue} worker", command, grace=25)

    def _beat(self) -> Part:
        schedule = str(self.data.run / "beat-schedule")
        command = [*CELERY, "beat", "-s", schedule, "--pidfile=", "-l", "WARNING"]
        return Part("beat", "The scheduler", command, grace=5)

    def _talk(self) -> Part:
        """Has live models answer. It ends its model servers itself, or they end with it."""
        return Part("talk", "The talk process", [sys.executable, "manage.py", "talk"], grace=10)

    def start_parts(self) -> None:
        children = [self.supervisor.start(part) for part in self.parts()]
        if not self.socket:
            return
        web = next(child for child in children if child.part.name == "web")
        answered = self.supervisor.look_after(
            lambda: self.web_answers() or web.crashes > 2, seconds=90, every=0.1
        )
        if not answered or web.crashes:
            raise CannotStart(self.sentence_of("web"))

    def web_answers(self) -> bool:
        """Whether the web server answers with status 200."""
        name = name_to_ask(os.environ.get("ALLOWED_HOSTS") or "localhost")
        headers = {"Host": name, "X-Forwarded-Proto": "https"}
        target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        connection = http.client.HTTPConnection(target, self.port, timeout=2)
        try:
            connection.request("GET", "/healthz", headers=headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def close(self) -> None:
        self.supervisor.end_all(END_ORDER)
        self.supervisor.close()
        if self.socket:
            self.socket.close()


def serve_parts(stack: Stack) -> Child:
    """Everything up to the address being printed. Returns the preparing child."""
    say(f"State is kept in {stack.data.root}.")
    stack.set_environment()
    stack.start_redis()
    preparing = stack.prepare()
    os.environ.pop("ADMIN_PASSWORD", None)  # the administrator is made: no other part needs it
    stack.start_parts()
    stack.hear_from(preparing)
    return preparing


def demo(stack: Stack) -> int:
    preparing = serve_parts(stack)
    logins = stack.data.root / "logins.txt"
    say(f"\nConcord is ready after {time.monotonic() - stack.begun:.0f} s: {stack.address}\n")
    if logins.exists():
        say(logins.read_text(encoding="utf-8"))
    say("Ctrl-C stops all of it.")
    stack.supervisor.look_after(lambda: not preparing.alive)
    if preparing.process.returncode:
        raise CannotStart(stack.sentence_of("prepare"))
    stack.supervisor.look_after()
    return 0


def serve(stack: Stack) -> int:
    if not os.environ.get("ALLOWED_HOSTS") and "web" in stack.options.only:
        raise CannotStart(
            "Set ALLOWED_HOSTS to the names people will type, as in "
            "ALLOWED_HOSTS=labels.example.org (.env.example lists every variable)."
        )
    name_to_ask(os.environ.get("ALLOWED_HOSTS", ""))
    serve_parts(stack)
    where = stack.address if stack.socket else ", ".join(stack.options.only)
    say(f"Concord is ready after {time.monotonic() - stack.begun:.0f} s: {where}")
    stack.supervisor.look_after()
    return 0


def loop(stack: Stack) -> int:
    """The unattended loop; its exit status is that of manage.py run_loop."""
    serve_parts(stack)
    command = [sys.executable, "manage.py", "run_loop", *stack.options.of_the_loop]
    part = Part("loop", "The loop", command, grace=5, keep=False, show=True)
    child = stack.supervisor.start(part)
    stack.supervisor.look_after(lambda: not child.alive)
    if status := child.process.returncode:
        sys.stderr.write(f"{stack.sentence_of('loop')}\n")
    return 1 if status < 0 else status


MODES: dict[str, Callable[[Stack], int]] = {"demo": demo, "serve": serve, "loop": loop}


def run(options: Options) -> int:
    stack = Stack(options)
    status = 0
    try:
        status = MODES[options.mode](stack)
    except StopAsked:
        say("\nStopping.")
        status = 130 if options.mode == "loop" else 0
    finally:
        stack.close()
    spent, wall = cpu_seconds(), time.monotonic() - stack.begun
    say(f"Stopped. {spent:.1f} CPU seconds in {wall:.0f} s, all processes counted.")
    return status


def hand_on(command: str, rest: list[str]) -> int:
    """Become manage.py. A key made up for this once will do: neither command signs anything."""
    data = Path(os.environ.get("CONCORD_DATA") or ROOT / ".data")
    os.environ["CONCORD_DATA"] = str(data)
    if not (data / "secret_key").exists():
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    os.execv(sys.executable, [sys.executable, "manage.py", command, *rest])


def main(argv: list[str] | None = None) -> int:
    try:
        arguments = sys.argv[1:] if argv is None else argv
        os.chdir(ROOT)
        env_file.read()
        if arguments and arguments[0] in HANDED_ON:
            return hand_on(arguments[0], arguments[1:])
        return run(options_from(arguments))
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        full = error.errno in DISK_FULL
        advice = "free some space, then start again" if full else "start again once it is usable"
        sys.stderr.write(f"{error.filename or 'The system'}: {error.strerror}; {advice}.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
