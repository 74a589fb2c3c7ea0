"""Types of fields that were written by a run: what does not fit its type counts as unknown.

A log may have been written by another version, edited, or damaged; everything else in it is read.
The types are plain annotations: pydantic makes the schema of them, and the log is read without it,
which saves half of the start of a short command.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Integral, Real
from typing import Annotated, Any, Self, get_args, get_type_hints

from workbench.messages import tr


@dataclass(frozen=True, order=True)
class Position:
    """A position in the plan: stage from 0, epoch from 1, finished steps of that epoch."""

    stage: int
    epoch: int
    step: int = 0

    def __str__(self) -> str:
        return tr("epoch {epoch}", epoch=self.epoch) + (
            tr(", step {step}", step=self.step) if self.step else ""
        )


def number(value: Any) -> float | None:
    """Return a finite number as a float, else None."""
    if type(value) is float:  # nearly always
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool) or not isinstance(value, Real):
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


def spec_table(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of a spec that was read unchecked; {} if missing."""
    table = spec.get(name)
    return table if isinstance(table, Mapping) else {}


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


def _matrix(value: Any) -> tuple[tuple[int, ...], ...]:
    rows = items(value)
    if not all(isinstance(row, list | tuple) for row in rows):
        return ()
    cells = list(chain.from_iterable(rows))  # hundreds, in each of many epochs: no call for each
    if set(map(type, cells)) - {int} or min(cells, default=0) < 0:
        return ()
    return tuple(map(tuple, rows))


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
Matrix = Annotated[tuple[tuple[int, ...], ...], Reads(_matrix)]
Numbers = Annotated[tuple[float | None, ...], each(number)]
Interval = Annotated[tuple[float, float] | None, Reads(_interval)]


class Fields:
    """What has fields that are read leniently: an event, or a part of one."""

    def __post_init__(self) -> None:
        for name, read, _ in readers(type(self)):
            object.__setattr__(self, name, read(getattr(self, name)))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Return the object with these values; others are ignored, and missing ones have defaults.

        Raises:
            ValueError: What it requires is missing or does not fit.
        """
        found = object.__new__(cls)  # without __init__: a log may hold a million events
        own = found.__dict__
        for name, read, default in readers(cls):
            own[name] = read(values[name]) if name in values else default(name)
        return found

    @classmethod
    def restored(cls, values: Sequence[Any], without: str = "") -> Self:
        """Return the object whose `as_dict` had these values, in their order.

        Only values with parts of their own are read again.
        """
        found = object.__new__(cls)
        own = (one for one in readers(cls) if one[0] != without)
        for (name, read, _), value in zip(own, values, strict=True):
            found.__dict__[name] = read(value) if isinstance(value, list | dict) else value
        return found

    def as_dict(self, without: str = "") -> dict[str, Any]:
        """Return the fields as plain data for JSON, perhaps without one of them."""
        names = [name for name, _, _ in readers(type(self)) if name != without]
        return {name: _plain(getattr(self, name)) for name in names}


_SOURCE = "read later"  # in an object's __dict__: what returns a value that was not read yet
Reader = tuple[str, Callable[[Any], Any], Callable[[str], Any]]
_READERS: dict[type, list[Reader]] = {}


def readers(kind: Any) -> list[Reader]:
    """Return name, reader and maker of the default of each field of a subclass of Fields."""
    if kind not in _READERS:
        hints = get_type_hints(kind, include_extras=True)
        _READERS[kind] = [
            (one.name, _reader(hints[one.name]), _default(one)) for one in dataclasses.fields(kind)
        ]
    return _READERS[kind]


def _reader(hint: Any) -> Callable[[Any], Any]:
    return next((part.read for part in get_args(hint) if isinstance(part, Reads)), str)


def _default(one: Any) -> Callable[[str], Any]:
    if one.default_factory is not dataclasses.MISSING:
        return lambda name: one.default_factory()
    if one.default is not dataclasses.MISSING:
        return lambda name: one.default
    return _missing


class _Later:
    """A value that is read when something asks for it first, if `read_later` was called."""

    def __init__(self, default: Any) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, holder: Fields | None, owner: object = None) -> Any:
        if holder is None:
            return self._default
        own = holder.__dict__
        source = own.get(_SOURCE)
        if source is None:  # another thread may just have read it
            return own.get(self._name, self._default)
        read = next(read for name, read, _ in readers(type(holder)) if name == self._name)
        found = own[self._name] = read(source())  # is found first from now on
        own.pop(_SOURCE, None)
        return found


def later(default: Any) -> Any:
    """Return the default of a field that `read_later` may leave to be read."""
    return _Later(default)


def read_later(holder: Fields, name: str, source: Callable[[], Any]) -> None:
    """Let a field that is declared with `later` be read when something asks for it.

    Args:
        holder: of the field.
        name: of the field.
        source: returns its JSON value; whatever does not fit is unknown, as in `Fields.read`.
    """
    holder.__dict__.pop(name, None)
    holder.__dict__[_SOURCE] = source


def _missing(name: str) -> Any:
    raise ValueError(f"{name} is missing")


def _plain(value: Any) -> Any:
    if isinstance(value, Fields):
        return value.as_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def part(kind: type[Fields]) -> Reads:
    """Read a part with fields of its own from a table; what is not a table is None."""

    def read(value: Any) -> Fields | None:
        if isinstance(value, kind):
            return value
        return kind.read(value) if isinstance(value, Mapping) else None

    return Reads(read)


def parts(kind: type[Fields]) -> Reads:
    """Read the parts in a list; what is not a table is left out."""
    read = part(kind).read
    return Reads(lambda value: tuple(filter(None, map(read, items(value)))))
