"""The learning curve of a run: a worker measures it on features; what that found."""

import math
from collections.abc import Callable

import numpy as np

from workbench.analysis.learning_curve import (
    ClassWorth,
    CurvePoint,
    CurveReport,
    LearningCurve,
)
from workbench.app.jobs import JobEvent, JobHandle
from workbench.app.label_suspects import reading_report, run_on_images
from workbench.bases.weights import RANDOM
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import RunFolder
from workbench.text import safe_text


def measure_curve(
    workspace: Workspace,
    run: RunFolder,
    progress: Progress = silent,
    on_event: Callable[[JobEvent], None] = lambda event: None,
    handle: JobHandle | None = None,
) -> CurveReport:
    """Let a worker measure the learning curve on all images of a run; return what it found.

    Arguments and errors are those of `find_suspects`.
    """
    run_on_images("learning-curve", workspace, run, {}, progress, on_event, handle)
    return read_curve(run)


def read_curve(run: RunFolder) -> CurveReport:
    """Read what `measure_curve` found last.

    Raises:
        UserError: nothing yet, or the file cannot be read or is damaged.
    """
    path = run.learning_curve_path
    remedy = tr("Measure it: workbench analyze {run} --learning-curve", run=safe_text(run.name))
    missing = tr("The learning curve was not measured yet.")
    with reading_report(path, missing, remedy) as values:
        points = tuple(
            CurvePoint(*(float(one[key]) for key in ("images", "accuracy", "low", "high")))
            for one in values["points"]
        )
        curves = np.array(values["curves"], float)
        worths = tuple(
            ClassWorth(
                str(one["label"]),
                int(one["images"]),
                int(one["more"]),
                *(float(one[key]) for key in ("gain", "low", "high")),
            )
            for one in values["worths"]
        )
        report = CurveReport(
            LearningCurve(points, curves),
            worths,
            int(values["images"]),
            int(values["used"]),
            int(values["classes"]),
            str(values["base"]),
            values["weights"] == RANDOM,
            bool(values["own_base"]),
            float(values["seconds"]),
        )
        sizes = [point.images for point in points]
        if curves.shape[1:] != (3,) or not np.isfinite(curves).all():
            raise ValueError("the curves")
        if len(sizes) < 2 or not all(map(math.isfinite, sizes)) or sizes != sorted({*sizes}):
            raise ValueError("the numbers of images")
        if sizes[0] <= 0 or not all(0 <= point.accuracy <= 1 for point in points):
            raise ValueError("the points")
    return report
