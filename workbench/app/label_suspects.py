"""Label suspects of a run: a worker predicts all its images out of fold; what that found."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.analysis.errors import PredictionTable, read_predictions
from workbench.analysis.significance import accuracy_interval
from workbench.analysis.suspects import (
    Suspect,
    WrongLabels,
    confident_joint,
    list_suspects,
    wrong_labels,
)
from workbench.app.jobs import JobEvent, JobHandle, report_progress, run_job
from workbench.bases.weights import RANDOM
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import RunFolder
from workbench.text import safe_text

FOLDS, REPEATS = 5, 5  # five repeats find a little more wrong labels than one


@dataclass(frozen=True)
class Neighbour:
    """An image near another, and the cosine of their features."""

    path: str
    similarity: float


@dataclass(frozen=True)
class SuspectReport:
    """All images of a run, predicted by classifiers on features that were fitted without them.

    Attributes:
        predictions: of every image, by classifiers to which doubted labels count less.
        accuracy: over all images, of classifiers to which all images count alike.
        folds, repeats: of cross-validation.
        groups: of images that were kept on one side; as many as images where all differ.
        base: name of the pretrained network.
        random_weights: whether its weights are random; such features say little.
        seconds: that it took.
        neighbours: of the first suspects, by path; the nearest first.
        points: where each image lies on a map, float (n, 2); None in reports of earlier versions.
    """

    predictions: PredictionTable
    accuracy: float
    folds: int
    repeats: int
    groups: int
    base: str
    random_weights: bool
    seconds: float
    neighbours: dict[str, tuple[Neighbour, ...]]
    points: np.ndarray | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy."""
        return accuracy_interval(self.accuracy, len(self.predictions.paths))

    @cached_property
    def suspects(self) -> list[Suspect]:
        """All images, the most suspicious first."""
        return list_suspects(self.predictions)

    @cached_property
    def wrong(self) -> list[WrongLabels]:
        """The pairs label -> class that are estimated to be confused, the most images first."""
        found = self.predictions
        return wrong_labels(found.names, confident_joint(found.labels, found.probabilities))

    @property
    def labels(self) -> dict[str, str]:
        """The label of each image by its path."""
        found = self.predictions
        return {path: found.names[i] for path, i in zip(found.paths, found.labels, strict=True)}


def find_suspects(
    workspace: Workspace,
    run: RunFolder,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    progress: Progress = silent,
    on_event: Callable[[JobEvent], None] = lambda event: None,
    handle: JobHandle | None = None,
) -> SuspectReport:
    """Let a worker predict all images of a run out of fold; return what it found.

    Features that were computed before are not computed again.

    Args:
        workspace: of the run.
        run: one whose images were prepared; it need not be finished.
        folds: of cross-validation, at least 2.
        repeats: of cross-validation, in other random orders.
        progress: called while the worker runs.
        on_event: called for every event but progress, such as a notice.
        handle: cancels the worker.

    Raises:
        UserError: the run has no images yet, or the worker failed.
    """
    request = {"folds": folds, "repeats": repeats}
    run_on_images("folds", workspace, run, request, progress, on_event, handle)
    return read_suspects(run)


def run_on_images(
    job: str,
    workspace: Workspace,
    run: RunFolder,
    request: dict[str, Any],
    progress: Progress,
    on_event: Callable[[JobEvent], None],
    handle: JobHandle | None,
) -> dict[str, Any]:
    """Run a job of a worker on all images of a run; return its result.

    The request needs neither run nor workspace; for other arguments and errors see `find_suspects`.
    """
    require_images(run)
    request = {"run": str(run.path), "workspace": str(workspace.root), **request}
    on_start = (handle or JobHandle()).attach
    return run_job(job, request, report_progress(progress, on_event), on_start=on_start)


def require_images(run: RunFolder) -> None:
    """Refuse a run without a manifest.

    Raises:
        UserError: its data was not prepared.
    """
    if not run.manifest_path.exists():
        raise UserError(
            tr("{run} has no images yet: its data was not prepared.", run=safe_text(run.name)),
            tr("Continue it: workbench resume {run}", run=safe_text(run.name)),
        )


@contextmanager
def reading_report(path: Path, missing: str, remedy: str) -> Iterator[dict[str, Any]]:
    """Give the values of a report; errors within become one for people.

    Args:
        path: of the JSON file.
        missing: said if there is none.
        remedy: how to make it.

    Raises:
        UserError: the file cannot be read, is of another format, or what is built of it fails.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != 1:
            raise ValueError("another format")
        yield values
    except OSError:
        raise UserError(missing, remedy) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(tr("{path} is damaged.", path=safe_text(path)), remedy) from error


def read_suspects(run: RunFolder) -> SuspectReport:
    """Read what `find_suspects` found last.

    Raises:
        UserError: nothing yet, or a file cannot be read or is damaged.
    """
    path = run.folds_report_path
    remedy = tr("Predict them: workbench analyze {run} --folds 5", run=safe_text(run.name))
    missing = tr("There are no out-of-fold predictions yet.")
    with reading_report(path, missing, remedy) as values:
        near = {
            str(image): tuple(Neighbour(str(other), float(value)) for other, value in others)
            for image, others in values["neighbours"].items()
        }
        report = SuspectReport(
            read_predictions(run.folds_path),
            float(values["accuracy"]),
            int(values["folds"]),
            int(values["repeats"]),
            int(values["groups"]),
            str(values["base"]),
            values["weights"] == RANDOM,
            float(values["seconds"]),
            near,
            np.array(values["points"], float) if "points" in values else None,
        )
        points, images = report.points, len(report.predictions.paths)
        if points is not None and (points.shape != (images, 2) or not np.isfinite(points).all()):
            raise ValueError("the points")
        if not 0 <= report.accuracy <= 1:
            raise ValueError("the accuracy")
    return report
