"""Artefacts: immutable folders under one root, a local folder or any fsspec address.

A row keeps ``store:KEY``, relative to the root, so that a backup restored elsewhere, or a move
from a folder to a bucket, needs no rewriting of rows. A folder is there whole or not at all:
locally it appears by a rename, remotely its ``artifact.json`` is written last. What is fetched
is checked against the sha256 manifest that the row keeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import fsspec
from django.conf import settings

from models_runtime.folders import Outside, files_in
from models_runtime.jobdir import MANIFEST, fsync_folder, is_complete, write_atomically
from models_runtime.phrases import phrase

SCHEME = "store:"
MARKER = "artifact.json"
_BLOCK = 4 << 20

Manifest = dict[str, str]  # {relative path: hex sha256}
Beat = Callable[[], None]  # called after every block, so that a long copy can show it lives


class Damaged(ValueError):
    """An artefact is missing or is not what was stored; the message is a sentence."""


def root() -> str:
    """The store's address, as configured."""
    return str(settings.ARTIFACTS_URI).rstrip("/")


def local_root() -> Path | None:
    """The store's folder; None when it lies behind a remote address."""
    parts = urlsplit(root())
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path)).resolve()


def is_local() -> bool:
    return local_root() is not None


def identity(manifest: Manifest) -> str:
    """sha256 of the canonical manifest: equal contents, equal identity."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def files_of(folder: Path) -> dict[str, Path]:
    """{relative path: path} of what belongs to the artefact in folder, sorted.

    The transport manifest that jobdir.publish adds does not belong to it; a manifest.json that
    says anything else does. Raises Outside on a link that leaves the folder and on what is
    neither a file nor a folder.
    """
    files = files_in(folder)
    if MANIFEST in files and is_complete(folder):
        del files[MANIFEST]
    files.pop(MARKER, None)
    return files


def manifest_of(folder: Path, beat: Beat | None = None) -> Manifest:
    """The sha256 manifest of files_of(folder)."""
    return {name: sha256(path, beat) for name, path in files_of(folder).items()}


def put_folder(path: Path, key: str, beat: Beat | None = None) -> tuple[str, Manifest]:
    """Copy a folder into the store under key; (address, manifest).

    Repeating it changes nothing. Raises ValueError when key already holds other contents,
    OSError (ENOSPC) on a full disk, in which case nothing is left under key.
    """
    return put_files(files_of(path), key, beat)


def put_files(
    files: dict[str, Path],
    key: str,
    beat: Beat | None = None,
    *,
    stated: Manifest | None = None,
) -> tuple[str, Manifest]:
    """put_folder for {name in the artefact: where it lies now}.

    ``stated``: the manifest of files that never change again. They are held to it, and a store on
    their own disk keeps hard links to them. Raises Damaged, leaving nothing that could be taken
    for whole, when one is not what is stated.
    """
    _check_key(key)
    put = _put_local if is_local() else _put_remote
    return SCHEME + key, put(files, key, beat, stated)


def put_bytes(data: bytes, key: str) -> str:
    """Store one file's bytes under key, replacing it whole; its address."""
    _check_key(key)
    target = _local_path(key)
    if target is None:
        filesystem, base = _remote()
        filesystem.pipe_file(f"{base}/{key}", data)
        return SCHEME + key
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{_mine()}")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return SCHEME + key


def open_file(uri: str, name: str = "") -> BinaryIO:
    """A stored file open for reading: the address itself, or ``name`` within its folder.

    Raises Damaged when it is not there.
    """
    key = "/".join(part for part in (_key_of(uri), name) if part)
    _check_key(key)
    path = _local_path(key)
    try:
        if path is not None:
            return path.open("rb")
        filesystem, base = _remote()
        return cast(BinaryIO, filesystem.open(f"{base}/{key}", "rb"))
    except FileNotFoundError:
        raise Damaged(f"{key} is missing from the artefact store.") from None


def fetch_folder(uri: str, manifest: Manifest, cache: Path, beat: Beat | None = None) -> Path:
    """The artefact as a local folder, every file checked against manifest.

    A local store gives the folder itself; a remote one is copied below cache once. Raises
    Damaged, naming the file, when one is missing, too many, or has another sha256.
    """
    key = _key_of(uri)
    for name in manifest:
        _check_key(name)
    local = _local_path(key)
    if local is not None:
        _verify(local, manifest, key, beat)
        return local
    return _download(key, manifest, cache, beat)


def fetch_to(
    uri: str, target: Path, beat: Beat | None = None, *, stated: Manifest | None = None
) -> None:
    """Copy a stored folder to target, which appears when it is whole by the manifest that is
    stated, else by the store's own.

    Raises Damaged, naming the file, otherwise.
    """
    key = _key_of(uri)
    manifest = _stored_manifest(key) if stated is None else stated
    for name in manifest:
        _check_key(name)
    _copy_out(key, manifest, target, beat)


def files_below(key: str) -> list[str]:
    """The relative paths of all that is stored below key, sorted; none when there is nothing."""
    _check_key(key)
    local = _local_path(key)
    if local is not None:
        found = (path for path in local.rglob("*") if path.is_file())
        return sorted(path.relative_to(local).as_posix() for path in found)
    filesystem, base = _remote()
    filesystem.invalidate_cache()  # another machine may have written since this one looked
    home = f"{base}/{key}/"
    return sorted(str(name).removeprefix(home) for name in filesystem.find(home))


def delete_folder(uri: str) -> None:
    """Remove an artefact; one that is gone already is no error."""
    key = _key_of(uri)
    local = _local_path(key)
    if local is not None:
        shutil.rmtree(local, ignore_errors=True)
        return
    filesystem, base = _remote()
    filesystem.invalidate_cache()
    with contextlib.suppress(FileNotFoundError):
        filesystem.rm(f"{base}/{key}", recursive=True)


def _check_key(key: str) -> None:
    parts = key.split("/")
    if "\\" in key or "\0" in key or any(part in ("", ".", "..") for part in parts):
        raise Outside(f"{key!r} is not a path inside the artefact store.")


def _key_of(uri: str) -> str:
    for prefix in (SCHEME, root() + "/"):
        if uri.startswith(prefix):
            key = uri.removeprefix(prefix)
            _check_key(key)
            return key
    raise Outside(f"The address {uri} lies outside the artefact store.")


def _local_path(key: str) -> Path | None:
    """Where key lies in a local store, by real path, so that no link leads out of it."""
    home = local_root()
    if home is None:
        return None
    path = (home / key).resolve()
    if not path.is_relative_to(home) or path == home:
        raise Outside(f"{key!r} is not a path inside the artefact store.")
    return path


def _remote() -> tuple[Any, str]:
    filesystem, base = fsspec.core.url_to_fs(root())
    return filesystem, str(base).rstrip("/")


def _mine() -> str:
    return f"{os.getpid()}.{threading.get_ident()}"


def _put_local(
    files: dict[str, Path], key: str, beat: Beat | None, stated: Manifest | None
) -> Manifest:
    target = _local_path(key)
    assert target is not None
    if target.exists():
        return _same(_stored_manifest(key), files, key, beat)
    place = _copy_in if stated is None else _link_in
    with _appearing(target) as temporary:
        manifest = {name: place(path, temporary / name, beat) for name, path in files.items()}
        _hold_to(stated, manifest, key)
        write_atomically(temporary / MARKER, json.dumps(manifest, sort_keys=True))
    return manifest


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to target when the block ends, and removed when it
    fails. Another process that was first with the same key is no error: keys are content."""
    temporary = target.with_name(f".{target.name}.{_mine()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for folder in [path for path in temporary.rglob("*") if path.is_dir()]:
            fsync_folder(folder)
        fsync_folder(temporary)
        try:
            os.replace(temporary, target)
        except OSError:
            if not target.is_dir():
                raise
        fsync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _same(stored: Manifest, files: dict[str, Path], key: str, beat: Beat | None) -> Manifest:
    if stored != {name: sha256(path, beat) for name, path in files.items()}:
        raise ValueError(f"{key} already holds other contents in the artefact store.")
    return stored


def _hold_to(stated: Manifest | None, found: Manifest, key: str) -> None:
    for name, sha256 in sorted((stated or {}).items()):
        if found.get(name) != sha256:
            raise Damaged(f"{name} was to be stored in {key}, but is not what its manifest says.")


def _stored_manifest(key: str) -> Manifest:
    """What the store itself says that a folder holds."""
    try:
        with open_file(SCHEME + key, MARKER) as handle:
            return cast(Manifest, dict(json.loads(handle.read())))
    except (TypeError, ValueError) as error:  # open_file's Damaged among them
        raise Damaged(f"{key} has no manifest in the artefact store.") from error


def _put_remote(
    files: dict[str, Path], key: str, beat: Beat | None, stated: Manifest | None
) -> Manifest:
    filesystem, base = _remote()
    marker = f"{base}/{key}/{MARKER}"
    if filesystem.exists(marker):
        return _same(_stored_manifest(key), files, key, beat)
    manifest = {}
    for name, path in files.items():
        with path.open("rb") as source, filesystem.open(f"{base}/{key}/{name}", "wb") as target:
            manifest[name] = _pour(source, target, beat)
    _hold_to(stated, manifest, key)
    filesystem.pipe_file(marker, json.dumps(manifest, sort_keys=True).encode())
    return manifest


def _download(key: str, manifest: Manifest, cache: Path, beat: Beat | None) -> Path:
    target = cache / identity(manifest)
    if target.is_dir():
        try:
            _verify(target, manifest, key, beat)
            return target
        except Damaged:  # a damaged copy is replaced by a fresh one
            shutil.rmtree(target)
    _copy_out(key, manifest, target, beat)
    return target


def _copy_out(key: str, manifest: Manifest, target: Path, beat: Beat | None) -> None:
    with _appearing(target) as temporary:
        for name in manifest:
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_file(SCHEME + key, name) as source, path.open("wb") as copy:
                _pour(source, copy, beat)
        _verify(temporary, manifest, key, beat)


def _verify(folder: Path, manifest: Manifest, key: str, beat: Beat | None) -> None:
    if not folder.is_dir():
        raise Damaged(phrase("The artefact %(key)s is missing from the store.", key=key))
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    } - {MARKER}
    for name in sorted(manifest.keys() - present):
        raise Damaged(phrase("%(name)s is missing from the artefact %(key)s.", name=name, key=key))
    for name in sorted(present - manifest.keys()):
        raise Damaged(f"{name} does not belong to the artefact {key}.")
    for name, stated in manifest.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise Damaged(f"{name} of the artefact {key} is a link that leads out of it.")
        if sha256(path, beat) != stated:
            raise Damaged(
                phrase(
                    "%(name)s of the artefact %(key)s is damaged: its sha256 is not the one it "
                    "was stored with.",
                    name=name,
                    key=key,
                )
            )


def _copy_in(source: Path, target: Path, beat: Beat | None) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reading, target.open("wb") as writing:
        digest = _pour(reading, writing, beat)
        writing.flush()
        os.fsync(writing.fileno())
    target.chmod(0o644)  # safetensors are written 0600; the web process may be another user
    return digest


def _link_in(source: Path, target: Path, beat: Beat | None) -> str:
    """A file that never changes needs no second place on the same disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        return _copy_in(source, target, beat)
    return sha256(target, beat)


def _pour(source: BinaryIO, target: BinaryIO, beat: Beat | None) -> str:
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        target.write(block)
        digest.update(block)
        if beat is not None:
            beat()
    return digest.hexdigest()


def sha256(path: Path, beat: Beat | None = None) -> str:
    """Hex sha256 of a file, with a beat after every block."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
            if beat is not None:
                beat()
    return digest.hexdigest()
