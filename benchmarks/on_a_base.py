"""Epochs on a frozen base: the book's whole model against the part above the frozen prefix.

    python benchmarks/on_a_base.py [--images 320] [--rounds 1] [--json FILE]

VGG16 with random weights at 150 x 150. The book's way is `fit` on the whole model over images from
a Python generator; ours is the worker's own engine on a pack, its checkpoints and its look at the
layers included. An epoch has so many training images and half as many for validation; the first of
each compiles, and ours runs the prefix once; neither is counted.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from side_by_side import Row, by_seconds, in_turns, parser, seconds, show

from workbench.training.environment import prepare_environment

prepare_environment()

import book  # noqa: E402
from PIL import Image  # noqa: E402

from workbench.experiment.plan import plan_stages  # noqa: E402
from workbench.experiment.toml import apply_settings, parse_spec  # noqa: E402
from workbench.training.backend import prepare_device  # noqa: E402
from workbench.training.checkpoint import CheckpointFolder  # noqa: E402
from workbench.training.data import TrainingData  # noqa: E402
from workbench.training.engine import Engine  # noqa: E402
from workbench.training.models import build_model  # noqa: E402
from workbench.training.prefix import FeatureStore  # noqa: E402

EPOCHS = 4  # of ours in each round; the first is not counted
# From the prototypes: an epoch of 2,000 + 1,000 images.
PROMISED = {"feature extraction": 83.0, "fine-tuning": 5.4}


def ours(images: np.ndarray, trained: int, folder: Path, *settings: str) -> float:
    """Seconds of an epoch of the last stage: the median of all but the first."""
    tree = {
        "data": {"source": "x", "image_size": [book.SIDE, book.SIDE]},
        "base": {"name": "vgg16", "weights": "random"},
        "model": {"strategy": "feature-extraction", "head": "flatten", "dense_units": [256]},
        "training": {"batch_size": book.BATCH, "epochs": EPOCHS, "learning_rate": 2e-5},
    }
    spec = parse_spec(apply_settings(tree, settings), "benchmark")
    rows = np.arange(len(images))
    split = {"train": rows[:trained], "validation": rows[trained:], "test": rows[:0]}
    data = TrainingData(images, rows % 2, rows.astype(np.uint64), split, 2)
    told: list[dict] = []
    folder.mkdir(parents=True)
    engine = Engine(
        spec, build_model(spec, 2), data, prepare_device(False), CheckpointFolder(folder),
        lambda kind, **fields: told.append({"event": kind, **fields}), lambda: False,
        FeatureStore(folder, {}, "float32", lambda *progress: None, lambda note: None),
    )  # fmt: skip
    engine.run(plan_stages(spec))
    epochs = [event for event in told if event["event"] == "epoch_finished"]
    last = epochs[-1]["stage"]
    return median(e["seconds"] for e in epochs if e["stage"] == last and e["epoch"] > 1)


def whole_model(images: np.ndarray, trained: int, folder: Path, *named: str) -> Callable:
    """An epoch of the book's way, compiled."""
    for number, image in enumerate(images):
        part = "train" if number < trained else "validation"
        place = folder / part / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.jpg", quality=90)
    model = book.on_base(book.vgg16(), *named)
    train, validation = book.generator(folder / "train"), book.generator(folder / "validation")

    def epoch() -> None:
        book.epoch(model, train, validation, trained, len(images) - trained)

    epoch()
    return epoch


def measure(count: int, rounds: int) -> list[Row]:
    """Both kinds of stage."""
    images = book.random_images(count + count // 2)
    cases = {
        "feature extraction": ((), ()),
        "fine-tuning": (
            ("block5_conv1",),
            (
                "model.strategy=fine-tuning", 'base.trainable=["block5"]',
                "training.head_epochs=1", "training.learning_rate=1e-5",
            ),
        ),
    }  # fmt: skip
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, (named, settings) in cases.items():
            here = Path(scratch, name)
            epoch = whole_model(images, count, here / "book", *named)
            numbers = iter(range(rounds))

            def run(here: Path = here, settings=settings, numbers=numbers) -> float:
                return ours(images, count, here / f"ours-{next(numbers)}", *settings)

            found = in_turns({"book": lambda epoch=epoch: seconds(epoch), "ours": run}, rounds)
            rows.append(
                by_seconds(
                    f"{name}, an epoch of {count} + {count // 2} images",
                    found["book"], found["ours"], PROMISED[name],
                )
            )  # fmt: skip
    return rows


if __name__ == "__main__":
    options = parser(__doc__, rounds=1)
    options.add_argument("--images", type=int, default=320)
    given = options.parse_args()
    show(measure(given.images, given.rounds), given.json)
