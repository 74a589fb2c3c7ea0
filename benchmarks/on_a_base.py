"""Training on a frozen base: the book's whole model against the part above the frozen prefix.

    python benchmarks/on_a_base.py [--rounds 1] [--json FILE]

VGG16 with random weights at 150 x 150. The book's way is `fit` on the whole model over images from
a Python generator; what it takes grows with the images, so it is measured on few and given per
image. Ours is the worker's own trainer on a pack, its checkpoints and its freeze check included.
The first epoch of each compiles and is not counted, nor is the one pass of the base; but the whole
run counts all.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from side_by_side import Row, by_seconds, by_speed, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import book  # noqa: E402
import keras  # noqa: E402
import ours  # noqa: E402

from workbench.experiment.plan import plan_stages  # noqa: E402
from workbench.experiment.spec import ExperimentSpec  # noqa: E402
from workbench.experiment.toml import apply_settings, parse_spec  # noqa: E402
from workbench.training.inputs import plain_batches  # noqa: E402
from workbench.training.models import accuracy_for, loss_for  # noqa: E402

BOOK_IMAGES = (80, 40)  # to train and to validate on, in an epoch of the book's way
HEAD_IMAGES = (2000, 1000)  # in an epoch of ours
OUR_IMAGES = (320, 160)
EPOCHS = 30  # of a whole run, as in the book
FINE_TUNING = (
    "model.strategy=fine-tuning", 'base.trainable=["block5"]', "training.head_epochs=1",
    "training.learning_rate=1e-5", "training.epochs=4",
)  # fmt: skip
# From the prototypes, with 2,000 + 1,000 images.
PROMISED = {"head": 83.0, "fine-tuning": 5.4, "validation": 8.9, "whole run": 20.0}


def spec_for(*settings: str) -> ExperimentSpec:
    """Return the book's feature extraction, changed by settings."""
    tree = {
        "data": {"source": "x", "image_size": [book.SIDE, book.SIDE]},
        "base": {"name": "vgg16", "weights": "random"},
        "model": {"strategy": "feature-extraction", "head": "flatten", "dense_units": [256]},
        "training": {"batch_size": book.BATCH, "epochs": EPOCHS, "learning_rate": 2e-5},
    }
    return parse_spec(apply_settings(tree, settings), "benchmark")


class BookRun:
    """The whole model, compiled, after its first epoch."""

    def __init__(self, folder: Path, *named: str) -> None:
        images = book.random_images(sum(BOOK_IMAGES))
        book.as_folder(images[: BOOK_IMAGES[0]], folder / "train")
        book.as_folder(images[BOOK_IMAGES[0] :], folder / "validation")
        self.model = book.on_base(book.vgg16(), *named)
        self.train = book.generator(folder / "train")
        self.validation = book.generator(folder / "validation")
        self.epoch()

    def epoch(self) -> float:
        """Return seconds of an epoch for each of its images, those for validation counted."""
        run = seconds(lambda: book.epoch(self.model, self.train, self.validation, *BOOK_IMAGES))
        return run / sum(BOOK_IMAGES)

    def validate(self) -> float:
        """Return seconds of validation for each of its images."""
        steps = BOOK_IMAGES[1] // book.BATCH
        run = seconds(lambda: self.model.evaluate(self.validation, steps=steps, verbose=0))
        return run / BOOK_IMAGES[1]


def feature_extraction(folder: Path, rounds: int) -> list[Row]:
    """Measure an epoch of the head, and the whole run with the pass of the base in it."""
    theirs = BookRun(folder / "book")
    head_data = ours.halves(book.random_images(sum(HEAD_IMAGES), side=1), HEAD_IMAGES[0])
    data = ours.halves(book.random_images(sum(OUR_IMAGES)), OUR_IMAGES[0])
    made_up = ours.MadeUpFeatures(folder, {}, "float32", lambda *p: None, lambda note: None)
    numbers = iter(range(2 * rounds))

    def head() -> float:
        spec = spec_for("training.epochs=6")
        _, events = ours.train(spec, head_data, folder / f"ours-{next(numbers)}", store=made_up)
        return ours.epoch_seconds(events)

    def whole() -> float:
        return seconds(lambda: ours.train(spec_for(), data, folder / f"ours-{next(numbers)}"))

    found = in_turns({"book": theirs.epoch, "head": head, "whole": whole}, rounds)
    return [
        by_seconds(f"feature extraction, an epoch of {_count(HEAD_IMAGES)}",
                   found["book"] * sum(HEAD_IMAGES), found["head"], PROMISED["head"]),
        by_seconds(f"feature extraction, {EPOCHS} epochs of {_count(OUR_IMAGES)}, start to end",
                   EPOCHS * found["book"] * sum(OUR_IMAGES), found["whole"], PROMISED["whole run"],
                   "ours builds the model, runs the base once and trains"),
    ]  # fmt: skip


def fine_tuning(folder: Path, rounds: int) -> list[Row]:
    """Measure an epoch that trains block5, and its validation by itself."""
    theirs = BookRun(folder / "book", "block5_conv1")
    data = ours.halves(book.random_images(sum(OUR_IMAGES)), OUR_IMAGES[0])
    made_up = ours.MadeUpFeatures(folder, {}, "float32", lambda *p: None, lambda note: None)
    spec, numbers = spec_for(*FINE_TUNING), iter(range(rounds))
    models = []

    def train() -> float:
        model, events = ours.train(spec, data, folder / f"ours-{next(numbers)}", store=made_up)
        models[:] = [model]
        return ours.epoch_seconds(events)

    found = in_turns({"book": theirs.epoch, "ours": train}, rounds)
    validated = in_turns(
        {"book": theirs.validate, "ours": validation(models[0], spec, folder)}, rounds=3
    )
    return [
        by_seconds(f"fine-tuning block5, an epoch of {_count(OUR_IMAGES)}",
                   found["book"] * sum(OUR_IMAGES), found["ours"], PROMISED["fine-tuning"]),
        by_speed("fine-tuning block5, validation", 1 / validated["book"], 1 / validated["ours"],
                 wanted=PROMISED["validation"]),
    ]  # fmt: skip


def validation(model: keras.Model, spec: ExperimentSpec, folder: Path) -> Callable[[], float]:
    """Return a way to measure seconds an image of our validation: the suffix on features."""
    count, cut = OUR_IMAGES[1], plan_stages(spec)[-1].prefix
    suffix = keras.Model(model.get_layer(cut).output, model.output)
    suffix.compile("rmsprop", loss_for(2), metrics=[accuracy_for(2)], jit_compile=False)
    features = np.load(folder / f"{cut}-{count}.npy", mmap_mode="r")
    targets = (np.arange(count) % 2)[:, None].astype(np.float32)

    def run() -> float:
        started = time.perf_counter()
        for batch, rows in plain_batches(features, np.arange(count), book.BATCH):
            suffix.test_on_batch(batch, targets[rows], return_dict=True)
        return (time.perf_counter() - started) / count

    run()
    return run


def _count(images: tuple[int, int]) -> str:
    return f"{images[0]:,} + {images[1]:,} images"


def measure(rounds: int) -> list[Row]:
    """Measure both kinds of stage."""
    with tempfile.TemporaryDirectory() as scratch:
        return [
            *feature_extraction(Path(scratch, "extraction"), rounds),
            *fine_tuning(Path(scratch, "tuning"), rounds),
        ]


if __name__ == "__main__":
    given = parser(__doc__, rounds=1).parse_args()
    show(measure(given.rounds), given.json)
