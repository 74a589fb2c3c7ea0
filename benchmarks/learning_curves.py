"""Learning curves of halves of a folder: do their intervals hold the accuracy of all its images?

    python benchmarks/learning_curves.py --data DIR [--base NAME] [--weights FILE] [--halves N]
    python benchmarks/learning_curves.py --speed

The curve of a random half of the images is followed to twice as many, and compared with what is
measured with all of them. Features are those of `workbench analyze --learning-curve`.

--speed needs no images: seconds of the curve of 600, 2,000 and 5,000 images with made-up features,
and of the map of 25,000 and 50,000: at most twice as many, as part of it is the same for both.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from label_suspects import features_of

from workbench.analysis.feature_plane import feature_plane
from workbench.analysis.learning_curve import LearningCurve, fit_learning_curve
from workbench.training.learning_curve import measure_learning_curve
from workbench.training.solve import Examples

WIDTH = 1280  # of the features of EfficientNet-Lite0, the last block


def curve_of(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> LearningCurve:
    """Return the curve of some images."""
    examples = Examples([features], labels, int(labels.max()) + 1, np.ones(len(labels)))
    found = measure_learning_curve(examples, groups, 1, lambda done, total: None)
    return fit_learning_curve(found.images, found.right, found.groups)


def half_of(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return a random half of the images of each label."""
    order = np.random.default_rng(seed).permutation(len(labels))
    of_labels = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([images[: len(images) // 2] for images in of_labels]))


def report(folder: Path, base: str, weights: str, count: int) -> None:
    """Print what halves say of all images, and how often their interval held it."""
    with tempfile.TemporaryDirectory() as scratch:
        features, labels, groups = features_of(folder.absolute(), base, weights, Path(scratch))
    whole = curve_of(features, labels, groups).points[-1]
    print(f"{folder.name}: {whole.accuracy:.3f} with {whole.images:g} images a class")
    held, differences = 0, []
    for seed in range(count):
        half = half_of(labels, seed)
        curve = curve_of(features[half], labels[half], groups[half])
        last, ahead = curve.points[-1], curve.at(whole.images)
        held += ahead.low <= whole.accuracy <= ahead.high
        differences.append(ahead.accuracy - whole.accuracy)
        print(
            f"half {seed}: {last.accuracy:.3f} with {last.images:g}; expected with all "
            f"{ahead.accuracy:.3f} ({ahead.low:.3f} to {ahead.high:.3f})",
            flush=True,
        )
    mean, spread = 100 * np.mean(differences), 100 * np.std(differences)
    print(f"held by {held} of {count} intervals; off by {mean:+.1f} points, spread {spread:.1f}")


def speed() -> None:
    """Print seconds on made-up features."""
    rng = np.random.default_rng(0)
    for count in (600, 2000, 5000):
        labels = np.arange(count) % 5
        features = rng.standard_normal((count, WIDTH), np.float32) + labels[:, None] * 0.02
        started = time.perf_counter()
        curve_of(features, labels, np.arange(count))
        print(f"curve of {count:,} images: {time.perf_counter() - started:.1f} s", flush=True)
    for count in (25_000, 50_000):
        features = rng.standard_normal((count, WIDTH), np.float32)
        started = time.perf_counter()
        feature_plane(features, 1)
        print(f"map of {count:,} images: {time.perf_counter() - started:.1f} s", flush=True)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--data", type=Path, help="folder of images")
    options.add_argument("--base", default="efficientnet-lite0")
    options.add_argument("--weights", default="imagenet")
    options.add_argument("--halves", type=int, default=10)
    options.add_argument("--speed", action="store_true")
    given = options.parse_args()
    if given.speed:
        speed()
    elif given.data:
        report(given.data, given.base, given.weights, given.halves)
    else:
        options.error("--data DIR or --speed")


if __name__ == "__main__":
    main()
