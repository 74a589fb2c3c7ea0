"""What the disk is asked for before training needs it."""

import os
from pathlib import Path

import numpy as np
import pytest

from workbench.training.inputs import plain_batches, train_batches
from workbench.training.order import WINDOW
from workbench.training.read_ahead import MOST_BYTES, ReadAhead

ROWS, ROW_BYTES = 3000, 12


@pytest.fixture
def pack(tmp_path: Path) -> np.memmap:
    np.save(tmp_path / "pack.npy", np.zeros((ROWS, 2, 2, 3), np.uint8))
    return np.load(tmp_path / "pack.npy", mmap_mode="r")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """First byte and count of every wish."""
    wishes: list[tuple[int, int]] = []

    def fadvise(file: int, start: int, count: int, advice: int) -> None:
        assert os.fstat(file).st_size >= start + count
        assert advice == os.POSIX_FADV_WILLNEED
        wishes.append((start, count))

    monkeypatch.setattr("os.posix_fadvise", fadvise)
    return wishes


def rows_of(wishes: list[tuple[int, int]], offset: int) -> list[int]:
    rows = [
        (start - offset) // ROW_BYTES + i
        for start, count in wishes
        for i in range(count // ROW_BYTES)
    ]
    wishes.clear()
    return rows


def test_a_stretch_is_asked_for_when_the_one_before_it_begins(
    pack: np.memmap, asked: list[tuple[int, int]]
) -> None:
    order = np.random.default_rng(1).permutation(ROWS)
    ahead = ReadAhead(pack, order)
    ahead.reached(0)
    assert rows_of(asked, pack.offset) == [
        *sorted(order[:WINDOW].tolist()), *sorted(order[WINDOW : 2 * WINDOW].tolist()),
    ]  # fmt: skip
    ahead.reached(WINDOW - 1)
    assert asked == []
    ahead.reached(WINDOW)
    assert rows_of(asked, pack.offset) == sorted(order[2 * WINDOW :].tolist())
    ahead.reached(2 * WINDOW)
    assert asked == []
    ahead.close()
    ahead.reached(0)
    assert asked == []


def test_neighbours_are_one_wish(pack: np.memmap, asked: list[tuple[int, int]]) -> None:
    ahead = ReadAhead(pack, np.array([7, 3, 5, 4, 3]))
    ahead.reached(0)
    ahead.close()
    start = pack.offset + 3 * ROW_BYTES
    assert asked == [(start, 3 * ROW_BYTES), (start + 4 * ROW_BYTES, ROW_BYTES)]


def test_an_epoch_that_goes_on_in_the_middle_asks_from_there(
    pack: np.memmap, asked: list[tuple[int, int]]
) -> None:
    ahead = ReadAhead(pack, np.arange(ROWS))
    ahead.reached(WINDOW + 5)
    ahead.close()
    assert rows_of(asked, pack.offset) == list(range(WINDOW, ROWS))


def test_large_rows_come_in_shorter_stretches(tmp_path: Path) -> None:
    large = np.lib.format.open_memmap(
        tmp_path / "large.npy", "w+", np.uint8, (9, MOST_BYTES // 4)
    )  # a sparse file
    ahead = ReadAhead(large, np.arange(9))
    ahead.close()
    assert ahead.stretch == 4


def test_arrays_in_memory_need_none(asked: list[tuple[int, int]]) -> None:
    ahead = ReadAhead(np.zeros((4, 3)), np.arange(4))
    ahead.reached(0)
    ahead.close()
    assert asked == []


def test_both_kinds_of_batches_read_ahead(pack: np.memmap, asked: list[tuple[int, int]]) -> None:
    with train_batches(pack, np.arange(100), 10) as batches:
        list(batches)
    assert rows_of(asked, pack.offset) == list(range(100))
    list(plain_batches(pack, np.arange(50, 70), 8))
    assert rows_of(asked, pack.offset) == list(range(50, 70))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_file_stays_open(pack: np.memmap) -> None:
    before = open_files()
    with train_batches(pack, np.arange(100), 10) as batches:
        next(batches)
    next(plain_batches(pack, np.arange(9), 2))
    assert open_files() == before


def test_a_system_that_takes_no_wishes_reads_all_the_same(
    pack: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*wish: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("os.posix_fadvise", refuse)
    assert len(list(plain_batches(pack, np.arange(9), 2))) == 5
    monkeypatch.delattr("os.posix_fadvise")
    assert len(list(plain_batches(pack, np.arange(9), 2))) == 5
