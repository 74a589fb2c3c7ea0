"""Images from files to the network's input: Keras's generators against the pack.

    python benchmarks/input.py [--images DIR] [--count 600] [--rounds 3] [--json FILE]

JPEGs of 500 x 375 become batches of 150 x 150. The book's way is ImageDataGenerator (nearest
resize); `image_dataset_from_directory` is the second edition's. Ours decodes every image once, in a
scan that looks for damage and copies and makes the pack as it goes; later epochs read the pack,
with augmentation if that is asked for. That one pass is also set against two, a scan and then a
pack, which another size later still takes. Without --images, the JPEGs are
made up.
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
from side_by_side import Row, by_seconds, by_speed, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import book  # noqa: E402
import keras  # noqa: E402

from workbench.datasets.manifest import make_manifest_rows  # noqa: E402
from workbench.datasets.pack import build_pack, open_pack  # noqa: E402
from workbench.datasets.scan import scan  # noqa: E402
from workbench.datasets.scan_pack import ScanPack  # noqa: E402
from workbench.datasets.sources.opening import forget_source, open_source  # noqa: E402
from workbench.experiment.augmentation import AugmentationSpec  # noqa: E402
from workbench.experiment.sections import DataSpec  # noqa: E402
from workbench.training.inputs import Augmented, train_batches  # noqa: E402

SETTINGS = {"source": "x", "image_size": (book.SIDE, book.SIDE)}
DATA = {"exact": DataSpec(**SETTINGS), "fast": DataSpec(**SETTINGS, decode="fast")}
CHANGES = AugmentationSpec(
    rotation=40.0, width_shift=0.2, height_shift=0.2, shear=0.2, zoom=0.2, horizontal_flip=True
)
# From the prototypes, images/s: generator 462, then 579, augmented 154, then 150; dataset 766, then
# 750; the pack 690 once (fast), then 60,000. Augmented: a Pillow thread costs training nothing.
PROMISED = {"first": 690 / 462, "later": 60_000 / 579, "dataset": 60_000 / 750}
ONE_PASS = 1.5  # times as fast as two


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

    def two_passes(self, decode: str) -> Path:
        """Scan every image, then decode it for the pack."""
        folder = self._new_folder()
        return self._packed(scan(self.source, folder), decode, folder)

    def one_pass(self, decode: str) -> Path:
        """Scan every image and make its row of the pack meanwhile."""
        folder = self._new_folder()
        records = scan(self.source, folder, packing=ScanPack(folder, DATA[decode]))
        return self._packed(records, decode, folder)

    def first_batch(self, passes: Callable[[str], Path], walks: int) -> None:
        """Go from the folder to the first batch, listing the folder so many times."""
        for _ in range(walks):
            forget_source()
            open_source(self.images)
        with train_batches(open_pack(passes("exact")), self.order, book.BATCH) as batches:
            next(iter(batches))

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

    def _packed(self, records, decode: str, folder: Path) -> Path:
        rows = make_manifest_rows(records, {r.path: "train" for r in records})
        return build_pack(self.images, rows, DATA[decode], folder, scanned=records)

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
        "two passes": lambda: ours.two_passes("exact"),
        "one pass": lambda: ours.one_pass("exact"),
        "two passes, fast": lambda: ours.two_passes("fast"),
        "one pass, fast": lambda: ours.one_pass("fast"),
        "first batch, two passes": lambda: ours.first_batch(ours.two_passes, walks=3),
        "first batch": lambda: ours.first_batch(ours.one_pass, walks=1),
        "bare": lambda: bare(files),
        "indexed": ours.indexed,
        "epoch": lambda: ours.epoch(augmented=False),
        "epoch, augmented": lambda: ours.epoch(augmented=True),
    }
    taken = in_turns({name: lambda way=way: seconds(way) for name, way in ways.items()}, rounds)
    speed = {name: number / value for name, value in taken.items()}
    return [
        by_speed("the pack, once (decode = fast)", speed["generator"], speed["pack, fast"],
                 wanted=PROMISED["first"],
                 note="Pillow's calls alone (draft, bilinear) in threads, nothing checked and "
                 f"nothing written: {speed['bare']:,.0f} images/s"),
        by_speed("the pack, once (decode = exact)", speed["generator"], speed["pack"]),
        by_speed("scan and pack, once", speed["generator"], speed["one pass"],
                 note="the scan alone, which finds damage and copies, goes through "
                 f"{speed['scan']:,.0f} images/s"),
        by_speed("scan and pack, against two passes (decode = exact)", speed["two passes"],
                 speed["one pass"], wanted=ONE_PASS),
        by_speed("scan and pack, against two passes (decode = fast)", speed["two passes, fast"],
                 speed["one pass, fast"], wanted=ONE_PASS,
                 note="of large JPEGs the pack has the pixels of a decoding at reduced size, and "
                 "the scan those of a full one: both stay necessary"),
        by_seconds("from the folder to the first batch, against two passes and three walks",
                   taken["first batch, two passes"], taken["first batch"]),
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
