"""Images and labels for training, and the order of images in an epoch.

The order is a function of seed and position (see `experiment.seeds`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workbench.experiment.seeds import fold_seed

# For shuffling in blocks: neighbours on the disk that are read together, and images that are
# shuffled with each other once read.
BLOCK = 16
WINDOW = 64 * BLOCK


@dataclass(frozen=True)
class TrainingData:
    """The pack and the labels of its N rows.

    Attributes:
        images: uint8 (N, height, width, channels), memory-mapped.
        labels: int64 (N,), index of the label.
        contents: uint64 (N,), hash of an image's content; part of augmentation seeds.
        rows: positions in the pack, int64, for "train", "validation" and "test".
        classes: number of labels.
        groups: int64 (N,): images with the same number show the same and stay together in
            cross-validation; None: each is on its own.
    """

    images: np.ndarray
    labels: np.ndarray
    contents: np.ndarray
    rows: Mapping[str, np.ndarray]
    classes: int
    groups: np.ndarray | None = None

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


def epoch_order(
    count: int,
    seed: int,
    stage: int,
    epoch: int,
    steps: int | None,
    batch_size: int,
    shuffle: str = "images",
) -> np.ndarray:
    """Return the images of an epoch in order: a function of seed, stage and epoch.

    Args:
        count: number of images, at least 1.
        seed: of the run.
        stage: index of the stage.
        epoch: from 1.
        steps: steps of the epoch; images are shuffled again whenever all were visited, until the
            steps are full. None: each image once, the last batch may be smaller.
        batch_size: images a step.
        shuffle: "images" in any order; "blocks": first blocks of 16 neighbours, then images within
            windows of 1,024, so that a disk reads in stretches.

    Returns:
        int64 positions in 0 .. count - 1, steps * batch_size of them, or count.

    Raises:
        ValueError: there are no images.
    """
    if count < 1:
        raise ValueError(f"an epoch needs images; received count={count}")
    length = count if steps is None else steps * batch_size
    permutation = _block_permutation if shuffle == "blocks" else _permutation
    passes = [
        permutation(count, fold_seed(seed, stage, epoch, number))
        for number in range(math.ceil(length / count))
    ]
    return np.concatenate(passes)[:length]


def epoch_views(count: int, epoch: int, length: int) -> np.ndarray:
    """Return the view of each image in an epoch's order, from 1 on: int64 (length,).

    It is the epoch itself if that visits each image once; else every pass over the images is a view
    of its own, so that an image that comes twice in an epoch is augmented differently.
    """
    passes = math.ceil(length / count)
    return (epoch - 1) * passes + 1 + np.arange(length) // count


def _block_permutation(count: int, seed: int) -> np.ndarray:
    blocks = math.ceil(count / BLOCK)
    keys = np.random.PCG64(seed).random_raw(blocks + count)
    images = np.arange(count)
    shuffled = np.argsort(keys[:blocks][images // BLOCK], kind="stable")
    return shuffled[np.lexsort((keys[blocks:], images // WINDOW))]


def _permutation(count: int, seed: int) -> np.ndarray:
    # NumPy guarantees only the raw bits to be the same in every version.
    keys = np.random.PCG64(seed).random_raw(count)
    return np.argsort(keys, kind="stable")
