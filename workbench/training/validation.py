"""What the predictions of a validation show: the monitored score, and which labels are confused."""

import math
from typing import Any

import numpy as np

from workbench.analysis.epoch_confusion import measure_confusion
from workbench.analysis.scores import measure_score
from workbench.experiment.metrics import VALIDATION
from workbench.training.backends import CALL_LENGTHS
from workbench.training.fused_steps import FusedSteps, StepResults
from workbench.training.pieces import Piece

PREDICTION_BYTES = 64 << 20  # of the probabilities of a call


class Predictions:
    """Collects the predictions of a pass over the validation images.

    Args:
        labels: of all rows of the pack.
        classes: number of labels.
        score: that the stage monitors, as in `experiment.metrics`; None needs the
            predicted labels alone.
        batch_size: images a step.
    """

    def __init__(
        self, labels: np.ndarray, classes: int, score: str | None, batch_size: int
    ) -> None:
        self._labels = labels
        self._classes = classes
        self._score = score
        self._true: list[np.ndarray] = []
        self._predicted: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        fitting = max(PREDICTION_BYTES // (4 * batch_size * classes), 1)
        self.most_steps = fitting if score else CALL_LENGTHS[-1]  # of a call

    def start(self, fused: FusedSteps, piece: Piece) -> StepResults:
        """Start the steps of a call."""
        return fused.evaluate(piece, predict=bool(self._score), classify=not self._score)

    def add(self, results: StepResults, piece: Piece) -> None:
        """Wait for the steps of a call and keep what they predicted."""
        self._true.append(self._labels[piece.rows.ravel()])
        if self._score:
            self._probabilities.append(results.probabilities)
        self._predicted.append(results.labels)

    def measure(self) -> dict[str, Any]:
        """Return `val_confusion` and the score by their names in `EpochFinished`.

        A score of probabilities that are not finite is NaN.
        """
        labels = np.concatenate(self._true)
        predicted = np.concatenate(self._predicted)
        found: dict[str, Any] = {
            "val_confusion": measure_confusion(labels, predicted, self._classes)
        }
        if self._score:
            value = measure_score(self._score, labels, np.concatenate(self._probabilities))
            found[f"{VALIDATION}{self._score}"] = math.nan if value is None else value
        return found
