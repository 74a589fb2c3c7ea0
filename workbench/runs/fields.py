"""Types of fields that were written by a run: what does not fit its type counts as unknown.

A log may have been written by another version, edited, or damaged; everything else in it is read.
The types are plain annotations: pydantic makes the schema of them, and the log is read without it,
which saves half of the start of a short command.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any


@dataclass(frozen=True, order=True)
class Position:
    """A position in the plan: stage from 0, epoch from 1, finished steps of that epoch."""

    stage: int
    epoch: int
    step: int = 0

    def __str__(self) -> str:
        return f"epoch {self.epoch}" + (f", step {self.step}" if self.step else "")


def number(value: Any) -> float | None:
    """Return a finite number as a float, else None."""
    if type(value) is float:  # nearly always
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond the largest float
        return None


def whole(value: Any) -> int | None:
    """Return an integer of at least 0, else None."""
    if type(value) is int:  # nearly always
        return value if value >= 0 else None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        return None
    return int(value)


def text(value: Any) -> str:
    """Return the value as text, "" for None."""
    if type(value) is str:  # nearly always
        return value
    return "" if value is None else str(value)


@dataclass(frozen=True)
class Reads:
    """How a field is read from a JSON value or from a number of NumPy."""

    read: Callable[[Any], Any]


def _required(value: Any) -> int:
    if (found := whole(value)) is None:
        raise ValueError("an integer of at least 0 is needed")
    return found


def _count(value: Any) -> int:
    return whole(value) or 0


def items(value: Any) -> list[Any]:
    """Return the items of a list; [] for anything else."""
    return list(value) if isinstance(value, list | tuple) else []


def _counts(value: Any) -> dict[str, int]:
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(name): whole(count) or 0 for name, count in items}


def _interval(value: Any) -> tuple[float, float] | None:
    ends = [number(end) for end in items(value)]
    low, high = ends if len(ends) == 2 else (None, None)
    return None if low is None or high is None else (low, high)


def each(read: Callable[[Any], Any]) -> Reads:
    """Read a list by its items; what is no list is empty."""
    return Reads(lambda value: tuple(map(read, items(value))))


Number = Annotated[float | None, Reads(number)]
Whole = Annotated[int | None, Reads(whole)]
Count = Annotated[int, Reads(_count)]
Required = Annotated[int, Reads(_required)]  # without it the event means nothing
Flag = Annotated[bool, Reads(lambda value: value is True)]
Text = Annotated[str, Reads(text)]
TextOrNone = Annotated[str | None, Reads(lambda value: None if value is None else text(value))]
Texts = Annotated[tuple[str, ...], each(text)]
Counts = Annotated[dict[str, int], Reads(_counts)]
Shape = Annotated[tuple[int, ...], each(_count)]
Numbers = Annotated[tuple[float | None, ...], each(number)]
Interval = Annotated[tuple[float, float] | None, Reads(_interval)]
