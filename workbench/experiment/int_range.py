"""Ranges of whole numbers that the command line and the app share."""

from dataclasses import dataclass

from workbench.errors import UserError
from workbench.messages import tr


@dataclass(frozen=True)
class IntRange:
    """From `min` to `max`, both allowed."""

    min: int
    default: int
    max: int

    def read(self, typed: str) -> int:
        """Return the typed number.

        Raises:
            UserError: it is not a whole number, or out of range.
        """
        try:
            number = int(typed.replace(",", ""))
        except ValueError:
            number = self.min - 1
        if self.min <= number <= self.max:
            return number
        raise UserError(
            tr(
                "{typed!r}: give a whole number from {min:,} to {max:,}.",
                typed=typed,
                min=self.min,
                max=self.max,
            )
        )


LR_FIND_STEPS = IntRange(30, 100, 10_000)
TUNE_TRIALS = IntRange(2, 20, 500)
GPU_SHARE = IntRange(1, 1, 16)  # runs on one device at the same time
