"""What a sweep varies: a grid of values, a list from a table, or random draws. Pure.

A trial is a tuple of settings as `--set` takes them: ("training.learning_rate=1e-4",).
"""

import csv
import itertools
import math
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.experiment.toml import apply_settings, flat
from workbench.files import cannot_read, open_table
from workbench.messages import tr
from workbench.text import plural, safe_text

MAX_TRIALS = 1000  # of a sweep, with all seeds
DIGITS = 3  # of a number that is drawn
_SEPARATORS = (",", ";", "\t")  # of a table: the first that its first line has
_BOOLEANS = {"TRUE": "true", "FALSE": "false"}  # as spreadsheets write them
_OPENING, _CLOSING, _QUOTES = "[{", "]}", "\"'"
_OWN_OPTIONS = {"training.seed": "--seeds", "name": "--name", "data.source": "--data"}

Settings = tuple[str, ...]


@dataclass(frozen=True)
class Variation:
    """A key and what it may be.

    Attributes:
        values: as typed; () for a range.
        low, high: the ends of a range.
        whole: True if only whole numbers are drawn from it.
    """

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    def draw(self, drawn: random.Random) -> str:
        """Return a value: of a range log-uniform, or uniform if it begins at 0."""
        if self.values:
            return drawn.choice(self.values)
        if self.low > 0:
            value = math.exp(drawn.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = drawn.uniform(self.low, self.high)
        if self.whole:
            return str(min(max(round(value), int(self.low)), int(self.high)))
        return f"{min(max(float(f'{value:.{DIGITS}g}'), self.low), self.high):g}"


def parse_variation(text: str) -> Variation:
    """Return what `KEY=V1,V2,...` or `KEY=LOW..HIGH` describes.

    Raises:
        UserError: It describes nothing, or a key that has an option of its own.
    """
    key, equals, rest = text.partition("=")
    key, values = key.strip(), [value.strip() for value in _split(rest)]
    if not equals or not key or not all(values):
        raise UserError(
            tr(
                "--vary {text}: expected KEY=VALUE,VALUE,... or KEY=LOW..HIGH.",
                text=safe_text(text),
            ),
            tr("Such as --vary training.learning_rate=1e-4,3e-4"),
        )
    _check_key(key)
    if len(values) == 1 and ".." in values[0]:
        return _range(key, values[0])
    return Variation(key, tuple(dict.fromkeys(values)))


def _check_key(key: str) -> None:
    if option := _OWN_OPTIONS.get(key):
        raise UserError(
            tr("{key} cannot be varied; it has an option: {option}.", key=key, option=option)
        )


def _range(key: str, text: str) -> Variation:
    low, _, high = text.partition("..")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = math.nan, math.nan
    if not (0 <= ends[0] < ends[1] < math.inf):
        raise UserError(
            tr(
                "--vary {key}={text}: a range is LOW..HIGH, two numbers from 0 on, the lower one "
                "first.",
                key=safe_text(key),
                text=safe_text(text),
            ),
            tr("Such as --vary training.learning_rate=1e-5..1e-2 --random 20"),
        )
    return Variation(key, (), *ends, whole=low.strip().isdecimal() and high.strip().isdecimal())


def _split(text: str) -> list[str]:
    """Split at commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        depth += (character in _OPENING) - (character in _CLOSING) if not quote else 0
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def grid(variations: Sequence[Variation]) -> list[Settings]:
    """Return every combination of the values, those of the last key next to each other.

    Raises:
        UserError: A key has a range, or is given twice, or there are far too many.
    """
    _check_keys([one.key for one in variations])
    for one in variations:
        if not one.values:
            raise UserError(
                tr("--vary {key} has a range, from which values are drawn.", key=one.key),
                tr("Say how many: --random 20"),
            )
    _check_count(math.prod(len(one.values) for one in variations))
    combined = itertools.product(*(one.values for one in variations))
    keys = [one.key for one in variations]
    return [_settings(keys, values) for values in combined]


def draw_trials(
    variations: Sequence[Variation], count: int, known: Collection[Settings], seed: int
) -> list[Settings]:
    """Return random trials (Bergstra and Bengio 2012) that are all different.

    Args:
        variations: what to draw from, each key independently.
        count: how many; fewer are returned if there are no more.
        known: trials that are not drawn again.
        seed: of the draws.

    Raises:
        UserError: There is nothing to draw from, or a key is given twice.
    """
    if not variations:
        raise UserError(tr("--random draws from what --vary names."))
    _check_keys([one.key for one in variations])
    _check_count(count)
    drawn, found, misses = random.Random(seed), dict.fromkeys(known), 0
    while len(found) < len(known) + count and misses < 100 * count:
        settings = tuple(f"{one.key}={one.draw(drawn)}" for one in variations)
        misses += settings in found
        found[settings] = None
    return list(found)[len(known) :]


def read_trials(path: Path) -> list[Settings]:
    """Read trials from a CSV file: a column for each key, a row for each trial.

    An empty cell leaves the key as the experiment has it.

    Raises:
        UserError: The file cannot be read, or is no such table.
    """
    try:
        with open_table(path) as file:
            first = file.readline()
            separator = next((one for one in _SEPARATORS if one in first), ",")
            lines = csv.reader(itertools.chain([first], file), delimiter=separator)
            rows = [row for row in itertools.islice(lines, MAX_TRIALS + 2) if any(row)]
    except OSError as error:
        raise cannot_read(path, error) from None
    except csv.Error as error:
        raise UserError(
            tr("{path} is not CSV: {error}.", path=safe_text(path), error=safe_text(error))
        ) from None
    keys = [cell.strip() for cell in rows[0]] if rows else []
    if len(rows) < 2 or not all(keys):
        raise UserError(
            tr("{path} holds no trials.", path=safe_text(path)),
            tr("It needs a line of keys, such as training.learning_rate, and one line a trial."),
        )
    _check_keys(keys)
    _check_count(len(rows) - 1)
    found = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(keys):
            raise UserError(
                tr(
                    "{path}, line {number}: {cells} for {keys}.",
                    path=safe_text(path),
                    number=number,
                    cells=plural(len(row), "cell"),
                    keys=plural(len(keys), "key"),
                )
            )
        found.append(_settings(keys, [_BOOLEANS.get(cell.strip(), cell) for cell in row]))
    return list(dict.fromkeys(found))


def _settings(keys: Sequence[str], values: Sequence[str]) -> Settings:
    pairs = zip(keys, values, strict=True)
    return tuple(f"{key}={value.strip()}" for key, value in pairs if value.strip())


def _check_keys(keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        _check_key(key)
        if key in seen:
            raise UserError(tr("{key} is varied twice.", key=safe_text(key)))
        seen.add(key)


def _check_count(count: int) -> None:
    if count > MAX_TRIALS:
        raise UserError(
            tr(
                "That is {count:,} trials; at most {most:,} are allowed.",
                count=count,
                most=MAX_TRIALS,
            ),
            tr("Vary fewer values, or draw some of them: --random 50"),
        )


def tried_values(settings: Settings) -> dict[str, object]:
    """Return the values of a trial by key, as the spec has them."""
    return flat(apply_settings({}, settings))
