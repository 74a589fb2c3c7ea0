"""Exponential smoothing, as the book draws its curves."""

from collections.abc import Iterable, Sequence

BOOK_FACTOR = 0.8  # Deep Learning with Python, section 5.3
FACTOR_STEP = 0.05
HIGHEST_FACTOR = 0.95


def smooth(
    values: Sequence[float | None], factor: float = BOOK_FACTOR, starts: Iterable[int] = ()
) -> tuple[float | None, ...]:
    """Return an exponential average: factor * previous + (1 - factor) * value.

    The first value is unchanged, as in the book's `smooth_curve`; None stays None and is skipped.

    Args:
        values: one for each epoch.
        factor: from 0, which changes nothing, to below 1.
        starts: indices at which smoothing restarts, as at the border of two stages.

    Raises:
        ValueError: the factor is out of range.
    """
    if not 0 <= factor < 1:
        raise ValueError(f"a smoothing factor is from 0 to below 1; received {factor}")
    borders = frozenset(starts)
    smoothed: list[float | None] = []
    previous: float | None = None
    for index, value in enumerate(values):
        if index in borders:
            previous = None
        if value is None:
            smoothed.append(None)
            continue
        previous = value if previous is None else factor * previous + (1 - factor) * value
        smoothed.append(previous)
    return tuple(smoothed)
