"""Made-up results of lessons, for tests of their conclusions."""

from collections.abc import Mapping
from typing import Any

from workbench.lessons.lesson import LessonResults

IMAGES = 200


def right(share: float, images: int = IMAGES) -> str:
    """Return which of the images are correct: the first ones."""
    count = round(share * images)
    return "1" * count + "0" * (images - count)


def run(
    accuracy: float, train: float = 1.0, validation: float | None = None, **more: Any
) -> dict[str, Any]:
    """Return the metrics of a run; images are correct in the same order in all runs."""
    validation = accuracy if validation is None else validation
    return {
        "seed": 1,
        "images": IMAGES,
        "accuracy": accuracy,
        "train": train,
        "validation": validation,
        "epochs": [{"train": train, "validation": validation}] * 2,
        "epoch_seconds": [1.0, 1.0],
        "seconds": 3.0,
        "right": {
            "train": right(train),
            "validation": right(validation),
            "measured": right(accuracy),
        },
        **more,
    }


def moved_run(accuracy: float, moved: float) -> dict[str, Any]:
    """Return a run of `translation`: accuracy without and with a shift by 2 pixels."""
    made = run(accuracy)
    made["right"]["moved"] = right(moved).replace("1", "8")
    made["shifts"] = {
        "pixels": [0, 1, 2, 3, 4, 5, 6],
        "accuracy": [accuracy, accuracy, *[moved] * 5],
    }
    return made


def results(
    lesson: str,
    runs: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    weights: str = "",
) -> LessonResults:
    """Return results of a lesson: for each variant a run, or a list with one for each seed."""
    each = {name: tuple(r if isinstance(r, list) else [r]) for name, r in runs.items()}
    seeds = len(next(iter(each.values())))
    known = {name: {"parameters": 1000, "sizes": "8x8x1", "receptive_field": 3} for name in each}
    return LessonResults(
        lesson=lesson,
        data="digits",
        source="/somewhere/digits",
        seeds=tuple(range(1, seeds + 1)),
        images={"train": IMAGES, "validation": IMAGES, "test": IMAGES},
        weights=weights,
        seconds=12.0,
        made="2026-01-01T00:00:00+00:00",
        facts={**known, **(facts or {})},
        runs=each,
    )


def freezing(forgotten: float, compiled: float = 0.0, early: float = 0.0) -> dict[str, Any]:
    """Return runs of `recompile`: how far the layer moved in each variant."""
    moved = {
        "never frozen": 0.02,
        "frozen, compiled": compiled,
        "frozen, compile forgotten": forgotten,
        "thawed, compiled": 0.02,
        "thawed, compile forgotten": 0.0,
        "frozen before the first step": early,
    }
    return {name: {"seed": 1, "asked": "frozen", "moved": m} for name, m in moved.items()}


RINGS = {"even": [0.8, 1.0], "images": [0.1, 1.0]}
MOVED = {"block_16": 0.02, "head": 0.5}

# Runs of every lesson, as a worker might have measured them.
EXAMPLES: dict[str, dict[str, Any]] = {
    "translation": {"dense": moved_run(0.9, 0.4), "convnet": moved_run(0.9, 0.6)},
    "borders": {name: run(0.9, rings=RINGS) for name in ("valid", "same", "same, stride 2")},
    "pooling": {"pooling": run(0.9), "no pooling": run(0.8)},
    "overfitting": {"none": run(0.8), "dropout": run(0.9)},
    "how-much-data": {"10 a class": run(0.7), "20 a class": run(0.9)},
    "recompile": freezing(0.02),
    "two-ways": {"cached": run(0.9), "streamed": {**run(0.9), "seconds": 6.0}},
    "preprocessing": {"own": run(0.9), "1/255": run(0.8)},
    "head-first": {name: run(0.9, moved=MOVED) for name in ("head first", "at once")},
    "depth": {n: run(0.8) for n in ("head alone", "upper blocks", "lower blocks", "everything")},
}
