"""Folds of cross-validation: labels in proportion, and no group of images on two sides.

Groups are dealt by what they hold, the largest first: each goes to the fold that has the fewest
images of the same labels, counted in shares of these labels (of all ways to place it, that which
raises the chi-squared distance from equal shares least), and of equal ones to the smallest fold.
Groups that hold the same are placed together, so the time is linear in the number of images.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from workbench.errors import UserError
from workbench.messages import tr

_DECIMALS = 9  # of shares that are compared, so that rounding makes none of equal ones smaller

Folds = list[np.ndarray]  # for each fold the images to test, int (m,), ascending


def stratified_folds(
    labels: np.ndarray, groups: np.ndarray | None, folds: int, repeats: int, seed: int
) -> list[Folds]:
    """Return the images to test of each fold, for each repeat.

    In each repeat every image is in exactly one fold. Without groups two folds differ by at most
    one image, in all and of each label.

    Args:
        labels: int (n,), from 0 on.
        groups: int (n,): images with the same number stay together; None: each is on its own.
        folds: fewer are made where there are not as many groups.
        repeats: how many times to split, each in another random order.
        seed: of the random orders.

    Raises:
        UserError: there are not two groups.
    """
    number = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    starts = np.append(0, np.cumsum(np.bincount(number)))
    if len(starts) < 3:
        raise UserError(
            tr("Cross-validation needs images of two groups at least, not {n}.", n=len(starts) - 1)
        )
    members = np.argsort(number, kind="stable")
    kinds = list(_kinds(labels[members], starts))
    made = []
    for repeat in range(repeats):
        rng = np.random.default_rng((seed, repeat))
        fold = _deal(kinds, np.bincount(labels), min(folds, len(starts) - 1), rng)[number]
        parts = (np.flatnonzero(fold == part) for part in range(folds))
        made.append([part for part in parts if len(part)])
    return made


_Kind = tuple[np.ndarray, np.ndarray, np.ndarray]  # labels, images of each; the groups


def _kinds(labels: np.ndarray, starts: np.ndarray) -> Iterator[_Kind]:
    """Yield the groups that hold the same numbers of images of the same labels, largest first.

    Args:
        labels: of the images, sorted by group.
        starts: of the groups among them, and their end.
    """
    found: dict[tuple[int, ...], list[int]] = {}
    values = labels.tolist()
    ends = starts.tolist()
    for group, (start, end) in enumerate(itertools.pairwise(ends)):
        found.setdefault(tuple(sorted(values[start:end])), []).append(group)
    for held, groups in sorted(found.items(), key=lambda kind: (-len(kind[0]), kind[0])):
        yield *np.unique(held, return_counts=True), np.array(groups)


def _deal(
    kinds: list[_Kind], totals: np.ndarray, folds: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the fold of each group, int (groups,).

    Args:
        kinds: see `_kinds`.
        totals: images of each label, int (labels,).
        folds: how many.
        rng: the source of the random order.
    """
    counts = np.zeros((folds, len(totals)), np.int64)  # images of each label in each fold
    sizes = np.zeros(folds, np.int64)
    fold = np.empty(sum(len(groups) for *_, groups in kinds), np.int64)
    for held, images, groups in kinds:
        shares = images / totals[held]
        start, step = counts[:, held] @ shares, images @ shares
        # A fold rises by `step` with each group it gets: the lowest places are taken.
        most = int((start.max() - start.min()) / step) + -(-len(groups) // folds) + 1
        heights = np.round(start[:, None] + step * np.arange(min(most, len(groups))), _DECIMALS)
        of_place = np.repeat(np.arange(folds), heights.shape[1])
        order = np.lexsort((rng.permutation(folds)[of_place], sizes[of_place], heights.ravel()))
        chosen = of_place[order[: len(groups)]]
        fold[rng.permutation(groups)] = chosen
        got = np.bincount(chosen, minlength=folds)
        counts[:, held] += got[:, None] * images
        sizes += got * images.sum()
    return fold
