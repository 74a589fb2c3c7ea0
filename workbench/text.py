"""Text for terminals: safe strings, formatted numbers and durations."""

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from workbench.messages import tr, tr_plural

MAX_SHOWN = 200
FAR = 10  # times their size, from which a movement of weights is no percentage
NAMED = 3  # names before a note that several share
MAX_CHOICES = 20  # that `format_choices` lists

# Characters that reorder text around them, so that a name can look like another.
_BIDI = {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}
_SECOND_CELL = "\ue000"  # stands behind a letter of two cells while lines are made; in no text


def safe_text(value: object, limit: int = MAX_SHOWN) -> str:
    """Return a string from outside in a form that is harmless for a terminal.

    Control characters, escapes, newlines, bidirectional marks and bytes that are not UTF-8 are
    shown as escapes; text wider than `limit` cells is cut in the middle.

    Args:
        value: Anything; its `str()` is used.
        limit: The widest result in cells of a terminal, at least 8.
    """
    given = str(value)
    if len(given) > 2 * limit + 2:  # the middle would be cut out anyway
        given = given[: limit + 1] + given[-limit - 1 :]
    text = "".join(_safe_character(c) for c in given)
    if cell_width(text) <= limit:
        return text
    start, end = text[: limit - limit // 3 - 1], text[-(limit // 3) :]
    while cell_width(start) > limit - limit // 3 - 1:
        start = start[:-1]
    while cell_width(end) > limit // 3:
        end = end[1:]
    return f"{start}…{end}"


def safe_lines(value: object) -> str:
    """Apply `safe_text` line by line, for our own messages with line breaks."""
    return "\n".join(safe_text(line, limit=2000) for line in str(value).split("\n"))


def _safe_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as os.fsdecode returns it
        return f"\\x{code - 0xDC00:02x}"
    category = unicodedata.category(character)
    if character in _BIDI or category in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"\\u{code:04x}"
    return character


def cell_width(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for a letter of Korean."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # most commands start without it

    return cell_len(text)


def pad_cells(text: str, width: int, side: str = "l") -> str:
    """Return a text with blanks around it, as wide as asked; a wider one stays as it is.

    Args:
        text: One line.
        width: In cells of a terminal.
        side: Where the text stands: "l" for left, "r" for right, "c" for the middle.
    """
    blanks = max(width - cell_width(text), 0)
    before = {"l": 0, "r": blanks, "c": blanks // 2}[side]
    return " " * before + text + " " * (blanks - before)


def cut_cells(text: str, width: int) -> str:
    """Return a text that takes at most `width` cells, "…" where its end was cut off."""
    if cell_width(text) <= width:
        return text
    text = text[: max(width, 0)]  # a letter takes a cell at least
    while text and cell_width(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…" if width > 0 else ""


def slice_cells(text: str, widths: Sequence[int]) -> list[str]:
    """Return a text in pieces of these widths, filled up with blanks; its end may be cut off.

    A letter of two cells that would cross a border comes behind it.
    """
    pieces = []
    for width in widths:
        end = 0
        while end < len(text) and cell_width(text[: end + 1]) <= width:
            end += 1
        pieces.append(pad_cells(text[:end], width))
        text = text[end:]
    return pieces


def wrap_cells(text: str, width: int, **options: Any) -> list[str]:
    """Return the lines of a text as `textwrap.wrap` makes them, their width in cells.

    Args:
        text: Its line breaks count as blanks.
        width: The widest line in cells of a terminal.
        **options: Of `textwrap.TextWrapper`.
    """
    if "initial_indent" in options:
        options["initial_indent"] = widened(options["initial_indent"])
    lines = textwrap.wrap(widened(text), width, **options)
    return list(map(narrowed, lines))


def widened(text: str) -> str:
    """Return a text with as many letters as it takes cells, for what counts letters."""
    return "".join(c + _SECOND_CELL * (cell_width(c) - 1) for c in text)


def narrowed(text: str) -> str:
    """Return the text that was `widened`."""
    return text.replace(_SECOND_CELL, "")


def fill_cells(text: str, width: int, **options: Any) -> str:
    """Return the lines of `wrap_cells` joined by line breaks."""
    return "\n".join(wrap_cells(text, width, **options))


def describe_unencodable(error: UnicodeEncodeError) -> tuple[str, str]:
    """Return message and hint for a file's name with letters that the locale lacks."""
    return (
        tr(
            "{name} cannot be the name of a file here: the encoding of the locale, "
            "{encoding}, lacks some of its letters.",
            name=safe_text(error.object),
            encoding=error.encoding,
        ),
        tr("Choose a locale of UTF-8: export LC_ALL=C.UTF-8"),
    )


def format_bytes(size: float) -> str:
    """Return bytes in powers of 1000, as disks are sold: 498 MB, 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def format_gib(size: float) -> str:
    """Return bytes of a GPU's memory, which is sold in powers of 1024: 79.6 GiB."""
    return f"{size / 2**30:.1f} GiB"


def format_seconds(seconds: float) -> str:
    """Return a duration in one or two units: 4 s, 2 min 05 s, 3 h 12 min, 2 d 4 h."""
    if seconds < 9.95:
        return tr("{seconds:.1f} s", seconds=seconds)
    whole = round(seconds)
    if whole < 60:
        return tr("{seconds} s", seconds=whole)
    if whole < 3600:
        return tr("{minutes} min {seconds:02d} s", minutes=whole // 60, seconds=whole % 60)
    if whole < 86400:
        return tr("{hours} h {minutes:02d} min", hours=whole // 3600, minutes=whole % 3600 // 60)
    return tr("{days} d {hours} h", days=whole // 86400, hours=whole % 86400 // 3600)


def format_age(seconds: float) -> str:
    """Return an age in one unit: 12 s, 4 min, 3 h, 2 d."""
    if seconds < 60:
        return tr("{seconds} s", seconds=int(seconds))
    if seconds < 3600:
        return tr("{minutes} min", minutes=int(seconds // 60))
    if seconds < 86400:
        return tr("{hours} h", hours=int(seconds // 3600))
    return tr("{days} d", days=int(seconds // 86400))


def percent(share: float, digits: int = 0) -> str:
    """Return a share of 1 as "75 %", in Korean "75%"."""
    return tr("{number} %", number=f"{100 * share:.{digits}f}")


def small_percent(share: float) -> str:
    """Return the same with the digits that a small share needs: "0.2 %", "0.04 %"."""
    return percent(share, 0 if not share or share >= 0.01 else 1 if share >= 0.001 else 2)


def format_moved(share: float | None, digits: int = 3) -> str:
    """Return how far weights moved, relative to their size: "2.1 %", or "33x"; 0 is "0"."""
    if share is None:
        return "-"
    if share >= FAR:
        return f"{share:,.0f}x"
    return percent(share, digits) if share else "0"


def format_shape(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it: (150, 150, 3) is 150x150x3."""
    return "x".join(str(n) for n in shape)


def format_count(count: int) -> str:
    """Return a count in at most seven cells: 513, 92.7 k, 708 M, 15.3 G."""
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= max(unit, 10**4):
            number = count / unit
            return f"{number:.0f} {name}" if number >= 100 else f"{number:.1f} {name}"
    return f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun in the language of the reader: 1 image, 2 images, 1,000 images.

    Args:
        count: The number.
        one: English for one thing, a literal that the catalogue finds.
        many: English for several; `one` with an "s" by default.
    """
    return tr_plural(f"{{count:,}} {one}", f"{{count:,}} {many or one + 's'}", count)


def format_choices(choices: Sequence[str]) -> str:
    """Return "a, b or c"; of very many the first ones, and the number of others."""
    if len(choices) > MAX_CHOICES:
        first = ", ".join(choices[:MAX_CHOICES])
        return tr("{first} or {more:,} more", first=first, more=len(choices) - MAX_CHOICES)
    if len(choices) == 1:
        return choices[0]
    return tr("{first} or {last}", first=", ".join(choices[:-1]), last=choices[-1])


def not_allowed(received: object, allowed: str) -> str:
    """Return that a value is none of the allowed ones."""
    return tr("received {received}; allowed: {allowed}", received=repr(received), allowed=allowed)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Return lines of columns with two spaces between.

    Args:
        headers: Of the columns.
        rows: Cells of any type.
        right: One letter a column, "l" or "r" for the alignment; missing ones are "l".
    """
    cells = [[safe_text(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(map(cell_width, column)) for column in zip(*cells, strict=True)]
    sides = right.ljust(len(widths), "l")
    lines = []
    for row in cells:
        parts = [
            pad_cells(cell, width, side)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def group_notes(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each note, the names of those that have the same before it."""
    names: dict[str, list[str]] = {}
    for name, note in notes:
        names.setdefault(note, []).append(name)
    return [f"{_first_names(found)}: {note}" for note, found in names.items()]


def _first_names(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    if rest <= 1:
        return ", ".join(names)
    return tr("{first} and {more} more", first=", ".join(names[:NAMED]), more=rest)


def format_accuracy(value: float | None) -> str:
    """Return an accuracy as a fraction with four digits."""
    return "-" if value is None else f"{value:.4f}"


def format_interval(interval: tuple[float, float] | None) -> str:
    """Return an interval of accuracies with three digits: 0.920 to 0.970."""
    if interval is None:
        return "-"
    return tr("{low:.3f} to {high:.3f}", low=interval[0], high=interval[1])
