"""Pieces of Python source for the script's templates: literals and ranges."""

from collections.abc import Iterable

WIDTH = 88  # columns, which every formatter's default allows


def literal(value: str) -> str:
    """Return a string literal in ASCII; whatever the value is, it cannot end the literal."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_escaped(character, quote) for character in value) + quote


def listing(name: str, items: Iterable[str]) -> str:
    """Return `NAME = ["a", "b"]` on one line if it fits, else with one item a line."""
    cells = [literal(item) for item in items]
    line = f"{name} = [{', '.join(cells)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = [", *(f"    {cell}," for cell in cells), "]"])


def around_zero(reach: float) -> str:
    """Return the limits of a change that adds up to `reach`."""
    return f"{-reach}, {reach}" if reach else "0, 0"


def around_one(reach: float) -> str:
    """Return the limits of a factor that differs from 1 by up to `reach`."""
    return f"{round(1 - reach, 9)}, {round(1 + reach, 9)}"


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return "\\" + character
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
