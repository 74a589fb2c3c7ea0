"""Images and labels for training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrainingData:
    """The pack and the labels of its N rows.

    Attributes:
        images: uint8 (N, height, width, channels), memory-mapped.
        labels: int64 (N,), index of the label.
        contents: uint64 (N,), hash of an image's content; part of augmentation seeds.
        rows: positions in the pack, int64, for "train", "validation" and "test".
        classes: number of labels.
    """

    images: np.ndarray
    labels: np.ndarray
    contents: np.ndarray
    rows: Mapping[str, np.ndarray]
    classes: int

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Return targets for the loss: float (n, 1) for a sigmoid, else int (n,)."""
        labels = self.labels[rows]
        return labels[:, None].astype(np.float32) if self.classes == 2 else labels

    def balanced_weights(self) -> np.ndarray:
        """Return float32 (N,): n / (classes * n_c) for an image of class c, over training images.

        The formula of scikit-learn's class_weight="balanced".
        """
        counts = np.bincount(self.labels[self.rows["train"]], minlength=self.classes)
        weights = counts.sum() / (self.classes * np.maximum(counts, 1))
        return weights[self.labels].astype(np.float32)
