"""The order of images in an epoch: a function of a seed and a place (see `experiment.seeds`)."""

import math

import numpy as np

from workbench.experiment.seeds import fold_seed


def epoch_order(
    count: int, seed: int, stage: int, epoch: int, steps: int | None, batch_size: int
) -> np.ndarray:
    """The images that an epoch visits, in order: a function of seed, stage and epoch.

    Args:
        count: images there are, at least 1.
        steps: steps of the epoch; images are shuffled anew whenever all were visited, until the
            steps are full. None: each image once, the last batch may be smaller.

    Returns:
        int64 positions in 0 .. count - 1, steps * batch_size of them, or count.

    Raises:
        ValueError: there are no images.
    """
    if count < 1:
        raise ValueError(f"an epoch needs images; received count={count}")
    length = count if steps is None else steps * batch_size
    passes = [
        _permutation(count, fold_seed(seed, stage, epoch, number))
        for number in range(math.ceil(length / count))
    ]
    return np.concatenate(passes)[:length]


def epoch_views(count: int, epoch: int, length: int) -> np.ndarray:
    """Which look at its image each place of an epoch's order is, from 1 on: int64 (length,).

    The epoch itself where it visits each image once; else every pass over the images is a look of
    its own, so that an image that comes twice in an epoch is augmented twice.
    """
    passes = math.ceil(length / count)
    return (epoch - 1) * passes + 1 + np.arange(length) // count


def _permutation(count: int, seed: int) -> np.ndarray:
    # Raw bits are the only stream that NumPy promises to keep the same in every version.
    keys = np.random.PCG64(seed).random_raw(count)
    return np.argsort(keys, kind="stable")
