"""Replace all but ASCII for a terminal without UTF-8, whichever widget drew it."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from workbench.text import SUBSTITUTES

# Blocks are drawn as blanks: their background shows where they are.
_SUBSTITUTES = {**SUBSTITUTES, "🔎": " ", **dict.fromkeys("▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐▔▕▀", " ")}


def to_ascii(text: str) -> str:
    """Return the text in ASCII, as many cells wide; a "?" for what has no substitute."""
    if text.isascii():
        return text
    width = cell_len(text)
    shown = (c if c.isascii() else _SUBSTITUTES.get(c, "?") * cell_len(c) for c in text)
    return "".join(shown)[:width].ljust(width)


class AsciiFilter(LineFilter):
    """The last step before the terminal, after every widget."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]
