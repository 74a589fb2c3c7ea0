"""Labels in the order that the workbench asks for them, beside labels in random order.

    python benchmarks/labelling.py --data DIR [--data DIR ...] [--base NAME] [--weights FILE]
    python benchmarks/labelling.py --speed

Of every folder 60 images have a label at first, a quarter of the others is held out, and the rest
is asked about in batches of 10, answered with their labels. Printed is the accuracy on the images
held out after 20, 50 and 100 answers: the mean over the seeds, and its difference from random order
with its standard error. All orders start with the same images and the same head, in one process.

--speed needs no images: seconds of one ranking among 25,000 and 50,000 images with made-up
features, which should be twice as many.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from label_suspects import features_of

from workbench.datasets.manifest import ImageRecord
from workbench.worker import labelling as job

FIRST, BATCH, SHOWN = 60, 10, (0, 20, 50, 100)
ORDERS = ("asked", "random")
WIDTH = 1280


def silent(phase: str, done: int, total: int) -> None:
    pass


def accuracies(features: np.ndarray, labels: np.ndarray, seed: int, order: str) -> list[float]:
    """Return the accuracy on images held out after each of `SHOWN` answers."""
    rng = np.random.default_rng(seed)
    images = rng.permutation(len(labels))
    known, rest = list(images[:FIRST]), images[FIRST:]
    held, pool = rest[: len(rest) // 4], rest[len(rest) // 4 :]
    rows = [ImageRecord(str(at), str(labels[at]), "train", pixel_hash=str(at)) for at in known]
    found = []
    for answers in range(0, SHOWN[-1] + 1, BATCH):
        given = job.KnownImages(
            features[known], [str(labels[at]) for at in known], [""] * len(known), FIRST
        )
        head = job.solve_head(given, rows, silent)
        if answers in SHOWN:
            best = head.probabilities(features, held).argmax(axis=1)
            right = [head.classes[at] == str(labels[i]) for at, i in zip(best, held, strict=True)]
            found.append(float(np.mean(right)))
        if order == "random":
            chosen = list(pool[:BATCH])
        else:
            chosen = job.choose(head, features, pool, given, BATCH, silent)
        known += chosen
        pool = pool[~np.isin(pool, chosen)]
    return found


def report(given: argparse.Namespace) -> None:
    seeds = range(1, given.seeds + 1)
    print(f"accuracy on images held out, mean of {given.seeds} seeds")
    with tempfile.TemporaryDirectory() as workspace:
        for folder in given.data:
            features, labels, _ = features_of(folder, given.base, given.weights, Path(workspace))
            found = {
                order: np.array([accuracies(features, labels, seed, order) for seed in seeds])
                for order in ORDERS
            }
            print(f"\n{folder.name}   answers " + "".join(f"{n:>9}" for n in SHOWN))
            for order, values in found.items():
                print(f"{order:>22}" + "".join(f"{value:9.3f}" for value in values.mean(axis=0)))
            gain = found["asked"] - found["random"]
            error = gain.std(axis=0, ddof=1) / np.sqrt(len(gain))
            print(f"{'difference':>22}" + "".join(f"{value:+9.3f}" for value in gain.mean(axis=0)))
            print(
                f"{'standard error':>22}" + "".join(f"{value:9.3f}" for value in error), flush=True
            )


def speed() -> None:
    rng = np.random.default_rng(1)
    labels = [str(at % 10) for at in range(1000)]
    rows = [
        ImageRecord(str(n), label, "train", pixel_hash=str(n)) for n, label in enumerate(labels)
    ]
    known = job.KnownImages(rng.normal(size=(1000, WIDTH)).astype(np.float32), labels, labels, 1000)
    features = rng.normal(size=(50_000, WIDTH)).astype(np.float32)
    for count in (25_000, 50_000):
        started = time.monotonic()
        head = job.solve_head(known, rows, silent)
        solved = time.monotonic()
        job.choose(head, features, np.arange(count), known, 2 * BATCH, silent)
        ended = time.monotonic()
        print(f"{count:,} images: head {solved - started:.1f} s, ranking {ended - solved:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--base", default="efficientnet-lite0")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    if given.speed:
        speed()
    if given.data:
        report(given)


if __name__ == "__main__":
    main()
