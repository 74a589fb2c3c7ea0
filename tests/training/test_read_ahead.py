"""What is requested from the disk before training needs it."""

import os
from pathlib import Path

import numpy as np
import pytest

from workbench.training.data import WINDOW
from workbench.training.inputs import MAX_BYTES, ReadAhead, plain_batches, train_batches

ROWS, ROW_BYTES = 3000, 12


@pytest.fixture
def pack(tmp_path: Path) -> np.memmap:
    np.save(tmp_path / "pack.npy", np.zeros((ROWS, 2, 2, 3), np.uint8))
    return np.load(tmp_path / "pack.npy", mmap_mode="r")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """First byte and count of every request."""
    ranges: list[tuple[int, int]] = []

    def fadvise(file: int, start: int, count: int, advice: int) -> None:
        assert os.fstat(file).st_size >= start + count
        assert advice == os.POSIX_FADV_WILLNEED
        ranges.append((start, count))

    monkeypatch.setattr("os.posix_fadvise", fadvise)
    return ranges


def rows_of(ranges: list[tuple[int, int]], offset: int) -> list[int]:
    rows = [
        (start - offset) // ROW_BYTES + i
        for start, count in ranges
        for i in range(count // ROW_BYTES)
    ]
    ranges.clear()
    return rows


def test_a_stretch_is_requested_when_the_one_before_it_begins(
    pack: np.memmap, requests: list[tuple[int, int]]
) -> None:
    order = np.random.default_rng(1).permutation(ROWS)
    ahead = ReadAhead(pack, order)
    ahead.reached(0)
    assert rows_of(requests, pack.offset) == [
        *sorted(order[:WINDOW].tolist()), *sorted(order[WINDOW : 2 * WINDOW].tolist()),
    ]  # fmt: skip
    ahead.reached(WINDOW - 1)
    assert requests == []
    ahead.reached(WINDOW)
    assert rows_of(requests, pack.offset) == sorted(order[2 * WINDOW :].tolist())
    ahead.reached(2 * WINDOW)
    assert requests == []
    ahead.close()
    ahead.reached(0)
    assert requests == []


def test_neighbours_are_one_request(pack: np.memmap, requests: list[tuple[int, int]]) -> None:
    ahead = ReadAhead(pack, np.array([7, 3, 5, 4, 3]))
    ahead.reached(0)
    ahead.close()
    start = pack.offset + 3 * ROW_BYTES
    assert requests == [(start, 3 * ROW_BYTES), (start + 4 * ROW_BYTES, ROW_BYTES)]


def test_an_epoch_resumed_in_the_middle_requests_from_there(
    pack: np.memmap, requests: list[tuple[int, int]]
) -> None:
    ahead = ReadAhead(pack, np.arange(ROWS))
    ahead.reached(WINDOW + 5)
    ahead.close()
    assert rows_of(requests, pack.offset) == list(range(WINDOW, ROWS))


def test_large_rows_come_in_shorter_stretches(tmp_path: Path) -> None:
    large = np.lib.format.open_memmap(
        tmp_path / "large.npy", "w+", np.uint8, (9, MAX_BYTES // 4)
    )  # a sparse file
    ahead = ReadAhead(large, np.arange(9))
    ahead.close()
    assert ahead.stretch == 4


def test_arrays_in_memory_need_none(requests: list[tuple[int, int]]) -> None:
    ahead = ReadAhead(np.zeros((4, 3)), np.arange(4))
    ahead.reached(0)
    ahead.close()
    assert requests == []


def test_both_kinds_of_batches_read_ahead(pack: np.memmap, requests: list[tuple[int, int]]) -> None:
    with train_batches(pack, np.arange(100), 10) as batches:
        list(batches)
    assert rows_of(requests, pack.offset) == list(range(100))
    list(plain_batches(pack, np.arange(50, 70), 8))
    assert rows_of(requests, pack.offset) == list(range(50, 70))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_file_stays_open(pack: np.memmap) -> None:
    before = open_files()
    with train_batches(pack, np.arange(100), 10) as batches:
        next(batches)
    next(plain_batches(pack, np.arange(9), 2))
    assert open_files() == before


def test_a_system_that_takes_no_advice_still_reads(
    pack: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*advice: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("os.posix_fadvise", refuse)
    assert len(list(plain_batches(pack, np.arange(9), 2))) == 5
    monkeypatch.delattr("os.posix_fadvise")
    assert len(list(plain_batches(pack, np.arange(9), 2))) == 5
