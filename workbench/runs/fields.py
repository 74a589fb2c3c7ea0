"""Types of fields that were written by a run: what does not fit its type counts as unknown.

A log may have been written by another version, edited, or damaged; everything else in it is read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator


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
    if isinstance(value, bool) or not isinstance(value, int | float | Real):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond the largest float
        return None


def whole(value: Any) -> int | None:
    """Return an integer of at least 0, else None."""
    if isinstance(value, bool) or not isinstance(value, int | Integral) or value < 0:
        return None
    return int(value)


def text(value: Any) -> str:
    """Return the value as text, "" for None."""
    return "" if value is None else str(value)


def spec_table(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of a spec that was read unchecked; {} if missing."""
    table = spec.get(name)
    return table if isinstance(table, Mapping) else {}


def _required(value: Any) -> int:
    if (found := whole(value)) is None:
        raise ValueError("an integer of at least 0 is needed")
    return found


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _table(value: Any) -> Any:
    return None if value is None or isinstance(value, str | int | float | list) else value


def _counts(value: Any) -> dict[str, int]:
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(name): whole(count) or 0 for name, count in items}


def _interval(value: Any) -> tuple[float, float] | None:
    ends = [number(end) for end in _items(value)]
    low, high = ends if len(ends) == 2 else (None, None)
    return None if low is None or high is None else (low, high)


def _of(read: Any, schema: Any) -> PlainValidator:
    return PlainValidator(read, json_schema_input_type=schema)


Number = Annotated[float | None, _of(number, float | None)]
Whole = Annotated[int | None, _of(whole, int | None)]
Count = Annotated[int, _of(lambda value: whole(value) or 0, int)]
Required = Annotated[int, _of(_required, int)]  # without it the event means nothing
Flag = Annotated[bool, _of(lambda value: value is True, bool)]
Text = Annotated[str, _of(text, str)]
TextOrNone = Annotated[
    str | None, _of(lambda value: None if value is None else str(value), str | None)
]
Texts = Annotated[tuple[str, ...], _of(lambda value: tuple(map(text, _items(value))), list[str])]
Counts = Annotated[dict[str, int], _of(_counts, dict[str, int])]
Shape = Annotated[
    tuple[int, ...], _of(lambda value: tuple(whole(side) or 0 for side in _items(value)), list[int])
]
Numbers = Annotated[
    tuple[float | None, ...],
    _of(lambda value: tuple(map(number, _items(value))), list[float | None]),
]
Interval = Annotated[tuple[float, float] | None, _of(_interval, tuple[float, float] | None)]
IfTable = BeforeValidator(_table)  # for a part with fields of its own
Tables = BeforeValidator(lambda value: [item for item in _items(value) if _table(item) is not None])
