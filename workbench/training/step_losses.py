"""The losses of an epoch's steps, and how they spread. Plain values: nothing here needs keras."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from workbench.runs.events import StepSpread

MAX_KEPT = 1024  # of more steps every second one is kept, then every fourth, and so on
MIN_STEPS = 5  # fewer have no tenth part
PERCENTILES = (10, 50, 90)


@dataclass
class StepLosses:
    """Losses of the steps of an epoch so far, those that are kept evenly spread over them.

    Which are kept depends on the number of steps alone, so that an epoch that was cut into
    sessions has the same ones.

    Attributes:
        values: of the steps kept.
        every: distance between two of these.
        steps: so far.
    """

    values: list[float] = field(default_factory=list)
    every: int = 1
    steps: int = 0

    def add(self, loss: float) -> None:
        """Add the mean loss of the next step's batch."""
        if self.steps % self.every == 0:
            self.values.append(loss)
            if len(self.values) > MAX_KEPT:
                self.values = self.values[::2]
                self.every *= 2
        self.steps += 1

    def spread(self) -> StepSpread | None:
        """Return percentiles, None for too few steps."""
        if self.steps < MIN_STEPS:
            return None
        low, median, high = (float(one) for one in np.percentile(self.values, PERCENTILES))
        return StepSpread(low=low, median=median, high=high)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {"values": self.values, "every": self.every, "steps": self.steps}

    @classmethod
    def read(cls, saved: dict[str, Any] | None) -> Self | None:
        """Return those of a checkpoint; None for one that has none, as older ones."""
        return None if saved is None else cls(**saved)
