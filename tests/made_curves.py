"""Learning curves and maps as if a worker had written them into the folder of a run."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from workbench.analysis.learning_curve import class_worths, fit_learning_curve
from workbench.runs.folder import RunFolder

SIZES = (12, 24, 48, 96)
STEEP, LEVEL = (0.6, 0.7, 0.75, 0.8), (0.8, 0.8, 0.8, 0.8)


def right(shares: Sequence[float]) -> np.ndarray:
    """Of 1,000 images the first ones, as many as these shares, are predicted rightly."""
    images = np.arange(1000)
    return np.array([images < share * len(images) for share in shares], float)


def write_curve(run: RunFolder, **changes: Any) -> None:
    """A curve of two classes: more images of cats bring something, of dogs nothing."""
    curve = fit_learning_curve(SIZES, right(STEEP))
    worths = class_worths({"cat": (SIZES, right(STEEP)), "dog": (SIZES, right(LEVEL))})
    report = {
        "format": 1, "base": "efficientnet-lite0", "weights": "imagenet", "own_base": True,
        "images": 240, "used": 240, "classes": 2, "seconds": 7.5,
        "points": [asdict(point) for point in curve.points],
        "curves": curve.curves.tolist(),
        "worths": [asdict(worth) for worth in worths],
    }  # fmt: skip
    run.learning_curve_path.write_text(json.dumps({**report, **changes}))


def write_folds(
    run: RunFolder,
    images: Sequence[tuple[str, str, float]],
    labels: Sequence[str],
    points: Sequence[tuple[float, float]] | None,
) -> None:
    """Predictions out of fold of two labels.

    Args:
        run: gets them.
        images: path, label, and the probability of the second label.
        labels: the two.
        points: where the images lie; None as before there was a map.
    """
    lines = ["path,label,predicted," + ",".join(labels)]
    for path, label, share in images:
        lines.append(f"{path},{label},{labels[share >= 0.5]},{1 - share:.6f},{share:.6f}")
    run.folds_path.write_text("\n".join(lines) + "\n")
    report = {
        "format": 1, "folds": 5, "repeats": 5, "groups": len(images), "penalty": 0.1,
        "base": "efficientnet-lite0", "weights": "imagenet", "own_base": True, "features": 1280,
        "accuracy": 0.9, "seconds": 3.0, "neighbours": {},
    }  # fmt: skip
    run.folds_report_path.write_text(
        json.dumps(report if points is None else {**report, "points": points})
    )
