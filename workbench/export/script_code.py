"""Pieces of Python source: literals and blocks, laid out as a formatter would."""

from collections.abc import Iterable
from textwrap import dedent, indent

WIDTH = 88  # columns, which every formatter's default allows


def block(text: str) -> str:
    """Source as it stands in the code of ours, moved to the left edge."""
    return dedent(text).strip("\n")


def inside(text: str, levels: int = 1) -> str:
    """Source moved into a function."""
    return indent(text, "    " * levels)


def string(value: str) -> str:
    """A string literal of ASCII alone; whatever the value is, it cannot end the literal."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_escaped(c, quote) for c in value) + quote


def listing(start: str, items: Iterable[str], end: str = "]") -> str:
    """`NAME = [a, b]` in one line where it fits, else one item a line.

    Args:
        start: all up to the opening bracket, which it includes.
        items: source of each.
    """
    cells = list(items)
    line = start + ", ".join(cells) + end
    if len(line) <= WIDTH:
        return line
    return "\n".join([start, *(f"    {cell}," for cell in cells), end])


def number(value: float) -> str:
    """A number as a formatter leaves it."""
    return repr(value)


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return "\\" + character
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
