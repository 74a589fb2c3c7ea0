"""Types of fields that were written by a run: what does not fit its type counts as unknown.

A log may have been written by another version, edited, or damaged; everything else in it is read.
Lines are read without a call of Python per field (`_Lenient`): a log may hold a million of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, PlainValidator
from pydantic_core import CoreSchema, core_schema


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


@dataclass(frozen=True)
class _Lenient:
    """A field of a line of JSON by a schema, of a Python object by a function.

    Attributes:
        schema: of JSON; what does not fit becomes the default.
        read: returns the field from any object.
        default: of a field that does not fit.
    """

    schema: CoreSchema
    read: Callable[[Any], Any]
    default: Any

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.json_or_python_schema(
            core_schema.with_default_schema(self.schema, default=self.default, on_error="default"),
            core_schema.no_info_plain_validator_function(self.read),
        )


@dataclass(frozen=True)
class _LenientParts:
    """Parts with fields of their own, by the type that it annotates.

    Attributes:
        read: prepares a Python object for that type.
        default: of parts that do not fit.
    """

    read: Callable[[Any], Any]
    default: Any

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        parts = handler(source)
        return core_schema.json_or_python_schema(
            core_schema.with_default_schema(parts, default=self.default, on_error="default"),
            core_schema.no_info_before_validator_function(self.read, parts),
        )


def _required(value: Any) -> int:
    if (found := whole(value)) is None:
        raise ValueError("an integer of at least 0 is needed")
    return found


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _table(value: Any) -> Any:
    return None if value is None or isinstance(value, str | int | float | list) else value


def _tables(value: Any) -> list[Any]:
    return [item for item in _items(value) if _table(item) is not None]


def _counts(value: Any) -> dict[str, int]:
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(name): whole(count) or 0 for name, count in items}


def _interval(value: Any) -> tuple[float, float] | None:
    ends = [number(end) for end in _items(value)]
    low, high = ends if len(ends) == 2 else (None, None)
    return None if low is None or high is None else (low, high)


_FLOAT = core_schema.float_schema(allow_inf_nan=False, strict=True)
_INT = core_schema.int_schema(ge=0, strict=True)
_STR = core_schema.str_schema(strict=True)
_MAYBE_FLOAT = core_schema.nullable_schema(_FLOAT)


def _many(item: CoreSchema) -> CoreSchema:
    return core_schema.tuple_schema([item], variadic_item_index=0)


Number = Annotated[float | None, _Lenient(_MAYBE_FLOAT, number, None)]
Whole = Annotated[int | None, _Lenient(core_schema.nullable_schema(_INT), whole, None)]
Count = Annotated[int, _Lenient(_INT, lambda value: whole(value) or 0, 0)]
Flag = Annotated[
    bool, _Lenient(core_schema.bool_schema(strict=True), lambda value: value is True, False)
]
Text = Annotated[str, _Lenient(_STR, text, "")]
TextOrNone = Annotated[
    str | None,
    _Lenient(
        core_schema.nullable_schema(_STR),
        lambda value: None if value is None else text(value),
        None,
    ),
]
Texts = Annotated[
    tuple[str, ...], _Lenient(_many(_STR), lambda value: tuple(map(text, _items(value))), ())
]
Counts = Annotated[dict[str, int], _Lenient(core_schema.dict_schema(_STR, _INT), _counts, {})]
Shape = Annotated[
    tuple[int, ...],
    _Lenient(_many(_INT), lambda value: tuple(whole(side) or 0 for side in _items(value)), ()),
]
Numbers = Annotated[
    tuple[float | None, ...],
    _Lenient(_many(_MAYBE_FLOAT), lambda value: tuple(map(number, _items(value))), ()),
]
Interval = Annotated[
    tuple[float, float] | None,
    _Lenient(
        core_schema.nullable_schema(core_schema.tuple_schema([_FLOAT, _FLOAT])), _interval, None
    ),
]
# Without it the event means nothing.
Required = Annotated[int, PlainValidator(_required, json_schema_input_type=int)]
IfTable = _LenientParts(_table, None)
Tables = _LenientParts(_tables, ())
