"""Which model servers are kept, started and given up, with servers that only a test could want."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models_runtime import serving
from models_runtime.serving import Address, Warm


class Standing:
    """A server that answers at once."""

    started: list[str]

    def __init__(self, folder: Path) -> None:
        self.address: Address | None = Address(f"http://127.0.0.1:1/{folder}", "")
        self.ended = False

    @classmethod
    def start(cls, folder: Path, scratch: Path) -> Standing:
        cls.started.append(str(folder))
        return cls(folder)

    def is_up(self) -> bool:
        return True

    def end(self) -> None:
        self.ended = True


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    Standing.started = []
    monkeypatch.setattr(serving, "Server", Standing)


@pytest.fixture
def warm() -> Iterator[Warm]:
    held = Warm(lambda pk: Path(str(pk)), most=2)
    yield held
    held.close()


def settle(warm: Warm, wanted: list[int], busy: set[int]) -> list[int]:
    """What answers once nothing is being started any more."""
    for _ in range(20):
        warm.tend(wanted, busy)
        time.sleep(0.01)
    return sorted(warm.ready())


def test_models_that_are_wanted_at_once_do_not_end_each_other(warm: Warm) -> None:
    assert settle(warm, [1, 2], set()) == [1, 2]
    assert settle(warm, [3, 2], {1}) == [1, 3]
    assert Standing.started == ["1", "2", "3"]
    assert settle(warm, [2, 3], set()) == [2, 3]
    assert settle(warm, [3, 2], set()) == [2, 3]
    assert Standing.started == ["1", "2", "3", "2"]


def test_a_model_that_is_long_in_coming_keeps_no_other_waiting() -> None:
    def folder_of(pk: int) -> Path:
        time.sleep(0.5 if pk == 1 else 0)
        return Path(str(pk))

    warm = Warm(folder_of, most=2)
    began = time.monotonic()
    warm.tend([1, 2], set())
    until(lambda: (warm.tend([1, 2], set()), warm.ready())[1] == [2])
    assert time.monotonic() - began < 0.4
    until(lambda: (warm.tend([1, 2], set()), sorted(warm.ready()))[1] == [1, 2])
    warm.close()


def until(condition: Callable[[], Any]) -> None:
    last = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < last, "it did not happen in time"
        time.sleep(0.005)


def test_whatever_a_folder_raises_breaks_its_own_model_alone() -> None:
    def folder_of(pk: int) -> Path:
        if pk == 1:
            raise LookupError("there is no such checkpoint")
        return Path(str(pk))

    warm = Warm(folder_of, most=2)
    assert settle(warm, [1, 2], set()) == [2]
    for _ in range(serving.TRIES):
        for slot in warm.slots.values():
            slot.not_before = 0.0
        settle(warm, [1, 2], set())
    assert warm.broken() == {1: "there is no such checkpoint"}
    warm.forgive(1)
    assert warm.broken() == {}
    warm.close()


def test_a_server_that_was_being_started_ends_with_the_others(warm: Warm) -> None:
    warm.tend([1], set())
    slot = warm.slots[1]
    warm.close()
    assert slot.server is not None
    assert slot.server.ended  # type: ignore[attr-defined]  # it is a Standing
