"""An artefact is there whole or not at all, stays inside the store, and is checked when fetched;
the same on a local folder and on a remote address."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from models_runtime import artifacts, folders, jobdir
from tests.models_runtime.processes import fill

LOCAL, REMOTE = "local", "remote"


@pytest.fixture(params=[LOCAL, REMOTE])
def kind(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[str]:
    remote = "memory://artefacts"
    local = (tmp_path / "store").as_uri()
    settings.ARTIFACTS_URI = remote if request.param == REMOTE else local
    yield request.param
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "sub").mkdir(parents=True)
    (made / "a.txt").write_bytes(b"alpha")
    (made / "sub" / "b.txt").write_bytes(b"beta")
    return made


def damage(kind: str, settings: Any, key: str) -> None:
    """Flip one bit of a stored file."""
    if kind == REMOTE:
        store = fsspec.filesystem("memory")
        data = store.cat_file(f"/artefacts/{key}")
        store.pipe_file(f"/artefacts/{key}", bytes([data[0] ^ 1]) + data[1:])
        return
    path = artifacts.local_root() / key
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_what_is_put_is_fetched(kind: str, folder: Path, tmp_path: Path) -> None:
    uri, manifest = artifacts.put_folder(folder, "things/one")
    assert uri == "store:things/one"
    assert sorted(manifest) == ["a.txt", "sub/b.txt"]
    assert manifest == jobdir.manifest_of(folder)

    found = artifacts.fetch_folder(uri, manifest, tmp_path / "cache")
    assert (found / "sub" / "b.txt").read_bytes() == b"beta"
    assert artifacts.fetch_folder(uri, manifest, tmp_path / "cache") == found
    with artifacts.open_file(uri, "a.txt") as handle:
        assert handle.read() == b"alpha"


def test_putting_again_changes_nothing_and_other_contents_are_refused(
    kind: str, folder: Path
) -> None:
    first = artifacts.put_folder(folder, "things/one")
    assert artifacts.put_folder(folder, "things/one") == first
    (folder / "a.txt").write_bytes(b"omega")
    with pytest.raises(ValueError, match="already holds other contents"):
        artifacts.put_folder(folder, "things/one")


def test_flipped_bit_is_found_and_named(
    kind: str, folder: Path, tmp_path: Path, settings: Any
) -> None:
    uri, manifest = artifacts.put_folder(folder, "things/one")
    damage(kind, settings, "things/one/sub/b.txt")
    with pytest.raises(artifacts.Damaged, match=r"^sub/b\.txt of the artefact things/one is dam"):
        artifacts.fetch_folder(uri, manifest, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_missing_artefact_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(artifacts.Damaged, match="missing"):
        artifacts.fetch_folder("store:things/none", {"a.txt": "0"}, tmp_path / "cache")


def test_damaged_copy_of_a_remote_artefact_is_fetched_again(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    if kind == LOCAL:
        return
    uri, manifest = artifacts.put_folder(folder, "things/one")
    copy = artifacts.fetch_folder(uri, manifest, tmp_path / "cache")
    (copy / "a.txt").write_bytes(b"torn")
    again = artifacts.fetch_folder(uri, manifest, tmp_path / "cache")
    assert (again / "a.txt").read_bytes() == b"alpha"


@pytest.mark.parametrize(
    "key", ["../up", "a/../../up", "/etc/passwd", "a\\..\\b", "", "a//b", "a/./b", "a\0b"]
)
def test_key_that_would_leave_the_store_is_refused(kind: str, folder: Path, key: str) -> None:
    with pytest.raises(folders.Outside):
        artifacts.put_folder(folder, key)
    with pytest.raises(folders.Outside):
        artifacts.put_bytes(b"", key)


@pytest.mark.parametrize("uri", ["file:///etc", "store:../x", "https://example.org/x", "/etc"])
def test_address_outside_the_store_is_refused(kind: str, uri: str, tmp_path: Path) -> None:
    with pytest.raises(folders.Outside):
        artifacts.fetch_folder(uri, {}, tmp_path / "cache")


def test_name_in_a_manifest_cannot_leave_its_artefact(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    uri, _ = artifacts.put_folder(folder, "things/one")
    with pytest.raises(folders.Outside):
        artifacts.fetch_folder(uri, {"../../secret": "0"}, tmp_path / "cache")


def test_links_in_the_store_that_lead_out_are_refused(
    folder: Path, settings: Any, tmp_path: Path
) -> None:
    settings.ARTIFACTS_URI = (tmp_path / "store").as_uri()
    (tmp_path / "store").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(folders.Outside):
        artifacts.put_folder(folder, "link/one")


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside.txt", "/etc"])
def test_links_in_a_folder_that_lead_out_are_refused(kind: str, folder: Path, target: str) -> None:
    (folder.parent / "outside.txt").write_text("secret")
    (folder / "link").symlink_to(target)
    with pytest.raises(folders.Outside, match="link is a link that leads out"):
        artifacts.put_folder(folder, "things/one")


def test_own_manifest_json_is_kept_and_a_transport_manifest_is_not(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    (folder / "manifest.json").write_text('{"rows": 3}')
    assert "manifest.json" in artifacts.put_folder(folder, "snapshots/one")[1]
    with jobdir.publish(tmp_path / "published") as temporary:
        (temporary / "a.txt").write_text("alpha")
    assert list(artifacts.put_folder(tmp_path / "published", "outputs/one")[1]) == ["a.txt"]


def test_full_disk_leaves_nothing_behind(small_disk: Path, tmp_path: Path, settings: Any) -> None:
    settings.ARTIFACTS_URI = (small_disk / "store").as_uri()
    large = tmp_path / "large"
    large.mkdir()
    (large / "weights.safetensors").write_bytes(os.urandom(2 << 20))
    with pytest.raises(OSError, match="No space") as caught:
        artifacts.put_folder(large, "checkpoints/one")
    assert caught.value.errno == errno.ENOSPC
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []

    fill(small_disk / "filler")
    with pytest.raises(OSError, match="No space"):
        artifacts.put_bytes(b"x" * 8192, "note.txt")
    assert not (small_disk / "store" / "note.txt").exists()


def test_single_file_is_replaced_whole(kind: str) -> None:
    uri = artifacts.put_bytes(b"one", "notes/a.txt")
    assert artifacts.put_bytes(b"two", "notes/a.txt") == uri
    with artifacts.open_file(uri) as handle:
        assert handle.read() == b"two"


def test_long_copies_beat(kind: str, folder: Path, tmp_path: Path) -> None:
    beats: list[int] = []
    uri, manifest = artifacts.put_folder(folder, "things/one", lambda: beats.append(1))
    put = len(beats)
    assert put >= 2
    artifacts.fetch_folder(uri, manifest, tmp_path / "cache", lambda: beats.append(1))
    assert len(beats) > put


def test_deleted_artefact_is_gone(kind: str, folder: Path, tmp_path: Path) -> None:
    uri, manifest = artifacts.put_folder(folder, "things/one")
    artifacts.delete_folder(uri)
    artifacts.delete_folder(uri)
    with pytest.raises(artifacts.Damaged):
        artifacts.fetch_folder(uri, manifest, tmp_path / "cache")
