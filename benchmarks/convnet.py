"""The book's small convnet: images from a Python generator against the pack, with augmentation too.

    python benchmarks/convnet.py [--images 320] [--rounds 3] [--json FILE]

150 x 150, batches of 20. The book's way is `fit` over ImageDataGenerator; ours is the worker's own
trainer, its checkpoints and events included. The last row is ours against ours: what augmentation
in the input threads costs a training, with edges repeated behind the moved image.
"""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from side_by_side import Row, by_speed, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import book  # noqa: E402
import ours  # noqa: E402

from workbench.experiment.facts import DataFacts  # noqa: E402
from workbench.experiment.presets import preset_tree  # noqa: E402
from workbench.experiment.toml import apply_settings, parse_spec  # noqa: E402

EPOCHS = 4  # of ours in each round; the first compiles and is not counted
FACTS = DataFacts((374, 499), False, 3, 2, 25_000, 12_500, user_split=False)
PRESETS = {"plain": "book-convnet", "augmented": "book-convnet-augmented"}
# From the prototypes, images/s: 82 against 76 to 90; augmented 54 to 70 against 77.
PROMISED = {"plain": 83 / 82, "augmented": 77 / 62}


def books(folder: Path, images: int, augmented: bool) -> Callable[[], float]:
    """Return a way to measure images a second of the book's `fit`, after its first epoch."""
    model, batches = book.convnet(), book.generator(folder, augmented)

    def epoch() -> float:
        steps = images // book.BATCH
        return images / seconds(lambda: model.fit(batches, steps_per_epoch=steps, verbose=0))

    epoch()
    return epoch


def trainers(images: np.ndarray, kind: str, folder: Path) -> Callable[[], float]:
    """Return a way to measure images a second of the trainer."""
    changes = ("training.batch_size=20", f"training.epochs={EPOCHS}", "training.keep=last")
    tree = preset_tree(PRESETS[kind], "x", FACTS)
    del tree["training"]["steps_per_epoch"]
    spec = parse_spec(apply_settings(tree, changes), kind)
    data, numbers = ours.halves(images, len(images)), count()

    def run() -> float:
        _, events = ours.train(spec, data, folder / f"{kind}-{next(numbers)}")
        return len(images) / ours.epoch_seconds(events)

    return run


def measure(number: int, rounds: int) -> list[Row]:
    """Measure every row."""
    images = book.random_images(number)
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        book.as_folder(images, scratch / "images")
        ways = {}
        for kind in PRESETS:
            ways[f"book {kind}"] = books(scratch / "images", number, kind == "augmented")
            ways[f"ours {kind}"] = trainers(images, kind, scratch)
        found = in_turns(ways, rounds)
    rows = [
        by_speed(f"convnet, {kind}", found[f"book {kind}"], found[f"ours {kind}"],
                 wanted=PROMISED[kind])
        for kind in PRESETS
    ]  # fmt: skip
    rows.append(
        by_speed("convnet, ours: with augmentation against without", found["ours plain"],
                 found["ours augmented"], wanted=1.0, note="dropout is in it too")
    )  # fmt: skip
    return rows


if __name__ == "__main__":
    options = parser(__doc__, rounds=3)
    options.add_argument("--images", type=int, default=320)
    given = options.parse_args()
    show(measure(given.images, given.rounds), given.json)
