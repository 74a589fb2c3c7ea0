"""The job `learning-curve`: accuracy over training images, and what more of each class would bring.

As in the job `folds`, linear classifiers of features are fitted; these are kept with the data.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from workbench.analysis.learning_curve import class_worths, fit_learning_curve
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.worker.folds import SEED, run_features
from workbench.worker.jobs import JobEvents, Request


def measure_curve(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job; it writes `learning-curve.json` into the folder of the run.

    Request: run (its folder), workspace. Result: empty, the file has it.

    Raises:
        UserError: as `run_features`, or there are too few images.
    """
    started = time.monotonic()
    of_run = run_features(request, events)
    from workbench.training.learning_curve import measure_learning_curve
    from workbench.training.solve import Examples, on_one_thread

    data, names = of_run.data, of_run.prepared.labels
    everything = len(data.labels)
    examples = Examples([of_run.features], data.labels, data.classes, np.ones(everything))
    with on_one_thread(examples):
        found = measure_learning_curve(
            examples,
            of_run.groups,
            SEED,
            lambda done, total: events(tr("learning curve"), done, total),
        )
    if len(found.images) < 2:
        raise UserError(
            tr("The labels have too few images for a learning curve."),
            tr("It needs labels with about ten images and more."),
        )
    curve = fit_learning_curve(found.images, found.right, found.groups)
    measured = {names[label]: of_class for label, of_class in found.classes.items()}
    report = {
        "format": 1,
        **of_run.base,
        "images": everything,
        "used": len(found.groups),
        "classes": data.classes,
        "seconds": time.monotonic() - started,
        "points": [asdict(point) for point in curve.points],
        "curves": curve.curves.tolist(),
        "worths": [asdict(worth) for worth in class_worths(measured, found.groups)],
    }
    path = RunFolder(Path(request["run"])).learning_curve_path
    write_atomic(path, json.dumps(report, indent=1))
    return {}
