"""States, sparklines and bars in characters that a terminal has: word, then sign, then colour."""

import os
from collections.abc import Mapping, Sequence

SIGNS = {
    "training": "▶", "evaluating": "▶", "preparing": "▷", "starting": "▷", "waiting": "…",
    "finished": "✓", "stopped": "■", "failed": "✗", "interrupted": "!",
}  # fmt: skip
ASCII_SIGNS = {
    "training": ">", "evaluating": ">", "preparing": ">", "starting": ">", "waiting": ".",
    "finished": "+", "stopped": "=", "failed": "x", "interrupted": "!",
}  # fmt: skip
# Names of the theme's colours; never the only bearer of a meaning.
COLORS = {
    "training": "$accent", "evaluating": "$accent", "preparing": "$accent", "starting": "$accent",
    "waiting": "$secondary", "finished": "$success", "stopped": "$warning", "failed": "$error",
    "interrupted": "$error",
}  # fmt: skip
# How the keys are written that Textual and the bindings name by a sign; for `str.translate`.
ASCII_KEYS = str.maketrans(
    {"↑": "up", "↓": "down", "←": "<-", "→": "->", "⏎": "enter", "⌫": "backspace"}
)
LEAST_SPAN = 0.1  # of accuracy, from a sparkline's lowest level to its highest
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-=^*#@"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def speaks_utf8(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal shows more than ASCII, as its locale says."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environment.get(name):
            return "utf-8" in value.lower() or "utf8" in value.lower()
    return False


def sign(state: str, utf8: bool = True) -> str:
    """One character for a state."""
    return (SIGNS if utf8 else ASCII_SIGNS).get(state, "?")


def sparkline(values: Sequence[float | None], width: int, utf8: bool = True) -> str:
    """The last accuracies as a row of levels, low to high over the range they span; "" for none.

    A range below `LEAST_SPAN` is widened to it around its middle: a hundredth is no collapse.
    """
    known = [value for value in values if value is not None][-width:]
    if not known:
        return ""
    levels = _LEVELS if utf8 else _ASCII_LEVELS
    middle, span = (min(known) + max(known)) / 2, max(max(known) - min(known), LEAST_SPAN)
    top = len(levels) - 1
    # Rounded, as binary fractions of decimal figures would tip a middle to either side.
    return "".join(levels[round(round((v - middle) / span + 0.5, 6) * top)] for v in known)


def bar(share: float, width: int, utf8: bool = True) -> str:
    """A share of 1 as a bar of a fixed width, to an eighth of a cell."""
    share = min(max(share, 0.0), 1.0)
    if not utf8:
        full = round(share * width)
        return "#" * full + "." * (width - full)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
