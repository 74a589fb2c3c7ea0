"""Symbols of states, sparklines and bars, in UTF-8 or ASCII."""

from collections.abc import Sequence

from rich.text import Text

from workbench.messages import tr

SIGNS = {
    "training": "▶", "evaluating": "▶", "preparing": "▷", "starting": "▷", "waiting": "…",
    "finished": "✓", "stopped": "■", "failed": "✗", "interrupted": "!",
    "pruned": "■", "planned": "…",
}  # fmt: skip
ASCII_SIGNS = {
    "training": ">", "evaluating": ">", "preparing": ">", "starting": ">", "waiting": ".",
    "finished": "+", "stopped": "=", "failed": "x", "interrupted": "!",
    "pruned": "=", "planned": ".",
}  # fmt: skip
# Names of the theme's colours; a colour never carries a meaning by itself.
STATE_COLORS = {
    "training": "$accent", "evaluating": "$accent", "preparing": "$accent", "starting": "$accent",
    "waiting": "$secondary", "finished": "$success", "stopped": "$warning", "failed": "$error",
    "interrupted": "$error", "pruned": "$warning", "planned": "$secondary",
}  # fmt: skip
# ASCII names of keys that Textual writes as symbols; for `str.translate`.
ASCII_KEYS = str.maketrans(
    {"↑": "up", "↓": "down", "←": "<-", "→": "->", "⏎": "enter", "⌫": "backspace"}
)
MIN_SPAN = 0.1  # of accuracy, from a sparkline's lowest level to its highest
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-=^*#@"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def state_symbol(state: str, utf8: bool = True) -> str:
    """Return one character for a state."""
    return (SIGNS if utf8 else ASCII_SIGNS).get(state, "?")


def sparkline(
    values: Sequence[float | None],
    width: int,
    utf8: bool = True,
    beside: Sequence[float | None] = (),
) -> str:
    """Return accuracies as levels over the range of all of them; "" for none.

    Where there are more than cells, evenly spaced ones are shown, always the first and the last:
    in every width it is the same curve. A range below `MIN_SPAN` is widened around its middle: a
    hundredth is no collapse.

    Args:
        values: of the epochs.
        width: cells.
        utf8: False for ASCII.
        beside: others on the same scale, which a plot of the run draws too.
    """
    known = [value for value in values if value is not None]
    if not known or width < 1:
        return ""
    scale = [*known, *(value for value in beside if value is not None)]
    last, steps = len(known) - 1, min(width, len(known)) - 1
    shown = (
        [known[round(last * step / steps)] for step in range(steps + 1)] if steps else known[-1:]
    )
    return levels(shown, min(scale), max(scale), utf8)


def levels(values: Sequence[float | None], low: float, high: float, utf8: bool = True) -> str:
    """Return accuracies as levels from `low` to `high`, a blank for one that is unknown.

    A range below `MIN_SPAN` is widened around its middle.
    """
    signs = _LEVELS if utf8 else _ASCII_LEVELS
    middle, span = (low + high) / 2, max(high - low, MIN_SPAN)
    top = len(signs) - 1

    def level(value: float | None) -> str:
        if value is None:
            return " "
        # Rounded, because binary fractions of decimal numbers would move a middle to either side.
        return signs[round(round((value - middle) / span + 0.5, 6) * top)]

    return "".join(map(level, values))


def bar(share: float, width: int, utf8: bool = True) -> str:
    """Return a share of 1 as a bar of a fixed width, to an eighth of a cell."""
    share = min(max(share, 0.0), 1.0)
    if not utf8:
        full = round(share * width)
        return "#" * full + "." * (width - full)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def stacked_bar(parts: Sequence[tuple[int, str]], most: int, room: int, utf8: bool = True) -> Text:
    """Return two counts as one bar, each count above 0 with at least one cell.

    Args:
        parts: count and colour of each part.
        most: the count that fills `room` cells.
        room: cells.
        utf8: False for ASCII.
    """
    text = Text()
    for (count, color), mark in zip(parts, "█▒" if utf8 else "#x", strict=True):
        text.append(mark * max(round(room * count / most), bool(count)), color)
    return text


def split_bar(
    solid: int,
    shaded: int,
    most: int,
    room: int,
    utf8: bool = True,
    colors: Sequence[str] = ("", ""),
) -> Text:
    """Return two counts as one bar whose parts differ by their marks and by their colours.

    Its length is that of their sum, one cell at least; a part above 0 has a cell if there are two.

    Args:
        solid: the first count.
        shaded: the second count.
        most: the sum that fills `room` cells.
        room: cells; the bar is filled up with blanks.
        utf8: False for ASCII.
        colors: of the parts.
    """
    both = solid + shaded
    cells = min(max(round(room * both / most), 1), room) if both and most else 0
    first = round(cells * solid / both) if both else 0
    if cells > 1 and solid and shaded:
        first = min(max(first, 1), cells - 1)
    text = Text()
    marks = "█▒" if utf8 else "#="
    for count, mark, color in zip((first, cells - first), marks, colors, strict=True):
        text.append(mark * count, color)
    return text.append(" " * (room - cells))


def funnel(left: float, right: float, room: int, utf8: bool = True) -> str:
    """Return two shares of 1 as lines from the middle to both sides, to half a cell.

    Each has half a cell at least; in ASCII lines are of whole cells.
    """
    width = (room - 1) // 2
    if not utf8:
        before, after = ("-" * max(round(width * share), 1) for share in (left, right))
        return f"{before:>{width}}|{after:<{width}}".ljust(room)
    halves = [min(max(round(2 * width * share), 1), 2 * width) for share in (left, right)]
    before, after = (
        "━" * (count // 2) + end * (count % 2) for count, end in zip(halves, "╺╸", strict=True)
    )
    return f"{before[::-1]:>{width}}┃{after:<{width}}".ljust(room)


def epoch_name(epoch: int) -> str:
    """Return "epoch 7"; 0 is what was there before training, which a translation may say."""
    return tr("epoch {epoch}", epoch=epoch) if epoch else tr("epoch 0")


def best_name(epoch: int) -> str:
    """Return "best 7", as `epoch_name`."""
    return tr("best {epoch}", epoch=epoch) if epoch else tr("best 0")
