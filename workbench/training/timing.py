"""How long an epoch's steps take, and how much of that was compiling."""

import time
from types import TracebackType

MIN_STEPS = 3  # fewer do not show which of them compiled
OUTLIER = 5.0  # times the usual duration: only compiling takes so long


class Stopwatch:
    """Seconds of each `with` block."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds.append(time.perf_counter() - self._started)


class StepTimes:
    """The steps of an epoch, training and validation separately."""

    def __init__(self) -> None:
        self.training = Stopwatch()
        self.validation = Stopwatch()

    @property
    def has_enough_steps(self) -> bool:
        """True if there were enough steps of each kind to separate compiling from work."""
        counts = len(self.training.seconds), len(self.validation.seconds)
        return counts[0] >= MIN_STEPS and (counts[1] == 0 or counts[1] >= MIN_STEPS)

    @property
    def compile_seconds(self) -> float:
        """Seconds beyond the usual of steps that took many times as long.

        The first step compiles, and so does the first of another size, at an epoch's end.
        """
        return compile_seconds(self.training.seconds) + compile_seconds(self.validation.seconds)


def compile_seconds(steps: list[float]) -> float:
    """Return the seconds of compiling in the durations of steps; 0 for too few steps."""
    if len(steps) < 2:
        return 0.0
    usual = sorted(steps)[(len(steps) - 1) // 3]  # two of three may compile
    return sum(taken - usual for taken in steps if taken > OUTLIER * usual)
