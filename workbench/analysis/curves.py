"""The curves of a run, and smoothing. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Values = tuple[float | None, ...]

BOOK_FACTOR = 0.8  # Deep Learning with Python, section 5.3
FACTOR_STEP = 0.05
HIGHEST_FACTOR = 0.95


@dataclass(frozen=True)
class TrainingCurves:
    """Metrics of all finished epochs, one value each; None where there is none.

    Attributes:
        stage_starts: index of each stage's first epoch; the last is that of the newest stage.
        first_epoch: number of the newest stage's first epoch: 0 is what it begins with, if rated.
        best: index of the newest stage's best epoch by `monitor`; None without validation.
        val_score: the monitored metric if it is neither loss nor accuracy; else ().
        patience: epochs without improvement after which the stage ends; 0: never.
        planned: epochs of the newest stage; 0 if unknown.
        classes: 0 if unknown.
        validation_images: 0 if unknown.
        pretrained: True with a pretrained base below the head.
        augmented: True if training images are augmented in every epoch.
        working: True while the run may continue by itself.
    """

    loss: Values
    accuracy: Values
    val_loss: Values
    val_accuracy: Values
    stage_starts: tuple[int, ...] = (0,)
    first_epoch: int = 1
    best: int | None = None
    monitor: str = "val_loss"
    patience: int = 0
    planned: int = 0
    classes: int = 0
    validation_images: int = 0
    pretrained: bool = False
    augmented: bool = False
    working: bool = True
    val_score: Values = ()

    @property
    def start(self) -> int:
        """Index of the newest stage's first epoch."""
        return self.stage_starts[-1] if self.stage_starts else 0

    @property
    def epochs(self) -> int:
        """Finished epochs of the newest stage."""
        return len(self.loss) - self.start

    def stage(self, values: Values) -> Values:
        """Return the newest stage's part of the values."""
        return values[self.start :]

    def number(self, index: int) -> int:
        """Return an epoch's number in its stage."""
        return index - self.start + self.first_epoch


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
