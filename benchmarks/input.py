"""Images from files to the network's input: Keras's generators against the pack.

    python benchmarks/input.py [--images DIR] [--count 600] [--rounds 3] [--json FILE]

JPEGs of 500 x 375 become batches of 150 x 150. The book's way is ImageDataGenerator (nearest
resize); `image_dataset_from_directory` is the second edition's. Ours decodes every image into the
pack once, after a scan that also looks for damage and copies; later epochs read the pack, with
augmentation if that is asked for. Without --images, the JPEGs are made up.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image
from side_by_side import Row, by_speed, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import book  # noqa: E402
import keras  # noqa: E402

from workbench.datasets.manifest import make_manifest_rows  # noqa: E402
from workbench.datasets.pack import build_pack, open_pack  # noqa: E402
from workbench.datasets.scan import scan  # noqa: E402
from workbench.datasets.sources.opening import open_source  # noqa: E402
from workbench.experiment.sections import AugmentationSpec, DataSpec  # noqa: E402
from workbench.training.inputs import Augmented, train_batches  # noqa: E402

SETTINGS = {"source": "x", "image_size": (book.SIDE, book.SIDE)}
DATA = {"exact": DataSpec(**SETTINGS), "fast": DataSpec(**SETTINGS, decode="fast")}
CHANGES = AugmentationSpec(
    rotation=40.0, width_shift=0.2, height_shift=0.2, shear=0.2, zoom=0.2, horizontal_flip=True
)
# From the prototypes, images/s: generator 462, then 579, augmented 154, then 150; dataset 766, then
# 750; the pack 690 once (fast), then 60,000. Augmented: a Pillow thread costs training nothing.
PROMISED = {"first": 690 / 462, "later": 60_000 / 579, "dataset": 60_000 / 750}


def folder_of(images: Path | None, number: int, scratch: Path) -> Path:
    """Write class folders with JPEGs: copies of a person's, or made up."""
    folder = scratch / "images"
    if images is None:
        book.as_folder(book.photographs(number), folder)
        return folder
    for place, path in enumerate(sorted(images.rglob("*.jpg"))[:number]):
        label = folder / ("cat", "dog")[place % 2]
        label.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, label / f"{place}.jpg")
    return folder


def bare(files: list[Path]) -> int:
    """Do what bounds the pack: Pillow's calls in as many threads, and nothing kept."""

    def read(path: Path) -> int:
        with Image.open(path) as image:
            image.draft(None, (book.SIDE, book.SIDE))
            small = image.convert("RGB").resize((book.SIDE, book.SIDE), Image.Resampling.BILINEAR)
            return len(np.asarray(small, np.uint8))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return sum(pool.map(read, files))


def drained(batches: Iterable) -> int:
    """Return the number of images."""
    return sum(len(batch[0] if isinstance(batch, tuple) else batch) for batch in batches)


class Ours:
    """Scan, pack and epochs of the pack, in a data folder of its own for each round."""

    def __init__(self, images: Path, scratch: Path) -> None:
        self.images, self.scratch = images, scratch
        self.source = open_source(images)
        self.numbers = count()
        self.records = self.scan()
        self.rows = make_manifest_rows(self.records, {r.path: "train" for r in self.records})
        self.packs = {name: open_pack(self.pack(name)) for name in DATA}
        self.order = np.random.default_rng(1).permutation(len(self.rows))

    def scan(self):
        """Scan every image for the first time."""
        return scan(self.source, self._new_folder())

    def pack(self, decode: str) -> Path:
        """Decode every image, once."""
        return build_pack(
            self.images, self.rows, DATA[decode], self._new_folder(), scanned=self.records
        )

    def epoch(self, augmented: bool) -> int:
        """Read all images in batches, in random order."""
        changes = None
        if augmented:
            contents = np.arange(len(self.rows)).astype(np.uint64)
            changes = Augmented(CHANGES, 1, 0, np.ones(len(self.rows), int), contents)
        with train_batches(
            self.packs["exact"], self.order, book.BATCH, augmentation=changes
        ) as batches:
            return drained(batches)

    def indexed(self) -> int:
        """Do what bounds an epoch: numpy's indexing of the pack, batch by batch."""
        steps = range(0, len(self.order), book.BATCH)
        return sum(len(self.packs["exact"][self.order[k : k + book.BATCH]]) for k in steps)

    def _new_folder(self) -> Path:
        folder = self.scratch / f"data-{next(self.numbers)}"
        folder.mkdir()
        return folder


def books(images: Path, augmented: bool) -> Callable[[], int]:
    """Return a way to read an epoch with ImageDataGenerator."""

    def epoch() -> int:
        batches = book.generator(images, augmented)
        return drained(islice(batches, len(batches)))

    return epoch


def datasets(images: Path) -> Callable[[], int]:
    """Return a way to read an epoch with image_dataset_from_directory."""

    def epoch() -> int:
        made = keras.utils.image_dataset_from_directory(
            images, image_size=(book.SIDE, book.SIDE), batch_size=book.BATCH, verbose=False
        )
        return drained(made.prefetch(2).as_numpy_iterator())

    return epoch


def measure(images: Path, scratch: Path, rounds: int) -> list[Row]:
    """Measure every row, in images a second."""
    ours = Ours(images, scratch)
    number = len(ours.rows)
    files = [images / row.path for row in ours.rows]
    ways = {
        "generator": books(images, augmented=False),
        "generator, augmented": books(images, augmented=True),
        "dataset": datasets(images),
        "scan": ours.scan,
        "pack": lambda: ours.pack("exact"),
        "pack, fast": lambda: ours.pack("fast"),
        "bare": lambda: bare(files),
        "indexed": ours.indexed,
        "epoch": lambda: ours.epoch(augmented=False),
        "epoch, augmented": lambda: ours.epoch(augmented=True),
    }
    taken = in_turns({name: lambda way=way: seconds(way) for name, way in ways.items()}, rounds)
    speed = {name: number / value for name, value in taken.items()}
    both = number / (taken["scan"] + taken["pack"])
    return [
        by_speed("the pack, once (decode = fast)", speed["generator"], speed["pack, fast"],
                 wanted=PROMISED["first"],
                 note="Pillow's calls alone (draft, bilinear) in threads, nothing checked and "
                 f"nothing written: {speed['bare']:,.0f} images/s"),
        by_speed("the pack, once (decode = exact)", speed["generator"], speed["pack"]),
        by_speed("scan and pack, once", speed["generator"], both,
                 note="the scan alone, which finds damage and copies, goes through "
                 f"{speed['scan']:,.0f} images/s"),
        by_speed("every epoch", speed["generator"], speed["epoch"], wanted=PROMISED["later"],
                 note="numpy's indexing of the pack alone, batch by batch: "
                 f"{speed['indexed']:,.0f} images/s"),
        by_speed("every epoch, against image_dataset_from_directory", speed["dataset"],
                 speed["epoch"], wanted=PROMISED["dataset"]),
        by_speed("every epoch, augmented", speed["generator, augmented"],
                 speed["epoch, augmented"]),
    ]  # fmt: skip


if __name__ == "__main__":
    options = parser(__doc__, rounds=3)
    options.add_argument("--images", type=Path)
    options.add_argument("--count", type=int, default=600)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        images = folder_of(given.images, given.count, scratch)
        show(measure(images, scratch, given.rounds), given.json)
