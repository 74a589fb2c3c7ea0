"""Reading a pack that is not in memory: rows in random order, asked for ahead, and in blocks.

    python benchmarks/reading.py [--gib 2] [--rounds 3] [--json FILE]

Writes a pack of 150 x 150 images and has the system forget it before each way, as a pack larger
than memory would be. "One by one" is what a memory-mapped file does by itself. Disks differ: the
slower one finds a place, the more blocks are worth (`training.shuffle = "blocks"`).
"""

import os
import tempfile
from pathlib import Path

import numpy as np
from side_by_side import by_speed, in_turns, parser, seconds, show

from workbench.training.data import epoch_order
from workbench.training.inputs import read_batch, train_batches

SIDE, BATCH, READ = 150, 32, 4096  # images read in each way


def made_pack(path: Path, gib: float) -> int:
    """Write a pack of so many GiB; return the number of its images."""
    count = int(gib * 2**30) // (SIDE * SIDE * 3)
    pack = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIDE, SIDE, 3))
    block = np.random.default_rng(1).integers(0, 256, (256, SIDE, SIDE, 3), np.uint8)
    for start in range(0, count, len(block)):
        pack[start : start + len(block)] = block[: count - start]
    pack.flush()
    return count


def forgotten(path: Path) -> np.ndarray:
    """Return the pack, memory-mapped, once the system has dropped it from memory."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)  # in vain where it is mapped
    os.close(file)
    return np.load(path, mmap_mode="r")


def one_by_one(pack: np.ndarray, order: np.ndarray) -> None:
    """Read as a loop over batches does."""
    for start in range(0, len(order), BATCH):
        read_batch(pack, order[start : start + BATCH])


def ahead(pack: np.ndarray, order: np.ndarray) -> None:
    """Read as training does."""
    with train_batches(pack, order, BATCH) as batches:
        for _ in batches:
            pass


def measure(folder: Path, gib: float, rounds: int):
    """Measure images a second."""
    path = folder / "pack.npy"
    count = made_pack(path, gib)
    orders = {
        kind: epoch_order(count, 1, 0, 1, None, BATCH, kind)[:READ] for kind in ("images", "blocks")
    }
    cases = {
        "one by one": (one_by_one, "images"),
        "ahead": (ahead, "images"),
        "ahead, blocks": (ahead, "blocks"),
    }

    def way(name: str) -> float:
        pack = forgotten(path)
        read, kind = cases[name]
        return len(orders[kind]) / seconds(lambda: read(pack, orders[kind]))

    speed = in_turns({name: lambda name=name: way(name) for name in cases}, rounds)
    first = speed["one by one"]
    return [
        by_speed("a forgotten pack, asked for ahead", first, speed["ahead"]),
        by_speed("a forgotten pack, asked for ahead, in blocks", first, speed["ahead, blocks"]),
    ]


if __name__ == "__main__":
    options = parser(__doc__, rounds=3)
    options.add_argument("--gib", type=float, default=2.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.home()) as place:
        rows = measure(Path(place), given.gib, given.rounds)
    show(rows, given.json, ("rows one by one", "workbench"))
