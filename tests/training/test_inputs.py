"""Batches made in the background: order, threads and their end."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.datasets.augment import augment, draw
from workbench.experiment.augmentation import AugmentationSpec
from workbench.training.data import WINDOW
from workbench.training.inputs import (
    MAX_BYTES,
    Augmented,
    ReadAhead,
    _ahead,
    plain_batches,
    read_batch,
    train_batches,
)

SPEC = AugmentationSpec(rotation=30, zoom=0.2, horizontal_flip=True, contrast=0.3)
ORDER = np.array([7, 3, 3, 0, 9, 1, 8, 2, 5, 4, 6])


@pytest.fixture
def images(tmp_path: Path) -> np.ndarray:
    """Ten noisy images in a memory-mapped file."""
    path = tmp_path / "pack.npy"
    np.save(path, np.random.default_rng(1).integers(0, 256, (10, 12, 9, 3), dtype=np.uint8))
    return np.load(path, mmap_mode="r")


def augmented(view: int = 1) -> Augmented:
    contents = np.array([2**64 - 1 - row for row in range(10)], np.uint64)
    views = np.full(len(ORDER), view)
    return Augmented(SPEC, seed=1, stage=0, views=views, contents=contents)


def batches_of(images: np.ndarray, **options: Any) -> list[np.ndarray]:
    with train_batches(images, ORDER, 4, **options) as batches:
        return list(batches)


def input_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("inputs")]


def test_batches_hold_the_images_in_order_and_stay_bytes(images: np.ndarray) -> None:
    batches = batches_of(images)
    assert [batch.shape for batch in batches] == [(4, 12, 9, 3), (4, 12, 9, 3), (3, 12, 9, 3)]
    assert all(batch.dtype == np.uint8 and type(batch) is np.ndarray for batch in batches)
    assert (np.concatenate(batches) == images[ORDER]).all()


def test_augmented_images_are_those_drawn_for_their_content(images: np.ndarray) -> None:
    found = np.concatenate(batches_of(images, augmentation=augmented(view=3)))
    for image, row in zip(found, ORDER, strict=True):
        drawn = draw(SPEC, 1, 0, 3, 2**64 - 1 - int(row))
        assert (image == augment(images[row], SPEC, drawn)).all()


def test_an_image_that_comes_twice_is_augmented_differently(images: np.ndarray) -> None:
    twice = replace(augmented(), views=np.array([1, 2]))
    with train_batches(images, np.array([5, 5]), 2, augmentation=twice) as batches:
        first, second = next(batches)
    assert (first != second).any()


def test_another_view_looks_different(images: np.ndarray) -> None:
    first, second = (batches_of(images, augmentation=augmented(view)) for view in (1, 2))
    assert (first[0] != second[0]).any()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("steps", [(0, 1, 2), (1, 2), (2, 0)])
@pytest.mark.parametrize("prefetch", [1, 20])
def test_batches_depend_only_on_their_number(
    images: np.ndarray, workers: int, steps: tuple[int, ...], prefetch: int
) -> None:
    everything = batches_of(images, augmentation=augmented())
    found = batches_of(
        images,
        augmentation=augmented(),
        workers=workers,
        steps=iter(steps),
        prefetch=prefetch,
    )
    assert len(everything) == 3
    assert all((found[i] == everything[step]).all() for i, step in enumerate(steps))
    assert len(found) == len(steps)


def test_an_epoch_already_done_has_no_batches(images: np.ndarray) -> None:
    assert batches_of(images, steps=()) == []


def test_an_empty_order_has_no_batches(images: np.ndarray) -> None:
    with train_batches(images, np.array([], np.int64), 4) as batches:
        assert list(batches) == []


def test_threads_end_with_the_block_in_the_middle_of_an_epoch(images: np.ndarray) -> None:
    with train_batches(images, ORDER, 1, augmentation=augmented(), workers=3) as batches:
        next(batches)
        assert input_threads()
    assert input_threads() == []
    assert list(batches) == []


def test_images_that_do_not_change_need_no_threads(images: np.ndarray) -> None:
    with train_batches(images, ORDER, 1, workers=3) as batches:
        next(batches)
        assert input_threads() == []
    assert list(batches) == []


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
def test_threads_end_when_training_fails(images: np.ndarray, raised: type[BaseException]) -> None:
    def train() -> None:
        with train_batches(images, ORDER, 1, augmentation=augmented(), workers=3) as batches:
            next(batches)
            raise raised

    with pytest.raises(raised):
        train()
    assert input_threads() == []


class Failing(Augmented):
    """Fails at row 9, which is in the second batch of four."""

    def apply(self, image: np.ndarray, row: int, index: int) -> np.ndarray:
        if row == 9:
            raise OSError("the disk went away")
        return image


def test_an_error_in_a_thread_is_raised_where_its_batch_is_due(images: np.ndarray) -> None:
    failing = Failing(SPEC, 1, 0, np.ones(11), np.arange(10))
    with train_batches(images, ORDER, 4, augmentation=failing, workers=2) as batches:
        assert (next(batches) == images[ORDER[:4]]).all()
        with pytest.raises(OSError, match="the disk went away"):
            next(batches)
    assert input_threads() == []


class Closing:
    """Closes while the third image is made."""

    def __init__(self, closing: threading.Event) -> None:
        self.closing = closing
        self.changed: list[int] = []

    def apply(self, image: np.ndarray, row: int, index: int) -> np.ndarray:
        self.changed.append(row)
        if len(self.changed) == 3:
            self.closing.set()
        return image


def test_a_thread_stops_after_its_current_image(images: np.ndarray) -> None:
    event = threading.Event()
    closing = Closing(event)
    read_batch(images, np.arange(10), closing, closing=event)
    assert closing.changed == [0, 1, 2]


class AtOnce:
    """An executor that works in `submit`."""

    def submit(self, make: Any, step: int) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(make(step))
        return future


def test_batches_in_advance_are_limited() -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        return step

    batches: Iterator[Any] = _ahead(AtOnce(), make, range(3, 9), 2)
    assert made == []
    assert (next(batches), made) == (3, [3, 4, 5])
    assert (next(batches), made) == (4, [3, 4, 5, 6])
    assert list(batches) == [5, 6, 7, 8]


@pytest.mark.parametrize("batch_size", [3, 11, 100])
def test_plain_batches_give_images_and_their_rows(images: np.ndarray, batch_size: int) -> None:
    batches = list(plain_batches(images, ORDER, batch_size))
    assert [len(x) for x, _ in batches][:-1] == [batch_size] * (len(batches) - 1)
    assert (np.concatenate([rows for _, rows in batches]) == ORDER).all()
    for x, rows in batches:
        assert x.dtype == np.uint8
        assert (x == images[rows]).all()


def test_cached_features_keep_their_type_too(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", np.linspace(-1, 1, 12, dtype=np.float16).reshape(4, 3))
    features = np.load(tmp_path / "features.npy", mmap_mode="r")
    with train_batches(features, np.array([2, 0]), 2) as batches:
        batch = next(batches)
    assert batch.dtype == np.float16
    assert (batch == features[[2, 0]]).all()


def test_grey_images_keep_their_one_channel() -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    changes = Augmented(SPEC, 1, 0, np.ones(4, np.int64), np.arange(4, dtype=np.uint64))
    with train_batches(images, np.arange(4), 4, augmentation=changes) as batches:
        assert next(batches).shape == (4, 8, 8, 1)


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
