"""Passes in four processes of which one is killed, again and again; without keras.

python killed_shards.py FOLDER SEED KILLS

A process kills itself at a moment that is drawn: before any of its calls that compute, lock, write,
sync, rename or remove. So every gap between two steps is met, whatever the speed of the machine.
"""

import io
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.experiment.augmentation import AugmentationSpec
from workbench.runs import lock
from workbench.training import feature_file, features
from workbench.training.feature_file import CHUNK, WHOLE, Shard
from workbench.training.features import FeatureStore
from workbench.training.inputs import Augmented

PROCESSES, CHUNKS, MOMENTS = 4, 24, 70  # moments: about as many as there are in one of four
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, ((CHUNKS - 1) * CHUNK + 5, 8, 8, 1), dtype=np.uint8)
ROWS = np.arange(len(IMAGES))[::-1].copy()
VIEWS = Augmented(AugmentationSpec(rotation=30), 1, 0, np.ones(len(ROWS), int),
                  np.arange(len(ROWS), dtype=np.uint64))  # fmt: skip


class Sums:
    """A prefix."""

    cut, shape, identity = "sums", (16,), ""
    weights = rng.standard_normal((64, 16)).astype(np.float32)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        os.sched_yield()  # let the others have a share
        # One image at a time: sums of a batch may depend on its size.
        return np.stack([image.reshape(64).astype(np.float32) @ self.weights for image in images])


def store_in(folder: Path, shard: Shard = WHOLE) -> FeatureStore:
    folder.mkdir(exist_ok=True)
    return FeatureStore(folder, {}, "float32", lambda *done: None, lambda note: None, shard)


def start(store: FeatureStore, changes: Augmented | None, moment: int | None) -> int:
    """Compute in a new process, which kills itself at a moment; return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if moment is not None:
            die_at(moment)
        store.compute(Sums(), IMAGES, ROWS, changes)
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def die_at(moment: int) -> None:
    """Let this process kill itself before the given one of its calls."""
    calls = iter(range(10**9))

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return counting

    class Writer(io.BufferedWriter):
        flush = counted(io.BufferedWriter.flush)

    os.fdopen = lambda descriptor, mode: Writer(io.FileIO(descriptor, mode))
    for name in ("pwrite", "fdatasync", "ftruncate", "open"):
        setattr(os, name, counted(getattr(os, name)))
    for name in ("replace", "unlink"):
        setattr(Path, name, counted(getattr(Path, name)))
    feature_file.lock_range = counted(lock.lock_range)
    feature_file.unlock_range = counted(lock.unlock_range)
    Sums.__call__ = counted(Sums.__call__)


def one_round(here: Path, drawn: random.Random, plain: dict[bool, bytes]) -> bool:
    """Let four processes compute, of which one dies; return whether it died in time."""
    together, augmented = drawn.random() < 0.5, drawn.random() < 0.5
    victim, moment = drawn.randrange(PROCESSES), drawn.randrange(MOMENTS)
    changes = VIEWS if augmented else None
    shards = [WHOLE if together else Shard(one + 1, PROCESSES) for one in range(PROCESSES)]
    processes = [
        start(store_in(here, shard), changes, moment if one == victim else None)
        for one, shard in enumerate(shards)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in processes]
    died = codes.pop(victim) == -signal.SIGKILL
    what = f"{here.name}: {victim=}, {moment=}, {together=}, {augmented=}, {codes=}"
    assert not any(codes), what
    store = store_in(here)
    if together:  # those that were left have done it all
        assert store.count_missing(Sums(), ROWS, changes) == 0, what
    found = np.array(store.features(Sums(), IMAGES, ROWS, changes))
    assert found.tobytes() == plain[augmented], what
    return died


def main(folder: Path, seed: int, kills: int) -> None:
    drawn = random.Random(seed)
    feature_file.SYNC_SECONDS = 0.0
    features.POLL_SECONDS = 0.001
    store = store_in(folder / "one pass")
    plain = {
        augmented: store.features(Sums(), IMAGES, ROWS, VIEWS if augmented else None).tobytes()
        for augmented in (False, True)
    }
    killed = number = 0
    while killed < kills:
        number += 1
        killed += one_round(folder / f"round {number}", drawn, plain)
        assert number < 20 * kills, f"only {killed} of {number} died: MOMENTS is too large"
    print(f"{killed} killed in {number} rounds")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    assert "keras" not in sys.modules
