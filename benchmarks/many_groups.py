"""Groups of 50,000 images: what finding, splitting and folding cost, beside a quarter of them.

Each step is timed on 12,500 images and on 50,000 in turns, and the best of three counts: linear
steps take four times as long.

    python benchmarks/many_groups.py
"""

import time
from collections.abc import Callable

import numpy as np

from workbench.analysis.folds import stratified_folds
from workbench.datasets.duplicates import NearPairs, number_groups
from workbench.datasets.groups import match_groups
from workbench.datasets.likely_groups import suggest_groups
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.split import assign
from workbench.experiment.sections import SplitSpec

FEW, MANY, ROUNDS = 12_500, 50_000, 3
PATTERN = r"(?P<group>[^/]*\d)[_.-][A-Za-z]*[_.-]?\d*\.\w+$"


def records(count: int) -> list[ScanRecord]:
    """Return images in groups of seven, the labels mixed in them."""
    return [
        ScanRecord(
            f"{'abcde'[n % 5]}/patient_{n // 7:05}_{n % 7}.png",
            "abcde"[n % 5],
            None,
            pixel_hash=f"{n:032x}",
            group=f"patient_{n // 7:05}",
        )
        for n in range(count)
    ]


def fold(images: list[ScanRecord]) -> None:
    """Divide the images into folds, as a linear probe does."""
    labels = np.array(["abcde".index(one.label) for one in images])
    stratified_folds(labels, np.array(number_groups(images)), 5, 1, 1)


STEPS: dict[str, Callable[[list[ScanRecord]], object]] = {
    "match a pattern": lambda images: match_groups([one.path for one in images], PATTERN),
    "suggest from names": suggest_groups,
    "split": lambda images: assign(images, SplitSpec(), NearPairs(())),
    "fold": fold,
}


def seconds(step: Callable[[list[ScanRecord]], object], images: list[ScanRecord]) -> float:
    """Return how long a step takes."""
    started = time.perf_counter()
    step(images)
    return time.perf_counter() - started


def main() -> None:
    """Print the seconds of each step, and the ratio."""
    few, many = records(FEW), records(MANY)
    for name, step in STEPS.items():
        times = [(seconds(step, few), seconds(step, many)) for _ in range(ROUNDS)]
        least, most = (min(taken) for taken in zip(*times, strict=True))
        print(f"{name:<20} {FEW:,}: {least:.2f} s   {MANY:,}: {most:.2f} s   x {most / least:.1f}")


if __name__ == "__main__":
    main()
