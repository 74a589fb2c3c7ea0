"""How long an epoch's steps take, and how much of that was compiling."""

import time
from types import TracebackType

LEAST_STEPS = 3  # fewer cannot tell which of them compiled
OUTLIER = 5.0  # times what is usual: only compiling takes so long


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
    """The steps of an epoch, training and validation each by themselves."""

    def __init__(self) -> None:
        self.training = Stopwatch()
        self.validation = Stopwatch()

    @property
    def telling(self) -> bool:
        """True where there were steps enough of each kind to tell compiling from work."""
        counts = len(self.training.seconds), len(self.validation.seconds)
        return counts[0] >= LEAST_STEPS and (counts[1] == 0 or counts[1] >= LEAST_STEPS)

    @property
    def compiling(self) -> float:
        """Seconds beyond the usual of the steps that took many times as long.

        The first step compiles, and so does the first of another size, at an epoch's end.
        """
        return compile_seconds(self.training.seconds) + compile_seconds(self.validation.seconds)


def compile_seconds(steps: list[float]) -> float:
    """Of steps in seconds; 0 where they are too few to tell."""
    if len(steps) < 2:
        return 0.0
    usual = sorted(steps)[(len(steps) - 1) // 3]  # two of three may compile
    return sum(taken - usual for taken in steps if taken > OUTLIER * usual)
